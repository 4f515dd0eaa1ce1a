"""`pitlink chaos drill` where nothing is done: the timeline, and what is wrong with a file."""

from pathlib import Path

import pytest

from daemons.commands.chaos_drill import drill
from daemons.ops.errors import ConfigError

DRILL = """
proves = "A connection that is reset comes back."
[[steady]]
probe = "connected"
at_least = 1
[[step]]
at = 0.2
for = 0.2
fault = "reset_peer"
"""


def refused(*arguments: str, against: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        drill(*arguments, against=against)
    return str(caught.value)


def test_a_dry_run_shows_the_timeline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "short.toml"
    file.write_text(DRILL)
    assert drill(str(file), dry_run=True) == 0
    told = capsys.readouterr().out
    assert "    0.2s     0.4s  reset_peer on uplink" in told
    assert "steady before and after: connected at least 1" in told


def test_all_mistakes_of_a_file_are_said(tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text(DRILL.replace("reset_peer", "gremlins").replace('"connected"', '"luck"'))
    told = refused(str(file))
    assert "fault: 'gremlins' is none of" in told
    assert "probe: 'luck' is none of" in told
    file.write_text("step = ")
    assert "is no TOML" in refused(str(file))
    assert "there is no such drill" in refused("no-such-drill")


def test_all_mistakes_of_the_file_of_daemons_are_said(tmp_path: Path) -> None:
    file, against = tmp_path / "short.toml", tmp_path / "club.toml"
    file.write_text(DRILL)
    against.write_text('[pits]\nat = 3\n[relay]\napi = "x"\ncolour = "red"\n')
    told = refused(str(file), against=against)
    for words in (
        "site: must be the site's name at the hub",
        "pits.at: must be a text",
        "[cloud]: is missing",
        "relay.uplink: is missing",
        "relay.colour: there is no such key",
    ):
        assert words in told


def test_a_dry_run_reads_the_file_of_daemons_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, against = tmp_path / "short.toml", tmp_path / "club.toml"
    file.write_text(DRILL)
    against.write_text(
        'site = "north"\n[pits]\nat = "pits"\n[cloud]\nat = "hub"\n[relay]\napi = "r.sock"\nuplink = "relay"\n'
    )
    assert drill(str(file), against=against, dry_run=True) == 0
    assert capsys.readouterr().out.startswith("on north and hub (club.toml):\n")
    file.write_text(DRILL + '[[step]]\nname = "hub dies"\nat = 9\nfault = "kill"\ntarget = "hub"\n')
    with pytest.raises(ConfigError, match="hub dies: kill of hub is for a ground of the drill's own"):
        drill(str(file), against=against)
    against.write_text('site = "north"\n')
    with pytest.raises(ConfigError, match=r"\[relay\]: is missing"):
        drill(str(file), against=against, dry_run=True)


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_broken(tmp_path: Path) -> None:
    file = tmp_path / "short.toml"
    file.write_text(DRILL)
    with pytest.raises(ConfigError, match="--report: there can be no folder"):
        drill(str(file), report=file / "reports")
