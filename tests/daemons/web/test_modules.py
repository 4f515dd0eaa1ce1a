"""Modules joined into one file: what that makes of them, and what is refused."""

import gzip
from pathlib import Path

import pytest

from daemons.web.assets import PAGES, read_assets
from daemons.web.modules import ModuleError, join

FILES = {
    "app.js": 'import { a, b } from "/static/one.js";\nimport { c } from "/static/two.js";\n\na(b, c);\n',
    "one.js": 'import { c } from "/static/two.js";\nexport function a() {\n  return c;\n}\nexport const b = 1;\n',
    "two.js": (
        "// What it is for.\nexport let c = 2; // seen\nexport async function d() {}\n"
        '  // why\nconst inner = "export const e";\n'
    ),
}


def test_what_is_imported_stands_before_who_imports_it_and_once() -> None:
    joined = join("app.js", FILES.__getitem__)
    assert joined == (
        '// two.js\nlet c = 2; // seen\nasync function d() {}\nconst inner = "export const e";\n\n'
        "// one.js\nfunction a() {\n  return c;\n}\nconst b = 1;\n\n"
        "// app.js\n\na(b, c);\n"
    )


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("two.js", "export const c = 1;\nfunction a() {}\n", "one.js and two.js both declare a"),
        ("two.js", "const c = 1;\n", "does not export"),
        ("two.js", 'import { a } from "/static/one.js";\nexport const c = a;\n', "imports itself"),
        ("two.js", 'import * as x from "/static/one.js";\nexport const c = x;\n', "cannot be joined"),
        ("app.js", 'import { a as x } from "/static/one.js";\nx();\n', "does not export"),
        ("two.js", "export default 1;\nexport const c = 1;\n", "cannot be joined"),
        ("two.js", "const c = 1;\nexport { c };\n", "cannot be joined"),
        ("two.js", "export const c = `\n// one\n`;\n", "backticks"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_words(name: str, text: str, words: str) -> None:
    with pytest.raises(ModuleError, match=words):
        join("app.js", {**FILES, name: text}.__getitem__)


def test_files_that_name_each_other_in_a_ring_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text('"/static/b.css"')
    (tmp_path / "b.css").write_text('"/static/a.css"')
    with pytest.raises(ModuleError, match="refers to itself"):
        read_assets(tmp_path)


def test_a_phone_asks_for_three_files_and_few_bytes() -> None:
    files = read_assets().files
    page = gzip.decompress(files["index.html"].packed).decode()
    assert page.count("/static/app.js?v=") == page.count("/static/pages.css?v=") == 1
    assert "import " not in files["app.js"].body.decode().split("// app.js")[1]
    scripts = sum(len(files[name].packed) for name in ("app.js", "overlay.js", "sw.js"))
    assert scripts < 25 * 1024
    assert sum(len(files[name].packed) for name in ("index.html", "app.js", "pages.css")) < 25 * 1024


def test_what_is_imported_is_named_by_its_content_too() -> None:
    files = read_assets().files
    for name in ("link.js", "sw.js"):
        text = files[name].body.decode()
        assert '.js"' not in text, name
        assert f'"/static/clock.js?v={files["clock.js"].version}"' in text or name == "sw.js"
    assert f'"/static/app.js?v={files["app.js"].version}"' in files["sw.js"].body.decode()
    assert set(PAGES.values()) <= files.keys()
