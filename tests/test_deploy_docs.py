"""What docs/deploy.md tells people to paste, judged by the programs that will read it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


def _blocks(kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```", (DOCS / "deploy.md").read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return found


@pytest.mark.process
@pytest.mark.parametrize("rules", _blocks("nft"))
def test_the_firewalls_rules_are_rules(rules: str) -> None:
    nft = shutil.which("nft")
    if nft is None:
        pytest.skip("no nft here")
    judged = subprocess.run(
        [nft, "-c", "-f", "-"], input=rules, capture_output=True, text=True, timeout=30, check=False
    )
    if judged.returncode and "not permitted" in judged.stderr:
        pytest.skip("nft may not ask the kernel here")
    assert judged.returncode == 0, judged.stderr


@pytest.mark.process
@pytest.mark.parametrize("text", _blocks("wg"))
def test_the_vpns_files_are_read_by_wireguards_own_program(text: str, tmp_path: Path) -> None:
    quick, wg = shutil.which("wg-quick"), shutil.which("wg")
    if quick is None or wg is None:
        pytest.skip("no wireguard-tools here")
    private = subprocess.run([wg, "genkey"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run([wg, "pubkey"], input=private, capture_output=True, text=True, check=True).stdout
    filled = re.sub(r"\w+_PRIVATE_KEY", private.strip(), re.sub(r"\w+_PUBLIC_KEY", public.strip(), text))
    file = tmp_path / "wg0.conf"
    file.touch(mode=0o600)
    file.write_text(filled)
    stripped = subprocess.run([quick, "strip", str(file)], capture_output=True, text=True, check=False)
    assert stripped.returncode == 0, stripped.stderr
    assert public.strip() in stripped.stdout
    assert "Address" not in stripped.stdout  # what wg-quick itself takes, wg does not know


def test_the_proxies_of_the_docs_are_the_files_that_are_tried() -> None:
    text = (DOCS / "deploy.md").read_text()
    for name in re.findall(r"\]\((proxy/[^)]+)\)", text):
        assert (DOCS / name).is_file()
