"""What the pages of a house count and cut without a browser: tests/js/heat.js, joined as the pages are, run by node."""

import subprocess
from pathlib import Path

from daemons.web.assets import STATIC
from daemons.web.modules import join
from tests.nodejs import JS, node_program

ENTRY = "heat.js"


def test_units_times_weeks_graphs_and_streams(tmp_path: Path) -> None:
    node = node_program()
    script = tmp_path / "heat.mjs"
    script.write_text(join(ENTRY, lambda name: (JS / name if name == ENTRY else STATIC / name).read_text()))
    done = subprocess.run([str(node), str(script)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
