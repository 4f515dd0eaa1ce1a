"""The vocabulary of a daemon's config classes: options with their help, addresses, secrets.

A config class is a frozen attrs class whose fields are made by `option`. What a field says of itself (help,
bounds) is what the loader checks, what `pitlink config show` prints and what the docs are made of.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
from attrs import NOTHING, frozen

from daemons.ops.masking import MASK, keep_secret, mask_text

_KEY = "pitlink"

_BEFORE_AT = re.compile(r"(?<=//)\S*@|^(?:(?!//)\S)*@")
_DIGITS = re.compile(r"\b[0-9a-fA-F]{64}\b")


def shown(value: object) -> str:
    """Return a value for the words of an error, without what can be secret in it: users and passwords, tokens, keys."""
    text = _DIGITS.sub(MASK, _BEFORE_AT.sub(f"{MASK}@", str(value)))
    return mask_text(repr(text) if isinstance(value, str) else text)


@frozen
class Facts:
    """What an option says of itself. `check` raises ValueError in words a user understands."""

    help: str
    minimum: float | None = None
    maximum: float | None = None
    check: Callable[[Any], None] | None = None


def option(
    default: Any = NOTHING,
    *,
    help: str,  # noqa: A002
    factory: Callable[[], Any] | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    check: Callable[[Any], None] | None = None,
) -> Any:
    """Make a config field. `help` is one sentence, the bounds are inclusive; without a default it must be
    set.
    """
    facts = Facts(help, minimum, maximum, check)
    if factory is not None:
        return attrs.field(factory=factory, metadata={_KEY: facts})
    return attrs.field(default=default, metadata={_KEY: facts})


def section(cls: type, *, help: str) -> Any:  # noqa: A002
    """Make a config field that is a section of its own, by default `cls()`."""
    return option(factory=cls, help=help)


def facts_of(attribute: "attrs.Attribute[Any]") -> Facts:
    """Return what `option` was told, or nothing for a plain attrs field."""
    facts: Facts = attribute.metadata.get(_KEY, Facts(""))
    return facts


@frozen(repr=False)
class Secret:
    """A secret text that shows itself nowhere: not in repr, not in logs, not in `config show`.

    `source`: the file that it came from, if that is the operator's to guard.
    """

    text: str = ""
    source: Path | None = attrs.field(default=None, eq=False)

    def __attrs_post_init__(self) -> None:
        keep_secret(self.text)

    def __repr__(self) -> str:
        return "Secret(***)" if self.text else "Secret()"

    def __bool__(self) -> bool:
        return bool(self.text)


@frozen
class Address:
    """Where to listen: `127.0.0.1:8080`, `[::1]:8080`, `:8080` (every interface). Port 0 lets the system
    choose.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Raise ValueError unless `text` is host:port."""
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
            raise ValueError(f"expected host:port, such as 127.0.0.1:8080, got {shown(text)}")
        if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
            raise ValueError(f"an IPv6 address is written [::1]:8080, got {shown(text)}")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@frozen
class Leaf:
    """One option of a config class: its path (`http.idle_timeout_s`), attribute and type."""

    path: str
    attribute: "attrs.Attribute[Any]"
    type: Any

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "PITLINK_" + self.path.replace(".", "_").upper()


def leaves(cls: type, prefix: str = "") -> Iterator[Leaf]:
    """Yield every option of a config class, sections flattened behind what is in none, in the order of the class."""
    sections: list[tuple[type, str]] = []
    for attribute in attrs.fields(attrs.resolve_types(cls)):
        path = f"{prefix}{attribute.name}"
        kind = attribute.type
        if isinstance(kind, type) and attrs.has(kind) and kind not in (Secret, Address):
            sections.append((kind, f"{path}."))
        else:
            yield Leaf(path, attribute, kind)
    for kind, path in sections:
        yield from leaves(kind, path)
