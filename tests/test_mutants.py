"""Every patch of the mutants fits the source as it is, and leaves Python."""

import ast
import shutil
from pathlib import Path

from tests.mutants.catalogue import MUTANTS

ROOT = Path(__file__).parents[1]


def test_every_patch_fits(tmp_path: Path) -> None:
    assert len({one.name for one in MUTANTS}) == len(MUTANTS) >= 20
    for one in MUTANTS:
        root = tmp_path / one.name
        for file in {edit.file for edit in one.edits}:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, root / file)
        for edit in one.edits:
            edit.apply(root)
        for file in {edit.file for edit in one.edits}:
            ast.parse((root / file).read_text())
        assert all((ROOT / path).exists() for path in one.tests)
