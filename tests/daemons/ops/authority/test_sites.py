"""The sites of a hub: enrolment codes work once, revocation holds, minimum versions, what the file keeps."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemons.ops.authority import sites
from daemons.ops.authority.file import AuthorityFile, open_authority
from daemons.ops.authority.identity import Unauthorised
from protocol.software import is_older

KEY, OTHER = bytes(range(32)), bytes(32)
NOW = 1_790_000_000.0


@pytest.fixture
def file(tmp_path: Path) -> Iterator[AuthorityFile]:
    with open_authority(tmp_path, migrations=sites.MIGRATIONS, inline=True) as opened:
        yield opened


def _enrolled(file: AuthorityFile, name: str = "field", key: bytes = KEY) -> str:
    file.write_now(lambda conn: sites.add_site(conn, name, NOW))
    code = file.write_now(lambda conn: sites.make_code(conn, name, NOW, os.urandom, 3600))
    file.write_now(lambda conn: sites.enrol(conn, code, key, NOW))
    return code


def _refusal(work: Callable[[], Any]) -> str:
    with pytest.raises(Unauthorised) as caught:
        work()
    return caught.value.code


def test_a_code_enrols_one_key_and_is_kept_as_a_hash(file: AuthorityFile) -> None:
    code = _enrolled(file)
    row = file.read(lambda conn: sites.find_site(conn, "field"))
    assert row is not None
    assert (row.key, row.words, row.enrolled_at) == (KEY, "key", NOW)
    content = b"".join(path.read_bytes() for path in file.path.parent.iterdir())
    assert sites.normal_code(code).encode() not in content


def test_a_code_is_good_again_for_the_same_key_only(file: AuthorityFile) -> None:
    code = _enrolled(file)
    again = file.write_now(lambda conn: sites.enrol(conn, code.lower().replace("-", " "), KEY, NOW + 1))
    assert again.name == "field"
    assert (
        _refusal(lambda: file.write_now(lambda conn: sites.enrol(conn, code, OTHER, NOW + 1))) == "replayed"
    )


def test_what_is_no_code_or_too_old_or_replaced_is_refused(file: AuthorityFile) -> None:
    file.write_now(lambda conn: sites.add_site(conn, "field", NOW))
    first = file.write_now(lambda conn: sites.make_code(conn, "field", NOW, os.urandom, 60))
    second = file.write_now(lambda conn: sites.make_code(conn, "field", NOW, os.urandom, 60))
    for code, now, expected in [
        ("0000-0000-0000", NOW, "unknown"),
        (first, NOW, "unknown"),
        (second, NOW + 60, "expired"),
    ]:
        assert (
            _refusal(lambda c=code, n=now: file.write_now(lambda conn: sites.enrol(conn, c, KEY, n)))
            == expected
        )
    assert file.read(lambda conn: sites.is_code_open(conn, "field", NOW))
    assert not file.read(lambda conn: sites.is_code_open(conn, "field", NOW + 61))


def test_a_revoked_site_loses_key_and_codes_until_it_is_added_again(file: AuthorityFile) -> None:
    code = _enrolled(file)
    later = file.write_now(lambda conn: sites.make_code(conn, "field", NOW, os.urandom, 3600))
    before = file.write_now(lambda conn: sites.revoke_site(conn, "field", NOW))
    assert before is not None
    assert before.key == KEY
    row = file.read(lambda conn: sites.find_site(conn, "field"))
    assert row is not None
    assert (row.words, row.key, row.generation) == ("revoked", None, before.generation + 1)
    for old in (code, later):
        assert (
            _refusal(lambda c=old: file.write_now(lambda conn: sites.enrol(conn, c, OTHER, NOW))) == "unknown"
        )
    back = file.write_now(lambda conn: sites.add_site(conn, "field", NOW + 9))
    assert (back.words, back.generation) == ("not enrolled", row.generation)


def test_a_site_that_has_only_a_bearer_token_can_be_revoked_too(file: AuthorityFile) -> None:
    assert file.write_now(lambda conn: sites.revoke_site(conn, "old-timer", NOW)) is None
    row = file.read(lambda conn: sites.find_site(conn, "old-timer"))
    assert row is not None
    assert row.is_revoked


def test_another_key_takes_the_place_of_the_first_without_revoking_it(file: AuthorityFile) -> None:
    _enrolled(file)
    _enrolled(file, key=OTHER)
    row = file.read(lambda conn: sites.find_site(conn, "field"))
    assert row is not None
    assert (row.key, row.generation) == (OTHER, 1)


def test_certificates_are_pinned_or_go_by_name(file: AuthorityFile) -> None:
    assert file.write_now(lambda conn: sites.pin_certificate(conn, "a", None, NOW)).words == "certificate"
    pinned = file.write_now(lambda conn: sites.pin_certificate(conn, "a", KEY, NOW))
    assert (pinned.words, pinned.fingerprint) == ("certificate, pinned", KEY)
    with pytest.raises(ValueError, match="SHA-256"):
        file.write_now(lambda conn: sites.pin_certificate(conn, "a", b"short", NOW))


def test_the_word_for_one_site_goes_before_the_word_for_all(file: AuthorityFile) -> None:
    _enrolled(file)
    assert file.read(lambda conn: sites.minimum_of(conn, "field")) == ""
    file.write_now(lambda conn: sites.set_minimum(conn, None, "0.1"))
    assert file.write_now(lambda conn: sites.set_minimum(conn, "field", "0.2.0")) == ""
    assert file.read(lambda conn: sites.minimum_of(conn, "field")) == "0.2.0"
    assert file.read(lambda conn: sites.minimum_of(conn, "other")) == "0.1"
    with pytest.raises(ValueError, match=r"written like 0\.2\.0"):
        file.write_now(lambda conn: sites.set_minimum(conn, None, "latest"))
    with pytest.raises(KeyError):
        file.write_now(lambda conn: sites.set_minimum(conn, "nobody", "1"))


@pytest.mark.parametrize(
    ("software", "minimum", "older"),
    [
        ("pitlink 0.1.0", "", False),
        ("pitlink 0.1.0", "0.1", False),
        ("pitlink 0.1.0", "0.1.1", True),
        ("pitlink 0.10.0", "0.9", False),
        ("pitlink 1", "0.9.9", False),
        ("pitlink 0.2.0-rc1", "0.2.0", False),
        ("somebody else's", "0.0.1", True),
        ("", "0.0.1", True),
    ],
)
def test_versions_are_compared_by_number(software: str, minimum: str, older: bool) -> None:
    assert is_older(software, minimum) is older


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a" * 65, "../x", "ä"])
def test_what_cannot_name_a_site_is_refused(file: AuthorityFile, name: str) -> None:
    with pytest.raises(ValueError, match="site's name"):
        file.write_now(lambda conn: sites.add_site(conn, name, NOW))
