"""`pitlink ctl`: what a daemon can be told to do."""

import json
from typing import Annotated, Any

from cyclopts import Parameter

from daemons.commands.place import At, CaFile, TokenFile, ask_daemon, client_at, printable
from daemons.ops.client import AdminClient
from daemons.ops.errors import ConfigError, Problem
from daemons.ops.typed import read_typed

__all__ = ["ctl"]


def ctl(
    action: Annotated[str | None, Parameter(help="What to do; without it the actions are listed.")] = None,
    /,
    *params: Annotated[str, Parameter(help="Its parameters: name=value ...")],
    at: At = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
) -> int:
    """Have a daemon do something, such as: pitlink ctl allowlist.switch pattern=/events/** enabled=off."""
    client = client_at(at, token_file, ca_file)
    if action is None:
        for line in _listed(ask_daemon(client.actions)):
            print(printable(line))
        return 0
    result = ask_daemon(lambda: _act(client, action, params))
    match result:
        case None:
            print("done")
        case str():
            print(printable(result))
        case {"words": str(words)} if len(result) == 1:
            print(printable(words))
        case _:
            print(json.dumps(result, indent=2, ensure_ascii=True))
    return 0


async def _act(client: AdminClient, action: str, params: tuple[str, ...]) -> Any:
    known = {row["name"]: row for row in await client.actions()}
    kinds = {param["name"]: param["kind"] for param in known[action]["params"]} if action in known else {}
    given: dict[str, Any] = {}
    for text in params:
        name, is_pair, value = text.partition("=")
        if not is_pair:
            raise ConfigError([Problem(text, "is no parameter", "write name=value")])
        given[name] = read_typed(kinds.get(name, "any"), value)
    return await client.act(action, **given)


def _listed(actions: list[dict[str, Any]]) -> list[str]:
    lines = []
    for action in actions:
        params = " ".join(
            f"{param['name']}=..." if param["required"] else f"[{param['name']}=...]"
            for param in action["params"]
        )
        lines.append(f"{action['name']} {params}".rstrip())
        lines.append(f"    {action['help']} ({action['role']})")
        lines += [f"    {param['name']}: {param['help']}" for param in action["params"] if param["help"]]
    return lines
