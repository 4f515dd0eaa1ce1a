"""Keys by name: as they are written in a file, as Textual calls them, and which of them come through everywhere."""

import string
from collections.abc import Mapping

from textual.keys import _character_to_key

__all__ = ["named", "shown_key", "why_not", "written"]

_SIGNS = {_character_to_key(sign): sign for sign in string.punctuation if sign != ","}
_NAMES = {
    *_SIGNS, "comma", "up", "down", "left", "right", "home", "end", "pageup", "pagedown", "insert", "delete",
    "backspace", "enter", "escape", "space", "tab", *(f"f{number}" for number in range(1, 25)),
}  # fmt: skip
_BY_CTRL = {
    "a": "GNU screen takes it",
    "b": "tmux takes it",
    "c": "it ends programs, this one too",
    "h": "it is the backspace key",
    "i": "it is the tab key",
    "j": "it is the enter key",
    "m": "it is the enter key",
    "q": "terminals take it to go on",
    "s": "terminals take it to stop",
    "v": "terminals take it to paste",
    "w": "browsers close their tab at it",
    "z": "it puts programs to sleep",
    "left_square_bracket": "it is the escape key",
    "backslash": "it ends programs",
}
F_MAX = 10


def named(text: str) -> str:
    """Return a key as Textual calls it; "" for what is none."""
    text = text.strip()
    if len(text) == 1:
        return _character_to_key(text) if text.isprintable() else ""
    modifiers, _, base = text.lower().rpartition("+")
    if not (base in _NAMES or (len(base) == 1 and base.isprintable() and modifiers)):
        return ""
    base = _character_to_key(base) if len(base) == 1 else base
    return f"{modifiers}+{base}" if modifiers else base


def written(key: str) -> str:
    """Return a key as one writes it into the file."""
    return _SIGNS.get(key, key)


def shown_key(keymap: Mapping[str, str], name: str, usual: str) -> str:
    """Return the key that a hint on the screen names for what is called so; `usual`: the one it has otherwise."""
    return written(keymap[name].partition(",")[0]) if name in keymap else usual


def why_not(key: str, name: str) -> str:
    """Say why nothing should be bound to a key, as Textual calls it; "" for a good one. `name`: the id of what wants it."""
    *modifiers, base = key.split("+")
    if {"alt", "meta", "option"} & {*modifiers}:
        return "Alt keys do not come through everywhere (macOS, tmux, a slow line)"
    if modifiers == ["ctrl"]:
        if (base, name) == ("c", "app.quit"):
            return ""
        is_letter = len(base) == 1 and base.isascii() and base.isalpha()
        return _BY_CTRL.get(base, "" if is_letter else "with Ctrl only letters come through everywhere")
    if modifiers == ["shift"] and base != "tab":
        return "write the capital" if len(base) == 1 else "with Shift it does not come through everywhere"
    if modifiers and modifiers != ["shift"]:
        return "with these keys held down it does not come through everywhere"
    if base[0] == "f" and base[1:].isdigit() and int(base[1:]) > F_MAX:
        return "terminals and systems take it (F11 fills the screen)"
    return ""
