"""What the files look like: as the JSON writer of FPVTrackside makes them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.doubles.fpvtrackside.shapes import dump, pilot_row

PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


def indented(rows: Any) -> bytes:
    return json.dumps(rows, indent=2, ensure_ascii=False).replace("\n", "\r\n").encode()


@given(st.lists(st.dictionaries(st.text(st.characters(codec="utf-8")), VALUES, max_size=3), max_size=3))
def test_rows_are_indented_json(rows: list[dict[str, Any]]) -> None:
    try:
        wanted = indented(rows)
    except UnicodeEncodeError:  # half a surrogate pair
        with pytest.raises(UnicodeEncodeError):
            dump(rows)
    else:
        assert dump(rows) == wanted


def test_a_row() -> None:
    rows = [
        pilot_row("id", "Zoë", "Zoë", "O'Hara", "z#1"),
        {"Points": [1, 2.5, True, None], "Empty": [], "None": {}},
    ]
    assert dump(rows) == indented(rows)
    assert dump([]) == b"[]"
