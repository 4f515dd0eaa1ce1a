"""Sessions and people: refresh tokens that are good once, ends that hold, passwords that cost."""

from pathlib import Path

import apsw
import argon2
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from daemons.ops.authority import sessions as s
from daemons.ops.authority.file import FILE_NAME, AuthorityFile
from daemons.ops.authority.identity import Identity, Role, Unauthorised
from daemons.ops.authority.keys import rotate_keys
from daemons.ops.authority.lockout import lock_out
from daemons.ops.authority.tokens import NameTaken, Proof, verify
from daemons.ops.authority.users import (
    PasswordQueueFull,
    Passwords,
    add_user,
    check_password,
    check_user_name,
    disable_user,
    enable_user,
    find_user,
    remove_user,
    set_password,
    set_rights,
)
from tests.daemons.ops.authority.forge import NOW, counting, hub_file

DAY = 86400.0
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Desk:
    """A hub with the user `anna`, her clock-free sign-in and refresh."""

    def __init__(self, file: AuthorityFile) -> None:
        self.file = file
        self.urandom = counting(2000)
        file.write_now(lambda conn: add_user(conn, "anna", "hash", Role.OPERATOR, ("field",), NOW))

    def start(self, now: float = NOW) -> s.Signed:
        identity = Identity("user", "anna", Role.OPERATOR, ("field",))
        return self.file.write_now(lambda conn: s.start_session(conn, identity, now, self.urandom))

    def refresh(self, token: str, now: float) -> s.Signed | Unauthorised:
        return self.file.write_now(lambda conn: s.refresh_session(conn, token, now, self.urandom))

    def good(self, token: str, now: float) -> s.Signed:
        signed = self.refresh(token, now)
        assert isinstance(signed, s.Signed)
        return signed

    def refused(self, token: str, now: float) -> str:
        refusal = self.refresh(token, now)
        assert isinstance(refusal, Unauthorised)
        assert token not in refusal.words
        return refusal.code

    def check(self, token: str, now: float) -> Proof:
        return self.file.read(lambda conn: verify(conn, token, now))


def test_a_session_from_sign_in_to_its_last_day(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        signed = desk.start()
        assert signed.expires_at == NOW + DAY
        now = NOW
        for _ in range(4):
            now += 6 * DAY
            signed = desk.good(signed.refresh, now)
            assert desk.check(signed.token, now).identity == signed.identity
        now = NOW + 29.5 * DAY
        signed = desk.good(signed.refresh, now)
        assert signed.expires_at == signed.refresh_expires_at == NOW + 30 * DAY
        with pytest.raises(Unauthorised):
            desk.check(signed.token, NOW + 30 * DAY)
        assert desk.refused(signed.refresh, NOW + 30 * DAY) == "expired"


def test_a_refresh_token_that_lies_for_a_week_is_over(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        assert desk.refused(desk.start().refresh, NOW + 7 * DAY) == "expired"


def test_a_refresh_token_used_twice_ends_the_session_for_thief_and_owner(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        first = desk.start()
        second = desk.good(first.refresh, NOW + 100)
        assert desk.refused(first.refresh, NOW + 111) == "replayed"
        assert desk.refused(second.refresh, NOW + 112) == "ended"
        with pytest.raises(Unauthorised) as refused:
            desk.check(second.token, NOW + 112)
        assert refused.value.code == "ended"


def test_one_much_older_ends_it_even_at_once(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        first = desk.start()
        third = desk.good(desk.good(first.refresh, NOW + 1).refresh, NOW + 2)
        assert desk.refused(first.refresh, NOW + 3) == "replayed"
        assert desk.refused(third.refresh, NOW + 3) == "ended"


def test_an_answer_that_was_lost_is_given_again(tmp_path: Path) -> None:
    """On a bad uplink the client asks again with the token it still has: within 10 s it gets the same successor."""
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        first = desk.start()
        lost = desk.good(first.refresh, NOW + 100)
        again = desk.good(first.refresh, NOW + 110)
        assert again.refresh == lost.refresh
        desk.good(again.refresh, NOW + 200)


def test_disabling_a_user_ends_their_sessions_and_enabling_does_not_bring_them_back(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        one, two = desk.start(), desk.start(NOW + 1)
        assert file.write_now(lambda conn: disable_user(conn, "anna", NOW + 2)) == 2
        assert file.write_now(lambda conn: enable_user(conn, "anna"))
        for signed in (one, two):
            assert desk.refused(signed.refresh, NOW + 3) == "ended"
            with pytest.raises(Unauthorised):
                desk.check(signed.token, NOW + 3)
        assert desk.check(desk.start(NOW + 4).token, NOW + 5).identity.name == "anna"
        assert file.write_now(lambda conn: disable_user(conn, "nobody", NOW)) is None


def test_another_password_ends_sessions(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        signed = desk.start()
        assert file.write_now(lambda conn: set_password(conn, "anna", "other", NOW + 1)) == 1
        assert desk.refused(signed.refresh, NOW + 2) == "ended"


def test_the_oldest_of_too_many_sessions_ends(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        signed = [desk.start(NOW + number) for number in range(s.PER_USER_MAX + 1)]
        assert desk.refused(signed[0].refresh, NOW + 60) == "ended"
        desk.good(signed[1].refresh, NOW + 60)
        live = file.read(lambda conn: s.live_sessions(conn, "anna", NOW + 60))
        assert len(live) == s.PER_USER_MAX


def test_a_session_goes_on_over_a_rotation_of_keys(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        signed = desk.start()
        file.write_now(lambda conn: rotate_keys(conn, NOW + 1, counting(700)))
        assert desk.check(signed.token, NOW + 2).identity.name == "anna"
        renewed = desk.good(signed.refresh, NOW + 3)
        assert renewed.token.split(".")[0] != signed.token.split(".")[0]
        desk.good(renewed.refresh, NOW + 5)


def test_who_has_a_copy_of_the_file_makes_no_refresh_token_once_keys_are_rotated_at_once(
    tmp_path: Path,
) -> None:
    with hub_file(tmp_path / "hub") as file:
        desk = Desk(file)
        signed, again = desk.start(), desk.start(NOW + 1)
        (tmp_path / "copy").mkdir()
        conn = apsw.Connection(str(file.path))
        conn.execute("VACUUM INTO ?", (str(tmp_path / "copy" / FILE_NAME),))
        conn.close()
        with hub_file(tmp_path / "copy", keys=False) as copy:
            thief = copy.write_now(
                lambda conn: s.refresh_session(conn, signed.refresh, NOW + 2, counting(5000))
            )
        assert isinstance(thief, s.Signed)
        assert (
            desk.check(thief.token, NOW + 2).identity.name == "anna"
        )  # what the copy makes is good here, until ...
        done = file.write_now(lambda conn: lock_out(conn, NOW + 3, counting(800)))
        assert done.sessions == 2
        for token in (signed.refresh, again.refresh, thief.refresh):
            assert desk.refused(token, NOW + 3) == "ended"
        for now in (NOW + 3, NOW - 60, NOW - DAY):  # a clock that is put back brings nothing back
            with pytest.raises(Unauthorised) as refused:
                desk.check(thief.token, now)
            assert refused.value.code == "key"
        assert (
            file.read(lambda conn: [why for (why,) in conn.execute("SELECT why FROM session")])
            == ["keys"] * 2
        )
        desk.good(desk.start(NOW + 4).refresh, NOW + 5)


def test_another_role_holds_at_once_and_a_refresh_says_it(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        signed = desk.start()
        file.write_now(lambda conn: set_rights(conn, "anna", Role.VIEWER, ("north", "field")))
        with pytest.raises(Unauthorised) as refused:
            desk.check(signed.token, NOW + 1)
        assert refused.value.code == "differs"
        renewed = desk.good(signed.refresh, NOW + 2)
        identity = desk.check(renewed.token, NOW + 3).identity
        assert (identity.role, identity.sites) == (Role.VIEWER, ("field", "north"))


def test_who_is_removed_is_out_also_when_the_name_comes_again(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        signed = desk.start()
        assert file.write_now(lambda conn: remove_user(conn, "anna", NOW + 1)) == 1
        assert file.write_now(lambda conn: remove_user(conn, "anna", NOW + 1)) is None
        file.write_now(lambda conn: add_user(conn, "anna", "hash", Role.OPERATOR, ("field",), NOW + 2))
        with pytest.raises(Unauthorised) as refused:
            desk.check(signed.token, NOW + 3)
        assert refused.value.code == "ended"
        assert desk.refused(signed.refresh, NOW + 3) == "ended"


@given(st.data())
def test_no_other_refresh_token_is_one(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    with hub_file(tmp_path_factory.mktemp("hub")) as file:
        desk = Desk(file)
        token = desk.start().refresh
        place = data.draw(st.integers(0, len(token) - 2))
        letter = data.draw(st.sampled_from("ABCabc019-_.=+").filter(lambda new: new != token[place]))
        changed = token[:place] + letter + token[place + 1 :]
        assert desk.refused(changed, NOW + 1) in ("malformed", "unknown", "signature")
        desk.good(token, NOW + 2)  # and a forger cannot end the session


def test_names_of_users_are_taken_once(tmp_path: Path) -> None:
    with hub_file(tmp_path) as file:
        desk = Desk(file)
        with pytest.raises(NameTaken):
            file.write_now(lambda conn: add_user(conn, "anna", "x", Role.VIEWER, ("*",), NOW))
        user = desk.file.read(lambda conn: find_user(conn, "anna"))
        assert user is not None
        assert "hash" not in repr(user)


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaaaa", "Anna.Example"])
def test_passwords_that_nobody_should_have(password: str) -> None:
    with pytest.raises(ValueError, match="password"):
        check_password(password, "anna.example")


@pytest.mark.parametrize("name", ["", "Anna", "a b", "-a", "a" * 65, "ä", "a\n"])
def test_names_that_nobody_has(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        check_user_name(name)


async def test_passwords_are_hashed_with_argon2id_and_checked_in_threads() -> None:
    passwords = Passwords()
    hashed = passwords.hash("correct horse é")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,")
    assert await passwords.matches(hashed, "correct horse e\u0301")  # another keyboard
    assert not await passwords.matches(hashed, "correct horse e")
    assert not await passwords.matches(None, "nobody has this password")
    assert not await passwords.matches("no hash", "x")


async def test_no_more_than_eight_wait_for_a_check() -> None:
    passwords = Passwords(hasher=CHEAP)
    hashed = passwords.hash("correct horse")
    async with trio.open_nursery() as nursery:
        async with passwords.limiter, trio.open_nursery() as others:
            await passwords.limiter.acquire_on_behalf_of("second")
            for _ in range(8):
                others.start_soon(passwords.matches, hashed, "correct horse")
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(PasswordQueueFull):
                await passwords.matches(hashed, "correct horse")
            passwords.limiter.release_on_behalf_of("second")
        nursery.cancel_scope.cancel()
