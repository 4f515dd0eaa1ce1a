"""Joins the pages' ES modules into one file each, so that a phone asks once and not twenty times.

Done once at start from the files as they stand, and with no more understanding of JavaScript than this: a module's
imports are lines `import { names } from "/static/file.js";` without renaming, what it exports is declared where it is
exported, and no two modules that meet declare the same name at their top. Anything else is refused. Lines that are
only a comment stay behind: nobody reads them in a phone. Pure.
"""

import re
from collections.abc import Callable

__all__ = ["ModuleError", "join"]

_IMPORT = re.compile(r'^import \{ ([\w$, ]+) \} from "/static/([\w.-]+)";\n', re.MULTILINE)
_DECLARED = re.compile(r"^(export )?(?:async )?(?:function\*?|const|let|var|class) +([\w$]+)", re.MULTILINE)
_COMMENT = re.compile(r"^ *//.*\n", re.MULTILINE)
_REFUSED = re.compile(
    r"^(?:import\b.*|export (?!(?:async )?(?:function|const|let|class)\b).*)$", re.MULTILINE
)


class ModuleError(ValueError):
    """A module cannot be joined; says which and why."""


def join(entry: str, read: Callable[[str], str]) -> str:
    """Return one module that does what `entry` does. `read(name)` returns a module's text.

    ModuleError for what cannot be joined; what `read` raises passes through.
    """
    joined: list[str] = []
    exports: dict[str, set[str]] = {}
    owners: dict[str, str] = {}

    def add(name: str, importers: tuple[str, ...]) -> None:
        if name in importers:
            raise ModuleError(f"{name} imports itself by way of {', '.join(importers)}")
        if name in exports:
            return
        text = read(name)
        for names, other in _IMPORT.findall(text):
            add(other, (*importers, name))
            if missing := {part.strip() for part in names.split(",")} - exports[other]:
                raise ModuleError(f"{name} imports {sorted(missing)}, which {other} does not export")
        text = _COMMENT.sub("", _IMPORT.sub("", text))
        if "`" in text:  # a text of several lines may have one that looks like a comment
            raise ModuleError(f"{name} cannot be joined: it has a text in backticks")
        if refused := _REFUSED.search(text):
            raise ModuleError(f"{name} cannot be joined for this line: {refused[0]!r}")
        exports[name] = set()
        for is_exported, declared in _DECLARED.findall(text):
            if declared in owners:
                raise ModuleError(f"{name} and {owners[declared]} both declare {declared}")
            owners[declared] = name
            if is_exported:
                exports[name].add(declared)
        joined.append(f"// {name}\n" + _DECLARED.sub(_without_export, text))

    add(entry, ())
    return "\n".join(joined)


def _without_export(declaration: re.Match[str]) -> str:
    return declaration[0].removeprefix("export ")
