"""Configuration: a TOML file, then the environment, then flags, into a frozen attrs class; every error at once.

What an option may be, its class says (`daemons.ops.options`). The environment's names are made of the path:
`fetch.timeout_s` is PITLINK_FETCH_TIMEOUT_S. Secrets come from the environment, from a file named by
`<option>_file`, or from systemd's credentials. A file with a secret must be closed to others, the TOML file too.
Nothing that is said of a wrong value shows a secret.
"""

import difflib
import os
import re
import stat
import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, TypeVar, Union, get_args, get_origin, runtime_checkable

import attrs

from daemons.ops.errors import ConfigError, Problem
from daemons.ops.options import Address, Leaf, Secret, facts_of, leaves, shown
from daemons.ops.secretfile import is_credential, read_secret

__all__ = ["describe", "load_config", "secret_files"]

C = TypeVar("C")

_PREFIX = "PITLINK_"
_NOT_CONFIG = frozenset(
    {"PITLINK_SAMPLES", "PITLINK_PYTHON", "PITLINK_CONFIG", "PITLINK_SIM_SEED", "PITLINK_SIM_TRACE"}
)
_MISSING = object()


def load_config(
    cls: type[C],
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    agree: bool = True,
    closed: bool = True,
) -> C:
    """Return the configuration. `flags` by path ("fetch.timeout_s"), None meaning not given.

    Without `agree` options may contradict each other: for commands that use a few of them. Without `closed` others may
    be able to read files of secrets: for the doctor, who looks at them himself.

    Raises ConfigError with every problem: where, what, and a hint.
    """
    environ = os.environ if environ is None else environ
    problems: list[Problem] = []
    known = {leaf.path: leaf for leaf in leaves(cls)}
    given: dict[str, Any] = {}
    if file is not None:
        given.update(_from_file(file, known, problems, environ, closed=closed))
    given.update(_from_environment(environ, known, problems, closed=closed))
    for path, value in (flags or {}).items():
        if value is not None:
            given[path] = _convert(
                known[path], value, f"--{path.rpartition('.')[2].replace('_', '-')}", problems
            )
    values = {path: value for path, value in given.items() if value is not _MISSING}
    for path, leaf in known.items():
        if path in values:
            _check(leaf, values[path], problems)
        elif leaf.attribute.default is attrs.NOTHING:
            problems.append(
                Problem(path, "is not set", f"set it in the file, as {leaf.variable}, or by a flag")
            )
    if problems:
        raise ConfigError(problems)
    config = _build(cls, values, "")
    if agree and isinstance(config, _Agreeing) and (disagreements := list(config.problems())):
        raise ConfigError(disagreements)
    return config


@runtime_checkable
class _Agreeing(Protocol):
    """A config class whose options may contradict each other."""

    def problems(self) -> Iterable[Problem]: ...


def describe(config: object) -> Iterator[str]:
    """Yield a configuration as the lines of a TOML file, each option with its help; secrets masked."""
    section = ""
    for leaf in leaves(type(config)):
        value = _value(config, leaf.path)
        table, _, name = leaf.path.rpartition(".")
        if table != section:
            section = table
            yield f"\n[{table}]"
        line = f"# {name} is not set" if value is None else f"{name} = {_toml(value)}"
        yield f"{line:44}  # {facts_of(leaf.attribute).help}"


def secret_files(config: object) -> Iterator[tuple[str, Path]]:
    """Yield the option and the file of each secret that came from a file of its own."""
    for leaf in leaves(type(config)):
        value = _value(config, leaf.path)
        if isinstance(value, Secret) and value.source is not None:
            yield leaf.path, value.source


def _value(config: object, path: str) -> object:
    for name in path.split("."):
        config = getattr(config, name)
    return config


# --- where values come from ----------------------------------------------------------------------------------------


def _from_file(
    file: Path,
    known: Mapping[str, Leaf],
    problems: list[Problem],
    environ: Mapping[str, str],
    *,
    closed: bool,
) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            table = tomllib.load(stream)
    except FileNotFoundError:
        problems.append(Problem(str(file), "there is no such file", "--config names another one"))
        return {}
    except UnicodeDecodeError as exc:
        problems.append(Problem(str(file), f"cannot be read: it is no UTF-8 (at byte {exc.start})"))
        return {}
    except (OSError, tomllib.TOMLDecodeError) as exc:
        problems.append(Problem(str(file), f"cannot be read: {exc}"))
        return {}
    values: dict[str, Any] = {}
    for path, value in _flatten(table, "", known):
        leaf = known.get(path)
        base = path.removesuffix("_file")
        if leaf is None and base in known and known[base].type is Secret:
            values[base] = _secret_file(value, f"{file}: {path}", problems, environ, closed=closed)
        elif leaf is None:
            problems.append(Problem(f"{file}: {path}", "is no option", _near(path, known)))
        elif leaf.type is Secret and mode & (stat.S_IRWXG | stat.S_IRWXO):
            problems.append(
                Problem(f"{file}: {path}", "is a secret in a file others can read", f"chmod 600 {file}")
            )
        else:
            values[path] = _convert(leaf, value, f"{file}: {path}", problems)
    return values


def _flatten(table: Mapping[str, Any], prefix: str, known: Mapping[str, Leaf]) -> Iterable[tuple[str, Any]]:
    for key, value in table.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and path not in known:
            yield from _flatten(value, f"{path}.", known)
        else:
            yield path, value


def _from_environment(
    environ: Mapping[str, str], known: Mapping[str, Leaf], problems: list[Problem], *, closed: bool
) -> dict[str, Any]:
    by_variable = {leaf.variable: leaf for leaf in known.values()}
    values: dict[str, Any] = {}
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    for leaf in known.values():
        if leaf.type is Secret:
            if credentials and Path(credentials, leaf.path).is_file():
                where = str(Path(credentials, leaf.path))
                values[leaf.path] = _secret_file(where, leaf.path, problems, environ, closed=closed)
            by_variable.setdefault(f"{leaf.variable}_FILE", leaf)
    for name, text in environ.items():
        if not name.startswith(_PREFIX) or name in _NOT_CONFIG:
            continue
        found = by_variable.get(name)
        if found is None:
            variables = {variable.removeprefix(_PREFIX): leaf for variable, leaf in by_variable.items()}
            hint = _near(name.removeprefix(_PREFIX), variables)
            problems.append(Problem(f"${name}", "sets no option", hint))
        elif found.type is Secret and name.endswith("_FILE"):
            values[found.path] = _secret_file(text, f"${name}", problems, environ, closed=closed)
        else:
            values[found.path] = _convert(found, _read_text(found.type, text), f"${name}", problems)
    return values


def _read_text(kind: Any, text: str) -> Any:
    """Return what a variable's text is in TOML, as far as that is clear; the type has the last word."""
    kind = _without_none(kind)
    if kind in (str, Path, Secret, Address) or (isinstance(kind, type) and issubclass(kind, Enum)):
        return text
    if get_origin(kind) is tuple and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(";") if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _secret_file(
    name: object, where: str, problems: list[Problem], environ: Mapping[str, str], *, closed: bool
) -> Any:
    if not isinstance(name, str):
        problems.append(Problem(where, "expected the path of a file, in quotes"))
        return _MISSING
    path = Path(name)
    try:
        text = read_secret(path, environ, closed=closed)
    except ConfigError as exc:
        problems += [
            Problem(where, f"{problem.path} {problem.words}", problem.hint) for problem in exc.problems
        ]
        return _MISSING
    return Secret(text, None if is_credential(path, environ) else path)


# --- what they must be ---------------------------------------------------------------------------------------------


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        return next(arg for arg in get_args(kind) if arg is not type(None))
    return kind


def _convert(leaf: Leaf, value: Any, where: str, problems: list[Problem]) -> Any:
    """Return the value in its type, or note what is wrong with it. A number is never made of a text of the file."""
    try:
        return _as(leaf.type, value)
    except (TypeError, ValueError) as exc:
        problems.append(Problem(where, str(exc)))
        return _MISSING


def _as(kind: Any, value: Any) -> Any:
    kind = _without_none(kind)
    origin = get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise TypeError("expected a list")
        return tuple(_as(get_args(kind)[0], item) for item in value)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise TypeError("expected a table")
        return {str(key): _as(get_args(kind)[1], item) for key, item in value.items()}
    if kind is float and type(value) is int:
        return float(value)
    if kind is Secret:
        if not isinstance(value, Secret | str):
            raise TypeError("expected a text in quotes; what is there is not shown, as this is a secret")
        return value if isinstance(value, Secret) else Secret(value)
    if kind is Address:
        return value if isinstance(value, Address) else Address.parse(_as(str, value))
    if kind is Path:
        return value if isinstance(value, Path) else Path(_as(str, value))
    if isinstance(kind, type) and issubclass(kind, Enum):
        names = ", ".join(str(member.value) for member in kind)
        try:
            return kind(value)
        except ValueError:
            raise ValueError(f"expected one of {names}, got {shown(value)}") from None
    if type(value) is not kind:
        raise TypeError(f"expected {_WORDS.get(kind, kind.__name__)}, got {shown(value)}")
    return value


_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _check(leaf: Leaf, value: Any, problems: list[Problem]) -> None:
    facts = facts_of(leaf.attribute)
    if facts.minimum is not None and isinstance(value, int | float) and value < facts.minimum:
        problems.append(Problem(leaf.path, f"is {value:g}, at least {facts.minimum:g} is needed"))
    if facts.maximum is not None and isinstance(value, int | float) and value > facts.maximum:
        problems.append(Problem(leaf.path, f"is {value:g}, at most {facts.maximum:g} is possible"))
    if facts.check is not None:
        try:
            facts.check(value)
        except Exception as exc:
            problems.append(Problem(leaf.path, getattr(exc, "words", "") or str(exc)))


def _near(path: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(path, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else "see: pitlink config show"


def _build(cls: type[C], values: Mapping[str, Any], prefix: str) -> C:
    fields: dict[str, Any] = {}
    for attribute in attrs.fields(attrs.resolve_types(cls)):  # type: ignore[type-var, arg-type]
        path, kind = f"{prefix}{attribute.name}", attribute.type
        if path in values:
            fields[attribute.name] = values[path]
        elif isinstance(kind, type) and attrs.has(kind) and kind not in (Secret, Address):
            fields[attribute.name] = _build(kind, values, f"{path}.")
    return cls(**fields)


def _toml(value: object) -> str:
    """Return a value as TOML would have it."""
    match value:
        case Secret():
            return '"***"' if value else '""'
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case tuple() | list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case dict():
            return "{" + ", ".join(f'"{key}" = {_toml(item)}' for key, item in value.items()) + "}"
        case _:
            text = re.sub(r'(["\\])', r"\\\1", str(value.value if isinstance(value, Enum) else value))
            return f'"{text}"'
