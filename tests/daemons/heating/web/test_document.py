"""A foreign program reads the document of the API and finds it to be as it says: schemathesis, which knows nothing of this
project, tries every operation but the stream, as an operator; with more examples: PITLINK_API_EXAMPLES."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.aside import open_aside
from tests.daemons.race.apicheck import CONFIG

from .houses import make_house
from .stand import Stand, fill_history, open_stand

EXAMPLES = os.environ.get("PITLINK_API_EXAMPLES", "1")
HOOKS = """
import schemathesis

KNOWN = {"house": "lodge", "zone": "kitchen", "id": "7"}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    # Most of what is asked is asked of what there is.
    given = path_parameters or {}
    return {name: KNOWN[name] if len(str(value)) % 4 else value for name, value in given.items()}


@schemathesis.hook
def map_query(context, query):
    # That the end is behind the begin no schema can say.
    if isinstance(query, dict) and isinstance(query.get("from"), int | float):
        begin = min(query["from"], 4e9)
        query = {**query, "from": begin, "to": begin + 86400}
    return query
"""


@pytest.mark.process
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    house = make_house()
    fill_history(house, days=1, events=5)
    house.letters = [{"id": "7", "at": 1.7e9, "words": "of another version"}]
    (tmp_path / "heathooks.py").write_text(HOOKS)
    with open_aside(lambda: open_stand([house])) as stand:
        stand.wait(Stand.serve)
        page, token = stand.call(lambda here: (here.page, here.tokens["operator"]))
        command = [
            str(Path(sys.executable).parent / "schemathesis"), "--config-file", str(CONFIG),
            "run", f"{page}/api/houses/openapi.json", "--url", page, "--exclude-operation-id", "stream",
            "--header", f"Authorization: Bearer {token}", "--checks", "all", "--max-examples", EXAMPLES, "--seed", "1",
            "--phases", "fuzzing", "--no-color", "--generation-database", "none", "--workers", "1",
        ]  # fmt: skip
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "heathooks", "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
        )
    assert done.returncode == 0, done.stdout[-6000:]
