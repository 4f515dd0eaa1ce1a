"""Writing systemd files: what is filled in, what is left alone, and what could not run."""

import sys
from pathlib import Path

import pytest

from daemons.ops.errors import ConfigError, RefusedToStart
from daemons.ops.units import hidden_places, unit_files, write_units

ROOT = Path(__file__).parents[3]


def test_the_program_and_the_certificate_are_filled_in() -> None:
    files = unit_files(
        "cloud",
        tls=(Path("/etc/letsencrypt/c.pem"), Path("/etc/letsencrypt/k.pem")),
        program=Path("/srv/p/.venv/bin/pitlink"),
        home=ROOT,
    )
    texts = {str(file.path): file.text for file in files}
    unit = texts["etc/systemd/system/pitlink-cloud.service"]
    assert "ExecStart=/srv/p/.venv/bin/pitlink cloud --config" in unit
    assert f"Documentation=file://{ROOT}/docs/cloud.md" in unit
    assert "/opt/" not in unit
    without = unit_files("cloud", home=Path("/srv/nothing"))[0].text
    assert "Documentation" not in without
    drop_in = texts["etc/systemd/system/pitlink-cloud.service.d/tls.conf"]
    assert "LoadCredential=cert.pem:/etc/letsencrypt/c.pem" in drop_in
    assert "LoadCredential=key.pem:/etc/letsencrypt/k.pem" in drop_in


def test_an_instance_has_a_template_and_a_state_folder() -> None:
    paths = {str(file.path): file.text for file in unit_files("pits", instance="north")}
    assert "etc/systemd/system/pitlink-pits@.service" in paths
    assert "/var/lib/pitlink-pits-north 0700 pitlink-pits" in paths["etc/tmpfiles.d/pitlink-pits-north.conf"]


def test_what_has_no_instances_or_no_tls_says_so() -> None:
    with pytest.raises(ConfigError, match="only pits"):
        unit_files("cloud", instance="north")
    with pytest.raises(ConfigError, match="only cloud"):
        unit_files("pits", tls=(Path("c"), Path("k")))


def test_writing_again_changes_nothing_and_what_was_changed_by_hand_is_kept(tmp_path: Path) -> None:
    files = unit_files("pits")
    written = write_units(files, tmp_path, replace=False)
    assert [path.relative_to(tmp_path) for path in written] == [file.path for file in files]
    assert all(path.stat().st_mode & 0o777 == 0o644 for path in written)
    assert write_units(files, tmp_path, replace=False) == []
    unit = written[0]
    unit.write_text("mine")
    with pytest.raises(RefusedToStart, match="drop-in"):
        write_units(files, tmp_path, replace=False)
    assert unit.read_text() == "mine"
    assert write_units(files, tmp_path, replace=True) == [unit]
    assert unit.with_name(unit.name + ".old").read_text() == "mine"
    assert not list(tmp_path.rglob("*.part"))


def test_a_program_that_a_service_would_not_see_is_named() -> None:
    assert any("does not see" in words for words in hidden_places(Path("/home/me/pitlink/.venv/bin/pitlink")))
    assert any("is not there" in words for words in hidden_places(Path("/opt/nowhere/bin/pitlink")))
    if sys.platform == "linux":
        assert any(
            "chmod o+x /proc/self/fd" in words for words in hidden_places(Path("/proc/self/fd/program"))
        )
