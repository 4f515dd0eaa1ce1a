"""What the pages of telemetry count and cut without a browser: tests/js/tel.js, joined as the pages are, run by node."""

import subprocess
from pathlib import Path

from daemons.web.assets import STATIC
from daemons.web.modules import join
from tests.nodejs import JS, node_program

ENTRY = "tel.js"
BROWSER = "globalThis.matchMedia = () => ({ matches: false });\n"


def test_rings_clocks_maps_scales_and_words(tmp_path: Path) -> None:
    node = node_program()
    script = tmp_path / "tel.mjs"
    joined = join(ENTRY, lambda name: (JS / name if name == ENTRY else STATIC / name).read_text())
    script.write_text(BROWSER + joined)
    done = subprocess.run([str(node), str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
