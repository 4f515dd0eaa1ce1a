"""`pitlink site` and `pitlink enroll`: what they print, what they refuse, and that no secret stays in the open."""

import io
import os
import re
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons import cli
from daemons.ops.authority import audit, keys, sites
from daemons.ops.authority.sitekey import KEY_FILE, load_site_key
from daemons.ops.errors import ConfigError, RefusedToStart
from tests.whole.hubs import authority_of, open_joined

Say = Callable[..., str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Give a command to the command line, in this process; return what it printed."""

    def run(*arguments: str) -> str:
        capsys.readouterr()
        assert cli.app(list(arguments), exit_on_error=False, result_action="return_value") == 0
        return capsys.readouterr().out

    return run


async def test_a_site_is_let_in_enrols_and_is_put_out_while_the_hub_runs(tmp_path: Path, say: Say) -> None:
    pits = tmp_path / "pits"
    async with open_joined(tmp_path) as joined:
        state = ("--state-dir", str(joined.folder))
        address = f"http://127.0.0.1:{joined.port}"

        async def enroll(code: str) -> str:
            return await trio.to_thread.run_sync(
                say, "enroll", address, "--code", code, "--state-dir", str(pits)
            )

        added = say("site", "add", "late", *state)
        code = added.splitlines()[0]
        assert re.fullmatch(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", code)
        assert "pitlink enroll HUB\n" in added and added.count(code) == 1
        assert "not enrolled, a code is open" in say("site", "list", *state)
        await joined.until(lambda: "late" in joined.cloud.members, 1.0)
        with pytest.raises(RefusedToStart, match="this code is not known"):
            await enroll("0000-0000-0000")
        told = await enroll(code.lower())
        assert f"pitlink pits --site late --cloud-url ws{address[4:]}" in told
        assert f"pitlink boiler --site late --nas-url ws{address[4:]}" in told
        with pytest.raises(RefusedToStart, match="has a key already"):
            await enroll(code)
        key = load_site_key(pits / KEY_FILE)
        assert key is not None
        assert stat.S_IMODE((pits / KEY_FILE).stat().st_mode) == 0o600
        listed = say("site", "list", *state)
        assert re.search(r"late +\d{4}-\d\d-\d\d \d\d:\d\d UTC  key$", listed, re.MULTILINE)
        assert "Site late is out" in say("site", "revoke", "late", *state)
        assert re.search(r"late .*revoked", say("site", "list", *state))
        with pytest.raises(RefusedToStart, match="there is no site 'nobody'"):
            say("site", "revoke", "nobody", *state)
        rows = joined.cloud.authority.read(audit.rows)
        assert [row.entry.action for row in rows][-3:] == ["site.add", "site.enrol", "site.revoke"]
        assert rows[-1].entry.who.startswith("unix ")
        assert code not in str(rows)


def test_versions_and_certificates_are_asked_for(tmp_path: Path, say: Say) -> None:
    state = ("--state-dir", str(tmp_path))
    with authority_of(tmp_path) as file:
        file.write_now(lambda conn: keys.init_keys(conn, time.time(), os.urandom))
    assert "with its client certificate" in say("site", "add", "field", "--certificate", *state)
    assert "at least 0.2.0" in say("site", "min-version", "0.2.0", *state)
    say("site", "min-version", "0.3", "--site", "field", *state)
    listed = say("site", "list", *state)
    assert "certificate  at least 0.3" in listed
    assert "All sites: at least 0.2.0" in listed
    assert "any version" in say("site", "min-version", "any", *state)
    say("site", "add", "field", "--fingerprint", ":".join(["ab"] * 32), *state)
    assert "pinned" in say("site", "list", *state)
    for refused, arguments in [
        (RefusedToStart, ("min-version", "0.3", "--site", "nobody")),
        (ConfigError, ("min-version", "newest")),
        (ConfigError, ("add", "field", "--fingerprint", "abc")),
        (ConfigError, ("add", "Field!")),
    ]:
        with pytest.raises(refused):
            say("site", *arguments, *state)
    with authority_of(tmp_path) as file:
        assert file.read(sites.list_sites)[0].min_version == "0.3"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("http://cloud.example.org", "--code", "0000-0000-0000"), "without TLS anybody on the way"),
        (("https://127.0.0.1:1", "--code", "nonsense"), "a code has 12 letters and digits"),
        (("https://127.0.0.1:1",), "the hub's operator gets one"),
        (("ftp://x", "--code", "0000-0000-0000"), "is not the address of a hub"),
        (("https://127.0.0.1:1", "--code", "0000-0000-0000"), "is not reached"),
    ],
)
def test_enroll_says_what_is_wrong(
    tmp_path: Path, say: Say, arguments: tuple[str, ...], words: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises((ConfigError, RefusedToStart), match=words):
        say("enroll", *arguments, "--state-dir", str(tmp_path))
