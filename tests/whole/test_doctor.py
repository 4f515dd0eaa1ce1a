"""The doctor at the bedside of whole daemons: well ones, stopped ones, and ones that are not let in."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypeVar

import pytest
import trio
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from chaos.doubles.fpvtrackside import EventTree
from daemons.ops.authority import keys, sites
from daemons.ops.authority.sitekey import KEY_FILE, SiteKey, save_site_key
from daemons.ops.config import load_config
from daemons.ops.doctor.finding import Finding, Verdict
from daemons.ops.options import Address, Secret
from daemons.ops.tokens import TOKENS_FILE
from daemons.race.config import CloudConfig, PitsConfig
from daemons.race.doctor import examine_cloud, examine_pits
from tests.whole.stage import SITE, Stage, open_stage

C = TypeVar("C")

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"


def tree() -> EventTree:
    return EventTree({f"/events/{EVENT}/Event.json": b"[]", "httpfiles/Channels.json": b"[]"})


async def _pits(stage: Stage, *, token: str | None = None) -> dict[str, Finding]:
    """Examine the site of the stage, at the port that it has or would have."""
    port = stage.pits.front.ports[0] if stage.pits.front else 0
    config = evolve(stage.pits_config, listen=Address("127.0.0.1", port))
    if token is not None:
        config = evolve(config, token=Secret(token))
    found: list[Finding] = []
    await examine_pits(config, found.append, thorough=False)
    return {finding.check: finding for finding in found}


def _enrol(stage: Stage) -> None:
    """Give the site a key of its own at the hub."""
    key = Ed25519PrivateKey.generate()
    hub = stage.cloud.authority.write_now(lambda conn: keys.make_hub_id(conn, os.urandom))
    code = stage.cloud.authority.write_now(lambda conn: _code(conn))
    stage.cloud.authority.write_now(
        lambda conn: sites.enrol(conn, code, key.public_key().public_bytes_raw(), 2.0)
    )
    save_site_key(stage.pits_config.state_dir / KEY_FILE, SiteKey(key, SITE, hub))


def _code(conn: object) -> str:
    sites.add_site(conn, SITE, 1.0)  # type: ignore[arg-type]
    return sites.make_code(conn, SITE, 1.0, os.urandom, 60.0)  # type: ignore[arg-type]


async def test_a_site_that_is_well_and_its_link_is_left_alone(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        await stage.until(lambda: stage.pits.origin.state == "up")
        before = stage.cloud.members[SITE].site.peer.connection
        found = await _pits(stage)
        assert not [finding for finding in found.values() if finding.verdict is Verdict.BAD], found
        assert found["daemon"].verdict is found["origin"].verdict is found["key"].verdict is Verdict.GOOD
        assert "connected already" in found["key"].words
        assert stage.cloud.members[SITE].site.peer.connection is before


async def test_files_of_secrets_that_others_can_read_are_found(tmp_path: Path) -> None:
    key_file, token_file = tmp_path / "storage.key", tmp_path / "token"
    for path in (key_file, token_file):
        path.write_text("a1" * 32)
        path.chmod(0o644)
    hub = _load(CloudConfig, f'state_dir = "{tmp_path}/hub"\n[storage]\nkey_file = "{key_file}"', tmp_path)
    site = _load(PitsConfig, f'state_dir = "{tmp_path}/site"\ntoken_file = "{token_file}"', tmp_path)
    for mode, verdict in ((0o644, Verdict.BAD), (0o600, Verdict.GOOD)):
        found: list[Finding] = []
        for path in (key_file, token_file):
            path.chmod(mode)
        await examine_cloud(evolve(hub, listen=Address("127.0.0.1", 1)), found.append, thorough=False)
        await examine_pits(evolve(site, listen=Address("127.0.0.1", 1)), found.append, thorough=False)
        told = {finding.check: finding for finding in found}
        assert (told["storage.key"].verdict, told["token"].verdict) == (verdict, verdict)
        if verdict is Verdict.BAD:
            assert told["storage.key"].remedy == f"chmod 600 {key_file}"


def _load(cls: type[C], text: str, folder: Path) -> C:
    file = folder / "pitlink.toml"
    file.write_text(text)
    return load_config(cls, file, environ={}, closed=False)


async def test_a_site_that_is_stopped_and_what_it_proves_itself_with(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        await stage.stop_pits()
        by_token = await _pits(stage)
        assert by_token["daemon"].verdict is Verdict.WARNING
        assert by_token["origin"].verdict is Verdict.GOOD  # asked directly now
        assert by_token["key"].verdict is Verdict.WARNING
        assert "accepts this site's token" in by_token["key"].words
        wrong = (await _pits(stage, token="pl_wrong"))["key"]
        assert (wrong.verdict, "pl_wrong" in wrong.words + wrong.remedy) == (Verdict.BAD, False)
        nothing = (await _pits(stage, token=""))["key"]
        assert nothing.verdict is Verdict.BAD
        assert "pitlink enroll" in nothing.remedy
        _enrol(stage)
        by_key = await _pits(stage)
        assert by_key["key"].verdict is by_key["key file"].verdict is Verdict.GOOD, by_key
        assert "accepts this site's key" in by_key["key"].words
        stage.cloud.authority.write_now(lambda conn: sites.revoke_site(conn, SITE, 3.0))
        with trio.fail_after(10):
            while (revoked := (await _pits(stage))["key"]).verdict is not Verdict.BAD:
                await trio.sleep(0.05)
        assert "does not let this site in" in revoked.words
        (stage.pits_config.state_dir / KEY_FILE).chmod(0o644)
        readable = await _pits(stage)
        assert readable["key file"].verdict is Verdict.BAD
        assert f"chmod 600 {stage.pits_config.state_dir / KEY_FILE}" in readable["key file"].remedy


async def test_a_hub_that_is_well_and_one_whose_port_has_another_program(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        port = int(stage.page.rpartition(":")[2])
        found: list[Finding] = []
        config = evolve(stage.cloud.config, listen=Address("127.0.0.1", port))
        await examine_cloud(config, found.append, url=stage.page, has_tokens=True, thorough=False)
        by_check = {finding.check: finding for finding in found}
        assert not [finding for finding in found if finding.verdict is Verdict.BAD], found
        # by the admin socket: the port has no words
        assert "old bearer tokens" in by_check["bearer-tokens"].words
        for check in ("daemon", "hub", "clock", "upgrade", "live pages"):
            assert by_check[check].verdict is Verdict.GOOD, by_check[check]
        pits_port = stage.pits.front.ports[0] if stage.pits.front else 0
        found.clear()
        await examine_cloud(
            evolve(config, listen=Address("127.0.0.1", pits_port)), found.append, has_tokens=True
        )
        [daemon] = [finding for finding in found if finding.check == "daemon"]
        assert daemon.verdict is Verdict.BAD
        assert "another program" in daemon.words


@pytest.mark.process
def test_the_command_prints_findings_for_people_and_programs_and_its_exit_code_tells(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "daemons.cli", "doctor"]
    hub = ["hub", "--quick", "--state-dir", str(tmp_path / "hub")]
    told = subprocess.run([*command, *hub], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    assert f"pitlink keys init --state-dir {tmp_path / 'hub'}" in told.stdout
    assert told.stdout.rstrip().endswith("Something is BAD.")
    as_data = subprocess.run(
        [*command, *hub, "--json"], capture_output=True, text=True, timeout=60, check=False
    )
    rows = [json.loads(line) for line in as_data.stdout.splitlines()]
    assert {"check", "verdict", "words", "remedy"} == set(rows[0])
    assert "keys" in [row["check"] for row in rows if row["verdict"] == "bad"]
    assert not (tmp_path / "hub" / TOKENS_FILE).exists()
    wrong = subprocess.run(
        [*command, "hub", "--url", "ftp://x"], capture_output=True, text=True, timeout=60, check=False
    )
    assert wrong.returncode == 2
