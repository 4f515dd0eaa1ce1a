"""Which daemons `pitlink tui` watches, and how each is reached."""

from pathlib import Path

from attrs import evolve

from daemons.commands.place import client_at, running
from tui.feed import Direct, Source, SshTunnel, is_ssh_place

__all__ = ["sources"]


def sources(
    connect: list[str] | None,
    token_file: Path | None,
    ca_file: Path | None,
    who: str = "",
    read_only: bool = False,
) -> list[tuple[str, Source]]:
    """Return the daemons to watch, by name. Raises RefusedToStart and ConfigError."""

    def direct(at: str | None, place: str = "") -> Direct:
        own = (token_file, ca_file) if connect else (None, None)
        return Direct(evolve(client_at(at, *own), speaks_for=who, only_looks=read_only), place)

    if not connect:
        found = [str(socket.parent) for socket in running()]
        if len(found) <= 1:
            return [(found[0] if found else "here", direct(None))]
        return [(folder, direct(folder, folder)) for folder in found]
    named: list[tuple[str, Source]] = []
    for place in dict.fromkeys(connect):
        is_url = place.startswith(("https://", "http://"))
        if not is_url and not Path(place).exists() and is_ssh_place(place):
            host, _, folder = place.partition(":")
            named.append((place, SshTunnel(host, folder, speaks_for=who, only_looks=read_only)))
        else:
            named.append((place, direct(place, place)))
    return named
