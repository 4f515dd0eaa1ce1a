"""What may be typed after `:`: a page, a site, or something to do here."""

from collections.abc import Sequence

from attrs import frozen

from tui.app.control import Control
from tui.app.pages import CHAOS, PAGES, page_named
from tui.model import Model

__all__ = ["Spoken", "offers", "understand"]

WORDS = {
    "quit": "quit", "q": "quit", "help": "help", "?": "help", "freeze": "freeze", "f": "freeze",
    "undo": "undo", "outcomes": "outcomes",
}  # fmt: skip


@frozen
class Spoken:
    """What was meant. `kind`: page, site, control, drill (`words`: its name or file), app, or unknown (`words`: why)."""

    kind: str
    words: str = ""
    daemon: str = ""
    site: str = ""
    control: Control | None = None


def offers(model: Model, here: Sequence[Control]) -> list[str]:
    """Return what Tab completes to."""
    pages = [page.name for page in PAGES if page.key]
    sites = [f"site {name}" for _, name in sorted(model.sites)]
    drills = [f"drill {one.drill}" for one in model.chaos.playables or () if not one.problem]
    return [
        *pages,
        "errors",
        *(control.name for control in here),
        *sites,
        *(drills or ["drill "]),
        "freeze",
        "help",
        "outcomes",
        "undo",
        "quit",
    ]


def understand(text: str, model: Model, here: Sequence[Control]) -> Spoken:
    """Return what was meant; for a control, `words` is what was typed after its name."""
    word, _, rest = text.strip().partition(" ")
    word, rest = word.lower(), rest.strip()
    if word in WORDS:
        return Spoken("app", WORDS[word])
    control = next((control for control in here if control.name == word), None)
    if control is not None and (rest or all(word != page.name for page in PAGES)):
        return Spoken("control", rest, control=control)
    if word in ("site", "s") and rest:
        return _site(rest, model)
    if word == "drill" and rest:
        return Spoken("drill", rest)
    page = page_named(word)
    if page is not None and page.name == CHAOS and rest:
        return Spoken("unknown", "nothing is done: put the cursor on a daemon or a site that may be broken")
    if page is not None:
        return Spoken("page", word)
    found = _site(text.strip(), model)
    return found if found.kind == "site" else Spoken("unknown", f"nothing here is called {word!r}")


def _site(name: str, model: Model) -> Spoken:
    """Find the site of this name, or that alone begins so. A hub knows more of a site than the site itself."""
    keys = [key for key in model.sites if key[1] == name]
    keys = keys or [key for key in model.sites if name and key[1].lower().startswith(name.lower())]
    if len({site for _, site in keys}) == 1:
        at_hubs = [key for key in keys if _is_hub(key[0], model)]
        keys = at_hubs or keys
    if len(keys) == 1:
        return Spoken("site", daemon=keys[0][0], site=keys[0][1])
    if not keys:
        return Spoken("unknown", f"no site is called {name!r}")
    each = ", ".join(f"{site} at {daemon}" for daemon, site in sorted(keys))
    return Spoken("unknown", f"{name!r} may be {each}: Enter on the overview opens one")


def _is_hub(daemon: str, model: Model) -> bool:
    view = model.daemons.get(daemon)
    return view is not None and view.is_hub
