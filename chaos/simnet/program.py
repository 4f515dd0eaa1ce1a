"""A program on a host of the network: started, killed, started again."""

from collections.abc import Awaitable, Callable

import trio

from .network import SimNetwork


class Program:
    """Run `main` on a host, again and again: after every `kill` once more, until it returns by itself.

    `main` must keep its lasting state outside of itself (a store's file), as a process does. Before each
    restart `while_down`, when given, is called: the moment to restore a backup or to move the wall clock.
    `starts` counts.
    """

    def __init__(
        self,
        net: SimNetwork,
        host: str,
        main: Callable[[], Awaitable[None]],
        *,
        while_down: Callable[[], None] | None = None,
    ) -> None:
        self.host = host
        self.starts = 0
        self._net = net
        self._main = main
        self._while_down = while_down
        self._scope: trio.CancelScope | None = None
        self._killed = False
        self._down_s = 0.0

    def __repr__(self) -> str:
        return f"<Program on {self.host} starts={self.starts} {'up' if self._scope is not None else 'down'}>"

    async def run(self) -> None:
        """Run until `main` returns.

        What it raises is raised, but for what it says while it is being killed.
        """
        while True:
            self._killed = False
            self.starts += 1
            try:
                with self._net.host(self.host), trio.CancelScope() as self._scope:
                    await self._main()
            except Exception:
                if not self._killed:
                    raise  # a killed process has no last words; they are about sockets that were taken away
            finally:
                self._scope = None
            if not self._killed:
                return
            await trio.sleep(self._down_s)
            if self._while_down is not None:
                self._while_down()
            self._net.boot(self.host)

    def kill(self, *, power: bool = False, down_s: float = 0.0) -> None:
        """Kill the program at its next checkpoint, or the whole host's power; it starts again after `down_s`.

        Synchronous, so that it can be called between any two steps: inside a transaction, between commit and
        acknowledgement. Without effect while the program is down.
        """
        if self._scope is None:
            return
        self._killed, self._down_s = True, down_s
        # In this order: its tasks must not see their sockets vanish and begin to act upon it.
        self._scope.cancel()
        self._net.crash(self.host, power=power)
