"""What schemathesis is told beside the document: PocketBase's own formats, and the ids that there really are.

It is loaded by schemathesis in a process of its own (SCHEMATHESIS_HOOKS); API_CHECK_KNOWN has the ids as JSON.
"""

import json
import os
import zlib
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

from daemons.race.pocketbase.collections import SYSTEM_FIELDS
from daemons.race.pocketbase.documented import FILTER_FORMAT, SORT_FORMAT

KNOWN: dict[str, list[dict[str, str]]] = json.loads(os.environ["API_CHECK_KNOWN"])
"""Path parameters that lead somewhere, by path."""

_FIELDS = st.sampled_from(sorted(SYSTEM_FIELDS))
_TEXTS = st.text(alphabet=st.characters(codec="ascii", exclude_characters="'\\\0"), max_size=12)
_VALUES = st.one_of(
    st.integers(-999, 999).map(str),
    st.sampled_from(["true", "false", "null", "1.5"]),
    _TEXTS.map(lambda text: f"'{text}'"),
)
_SIGNS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~", "!~", "?=", "?~"])
_COMPARISONS = st.tuples(_FIELDS, _SIGNS, _VALUES).map(" ".join)
_FILTERS = st.recursive(
    _COMPARISONS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
    ),
    max_leaves=5,
)
_SORTS = st.lists(st.tuples(st.sampled_from(["", "-", "+"]), _FIELDS).map("".join), max_size=5).map(",".join)

schemathesis.openapi.format(FILTER_FORMAT, _FILTERS)
schemathesis.openapi.format(SORT_FORMAT, _SORTS)


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    """Have most of what is asked rightly ask for what there is; the rest for anything."""
    known = KNOWN.get(case.operation.path)
    is_right = case.meta is not None and case.meta.generation.mode is GenerationMode.POSITIVE
    chance = zlib.crc32(repr((case.path_parameters, case.query)).encode("utf-8", "replace"))
    if known and is_right and chance % 4:
        case.path_parameters = {**case.path_parameters, **known[chance % len(known)]}
    return case
