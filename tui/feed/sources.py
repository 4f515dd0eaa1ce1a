"""Ways to a daemon: its admin socket, a hub's address, or another machine by ssh."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from attrs import define

from daemons.ops.client import AdminClient

__all__ = ["Direct", "Source"]


class Source(Protocol):
    """A way to one daemon."""

    @property
    def place(self) -> str:
        """What `--at` of the other commands takes, as far as one command can reach it; "" for the one that runs here."""

    def open(self) -> AbstractAsyncContextManager[AdminClient]:
        """Give a client for the length of the block. Raises Unreachable, in words. Cancelling leaves nothing behind."""

    def words(self, exc: BaseException) -> str:
        """Say in words what went wrong while it was open."""


@define(eq=False)
class Direct:
    """A daemon that can be asked without more ado."""

    client: AdminClient
    place: str = ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[AdminClient]:
        """Give the client, for questions in a row."""
        async with self.client.kept() as client:
            yield client

    def words(self, exc: BaseException) -> str:
        return str(exc)
