"""Which key does what, as an operator's own file has it: each binding has an id, and the file gives ids other keys.

[keys]
"app.freeze" = "F"
"row.down" = "down,n"
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen
from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from daemons.ops.errors import ConfigError, Problem
from tui.app.app import OperatorApp
from tui.app.keynames import named, why_not, written
from tui.app.pages import import_all
from tui.app.prompt import Prompt
from tui.app.view import View

__all__ = ["Bound", "all_bound", "keys_file", "list_keys", "own_keys", "read_keys"]

OWN = "tui."


@frozen
class Bound:
    """What a key does. `id`: as the file calls it; `keys`: as Textual calls them; `owners`: where it holds."""

    id: str
    words: str
    keys: tuple[str, ...]
    owners: tuple[type[DOMNode], ...]


def keys_file(environment: Mapping[str, str]) -> Path | None:
    """Return where the file is looked for: `pitlink/keys.toml` in the folder for configs; None for who has no home."""
    base = environment.get("XDG_CONFIG_HOME") or ""
    if not os.path.isabs(base):  # as its specification has it
        try:
            base = str(Path.home() / ".config")
        except RuntimeError:
            return None
    return Path(base) / "pitlink" / "keys.toml"


def own_keys(path: Path | None) -> dict[str, str]:
    """Return the keymap of an operator: of this file, or without one of the usual file if it is there. Raises ConfigError."""
    usual = keys_file(os.environ)
    found = path or usual
    if found is None or (path is None and not found.exists()):
        return {}
    return read_keys(found, all_bound(), is_needed=path is not None)


def all_bound() -> list[Bound]:
    """Return all bindings of the app, its screens and its widgets, those of the app first."""
    import_all()
    found: dict[str, Bound] = {}
    owners: list[type[DOMNode]] = [OperatorApp, *dict.fromkeys(_own_widgets(Widget))]
    for owner in owners:
        for binding in owner.__dict__.get("BINDINGS", ()):
            if not isinstance(binding, Binding) or not binding.id:
                raise TypeError(f"a binding of {owner.__name__} has no id: {binding!r}")
            keys = tuple(map(named, binding.key.split(",")))
            before = found.get(binding.id)
            if before is None:
                found[binding.id] = Bound(binding.id, binding.description, keys, (owner,))
            else:
                both = tuple(dict.fromkeys((*before.keys, *keys)))
                found[binding.id] = Bound(binding.id, before.words, both, (*before.owners, owner))
    return list(found.values())


def _own_widgets(kind: type[Widget]) -> Iterator[type[Widget]]:
    for one in kind.__subclasses__():
        if one.__module__.startswith(OWN):
            yield one
        yield from _own_widgets(one)


def read_keys(path: Path, bound: Sequence[Bound], *, is_needed: bool) -> dict[str, str]:
    """Return the keymap of a file, id to keys as Textual takes them; nothing of a file that is not there.

    Raises ConfigError with everything that is wrong with it. `is_needed`: a missing file is wrong too.
    """
    import tomllib  # few have a file

    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not is_needed:
            return {}
        raise ConfigError([Problem(str(path), "there is no such file")]) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        words = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise ConfigError([Problem(str(path), f"cannot be read: {words}")]) from exc
    problems = [
        Problem(f"{path}: {name}", "is not known", "everything stands under [keys]")
        for name in told
        if name != "keys"
    ]
    table = told.get("keys", {})
    if not isinstance(table, dict):
        raise ConfigError([*problems, Problem(f"{path}: keys", "must be a table", "[keys]")])
    keymap = _checked(path, table, {one.id: one for one in bound}, problems)
    problems += _clashes(path, keymap, bound)
    if problems:
        raise ConfigError(problems)
    return {name: ",".join(keys) for name, keys in keymap.items()}


def _checked(
    path: Path, table: Mapping[str, object], bound: Mapping[str, Bound], problems: list[Problem]
) -> dict[str, tuple[str, ...]]:
    """Return what of the table can be taken; add what is wrong with the rest."""
    from difflib import get_close_matches

    keymap = {}
    for name, given in table.items():
        place = f"{path}: keys.{name!r}"
        if name not in bound:
            near = get_close_matches(name, bound, 1)
            hint = f"did you mean {near[0]!r}?" if near else "pitlink tui --list-keys shows the ids"
            problems.append(Problem(place, "there is no such id", hint))
            continue
        if not isinstance(given, str) or not given.strip():
            problems.append(Problem(place, "must be a text with a key in it", 'such as "f" or "f,f5"'))
            continue
        keys = []
        for text in given.split(","):
            found = named(text)
            words = why_not(found, name) if found else "there is no such key"
            if not words and Prompt in bound[name].owners and (key_to_character(found) or "\n").isprintable():
                words = "is a text where something is typed"
            if words:
                hint = "letters, digits, signs, f1 to f10, space, arrows; the comma is called comma"
                problems.append(Problem(place, f"{text.strip()!r}: {words}", hint))
            else:
                keys.append(found)
        keymap[name] = tuple(keys)
    return keymap


def _clashes(path: Path, keymap: Mapping[str, tuple[str, ...]], bound: Sequence[Bound]) -> list[Problem]:
    """Return what the file gives a key that does something else in the same place."""
    problems = []
    for one, other in itertools.combinations(bound, 2):
        before = {*one.keys} & {*other.keys}
        now = {*keymap.get(one.id, one.keys)} & {*keymap.get(other.id, other.keys)}
        if now - before and any(_meet(a, b) for a in one.owners for b in other.owners):
            changed, kept = (one, other) if one.id in keymap else (other, one)
            keys = ", ".join(repr(written(key)) for key in sorted(now - before))
            words = f"{keys} is the key of {kept.id!r} ({kept.words}) too"
            problems.append(Problem(f"{path}: keys.{changed.id!r}", words, "give one of the two another key"))
    return problems


def _meet(one: type[DOMNode], other: type[DOMNode]) -> bool:
    """Can both hear the same key? What lies over a page keeps the page's keys from it; of the views one is shown."""
    if issubclass(one, other) or issubclass(other, one):
        return True
    over = [issubclass(kind, ModalScreen) for kind in (one, other)]
    if any(over):
        below = other if over[0] else one
        return not all(over) and not issubclass(below, App | Screen | View)
    return not (issubclass(one, View) and issubclass(other, View))


def list_keys(bound: Sequence[Bound], keymap: Mapping[str, str]) -> str:
    """Return all of it as such a file, to be saved and edited."""
    lines = [
        "# The keys of pitlink tui. Lines that were changed go into ~/.config/pitlink/keys.toml, or any file with --keys.",
        '# Several keys: "q,ctrl+c". The comma itself is called comma.',
        "[keys]",
    ]
    for one in bound:
        keys = keymap[one.id].split(",") if one.id in keymap else one.keys
        given = ",".join(map(written, keys)).replace("\\", "\\\\").replace('"', '\\"')
        line = f'"{one.id}" = "{given}"'
        lines.append(f"{line:40} # {one.words}")
    return "\n".join(lines)
