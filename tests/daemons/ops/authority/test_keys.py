"""Signing keys: made once, rotated, verifying until what they signed is over."""

from pathlib import Path

import pytest

from daemons.ops.authority.identity import Role, Unauthorised
from daemons.ops.authority.keys import NoKeys, hub_id, init_keys, list_keys, rotate_keys, verifying_keys
from daemons.ops.authority.tokens import Proof, verify
from tests.daemons.ops.authority.forge import NOW, counting, hub_file, issued

DAY = 86400.0


def test_a_hub_has_one_name_and_one_first_key(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        name = file.read(hub_id)
        assert file.write_now(lambda conn: init_keys(conn, NOW, counting(9))) is None
        assert file.read(hub_id) == name
        assert [key.retired_at for key in file.read(list_keys)] == [None]


def test_old_keys_verify_until_what_they_signed_is_over(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        old = issued(file, "old", days=2)

        def check(token: str, now: float) -> Proof:
            return file.read(lambda conn: verify(conn, token, now))

        file.write_now(lambda conn: rotate_keys(conn, NOW + 1, counting(50)))
        new = issued(file, "new", days=30, now=NOW + 2)
        assert check(old, NOW + 2 * DAY - 1).identity.name == "old"
        assert len(file.read(lambda conn: verifying_keys(conn, NOW + DAY))) == 2
        with pytest.raises(Unauthorised) as refused:
            check(old, NOW + 2 * DAY)
        assert refused.value.code == "key"
        assert len(file.read(lambda conn: verifying_keys(conn, NOW + 3 * DAY))) == 1
        assert check(new, NOW + 3 * DAY).identity.role is Role.VIEWER


def test_the_private_half_of_an_old_key_is_gone(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        file.write_now(lambda conn: rotate_keys(conn, NOW + 1, counting(50)))
        kept = file.read(lambda conn: list(conn.execute("SELECT retired_at, private FROM signing_key")))
        assert sorted((at is None, private is None) for at, private in kept) == [(False, True), (True, False)]


def test_rotation_at_once_ends_what_was_signed(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        token = issued(file)
        file.write_now(lambda conn: rotate_keys(conn, NOW + 1, counting(50), at_once=True))
        with pytest.raises(Unauthorised) as refused:
            file.read(lambda conn: verify(conn, token, NOW + 1))
        assert refused.value.code == "key"


def test_without_keys_nothing_is_signed_or_rotated(tmp_path: Path) -> None:
    with hub_file(tmp_path, keys=False) as file:
        with pytest.raises(NoKeys):
            issued(file)
        with pytest.raises(NoKeys):
            file.write_now(lambda conn: rotate_keys(conn, NOW, counting()))
        assert file.read(hub_id) is None


def test_keys_of_long_ago_are_forgotten(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        for year in range(4):
            now = NOW + year * 400 * DAY
            file.write_now(lambda conn, now=now, year=year: rotate_keys(conn, now, counting(100 * year + 50)))
        assert len(file.read(list_keys)) == 2
