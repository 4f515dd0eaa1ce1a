"""All proxies of a relay, and the leases of what is set on them.

A lease ends what was set when whoever set it is not there any more to renew it: a fault is removed, a proxy that was
switched off listens again.
"""

import contextlib
from collections.abc import AsyncIterator

import trio
from attrs import define, field

from chaos.faults import Placed
from chaos.model.leases import Leases
from chaos.proxy.proxy import Proxy, split_address
from chaos.proxy.ready import Ready, make_ready

__all__ = ["Board", "BoardError", "open_board"]

PROXIES_MAX = 100
TOXICS_MAX = 50
LEASE_MAX_S = 7 * 24 * 3600.0


class BoardError(Exception):
    """What was asked cannot be; `status` is HTTP's."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@define(eq=False)
class Board:
    """`lease_s`: of what is set without one; 0: until it is removed."""

    nursery: trio.Nursery
    seed: str
    lease_s: float
    ready: Ready = field(init=False)
    proxies: dict[str, Proxy] = field(factory=dict, init=False)
    _leases: Leases[tuple[str, str | None]] = field(init=False)
    """By proxy and fault; None: that the proxy is switched off."""

    def __attrs_post_init__(self) -> None:
        self.ready = make_ready(self.nursery)
        self._leases = Leases(self.nursery, self._on_lease_end)

    # --- proxies -------------------------------------------------------------------------------------------------

    def get(self, name: str) -> Proxy:
        """Raises BoardError (404)."""
        if name not in self.proxies:
            raise BoardError(404, "proxy not found")
        return self.proxies[name]

    async def create(self, name: str, listen: str, upstream: str, *, enabled: bool = True) -> Proxy:
        """Add a proxy, and have it listen when it is `enabled`. Raises BoardError."""
        if name in self.proxies:
            raise BoardError(409, "proxy already exists")
        if len(self.proxies) >= PROXIES_MAX:
            raise BoardError(409, f"more than {PROXIES_MAX} proxies")
        proxy = Proxy(name, listen, upstream, self.nursery, self.ready, self.seed)
        for address in (listen, upstream):
            _check(address)
        self.proxies[name] = proxy
        if enabled:
            try:
                await _start(proxy)
            except BaseException:
                del self.proxies[name]
                raise
        return proxy

    def delete(self, name: str) -> None:
        """Stop and forget a proxy. Raises BoardError (404)."""
        proxy = self.get(name)
        faults = list(proxy.placed)
        proxy.clear()
        proxy.stop()
        del self.proxies[name]
        for fault in (None, *faults):
            self._leases.drop((name, fault))

    async def change(
        self,
        name: str,
        *,
        listen: str | None = None,
        upstream: str | None = None,
        enabled: bool | None = None,
        lease_s: float | None = None,
    ) -> Proxy:
        """Change a proxy; other addresses close what is open. Raises BoardError, then it is switched off."""
        proxy = self.get(name)
        want = proxy.enabled if enabled is None else enabled
        for address in (listen, upstream):
            if address is not None:
                _check(address)
        if (listen or proxy.listen, upstream or proxy.upstream) != (proxy.listen, proxy.upstream):
            proxy.stop()
            proxy.listen, proxy.upstream = listen or proxy.listen, upstream or proxy.upstream
        if want:
            self._leases.drop((name, None))
            await _start(proxy)
        else:
            proxy.stop()
            self._lease(name, None, lease_s)
        return proxy

    # --- faults --------------------------------------------------------------------------------------------------

    def place(self, name: str, placed: Placed, lease_s: float | None = None) -> None:
        """Add or change a fault, and begin its lease anew. Raises BoardError."""
        proxy = self.get(name)
        if placed.fault.knows_messages:
            raise BoardError(
                400,
                f"{placed.fault.type} needs to see messages, and a relay sees bytes: place it inside of a daemon",
            )
        if placed.name not in proxy.placed and len(proxy.placed) >= TOXICS_MAX:
            raise BoardError(409, f"more than {TOXICS_MAX} toxics on one proxy")
        proxy.place(placed)
        self._lease(name, placed.name, lease_s)

    def remove(self, name: str, fault: str) -> None:
        """End a fault. Raises BoardError (404)."""
        proxy = self.get(name)
        if fault not in proxy.placed:
            raise BoardError(404, "toxic not found")
        proxy.remove(fault)
        self._leases.drop((name, fault))

    async def reset(self) -> None:
        """End all faults, and switch all proxies on. Raises BoardError when one cannot listen, after all the rest."""
        self._leases.clear()
        failed: BoardError | None = None
        for proxy in list(self.proxies.values()):
            proxy.clear()
            try:
                await _start(proxy)
            except BoardError as exc:
                failed = exc
        if failed is not None:
            raise failed

    # --- leases --------------------------------------------------------------------------------------------------

    def left_s(self, name: str, fault: str | None) -> float | None:
        """Return what is left of a lease; None: there is none."""
        return self._leases.left_s((name, fault))

    def renew(self) -> int:
        """Begin all leases anew; return how many there are."""
        return self._leases.renew()

    def _lease(self, name: str, fault: str | None, lease_s: float | None) -> None:
        self._leases.begin((name, fault), self.lease_s if lease_s is None else lease_s)

    async def _on_lease_end(self, key: tuple[str, str | None]) -> None:
        name, fault = key
        proxy = self.proxies[name]
        proxy.counts.leases_ended += 1
        if fault is not None:
            proxy.remove(fault)
        else:
            with contextlib.suppress(BoardError):  # its port was taken meanwhile: it is shown as switched off
                await _start(proxy)


def _check(address: str) -> None:
    try:
        split_address(address)
    except ValueError as exc:
        raise BoardError(400, str(exc)) from exc


async def _start(proxy: Proxy) -> None:
    try:
        await proxy.start()
    except OSError as exc:
        raise BoardError(500, f"cannot listen on {proxy.listen}: {exc}") from exc


@contextlib.asynccontextmanager
async def open_board(*, seed: str = "0", lease_s: float = 0.0) -> AsyncIterator[Board]:
    """Give a board whose proxies live as long as the block."""
    async with trio.open_nursery() as nursery:
        board = Board(nursery, seed, lease_s)
        nursery.start_soon(board.ready.run)  # noqa: ASYNC113
        try:
            yield board
        finally:
            for name in list(board.proxies):
                board.delete(name)
            nursery.cancel_scope.cancel(reason="the relay ends")
