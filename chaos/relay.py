"""A bad uplink on loopback, for a program that has it in its own hands: one proxy of `chaos.proxy`, without its API."""

import trio
from attrs import define, field

from chaos.faults import Bandwidth, Latency, Loss, Placed, Refuse, Silence, Stream
from chaos.profiles import Profile, faults_of
from chaos.proxy.pipe import SLOW_BUFFER_BYTES
from chaos.proxy.proxy import Proxy
from chaos.proxy.ready import make_ready
from chaos.simnet.link import Conditions

_PAUSE = Placed("pause", Silence())
_REFUSE = Placed("refuse", Refuse())


@define(eq=False)
class Relay:
    """Relays every connection to one target, under the faults of a profile; its outages play while it runs.

    `pause` is silence (nothing moves, connections stay), `cut` resets what is open, `refuse` resets new ones as well.
    """

    host: str
    port: int
    profile: Profile
    seed: int = 0
    _proxy: Proxy | None = field(default=None, init=False)

    async def run(
        self, port: int = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve on loopback; `started` hands over the port. Cancel it to stop."""
        async with trio.open_nursery() as nursery:
            ready = make_ready(nursery)
            nursery.start_soon(ready.run)
            listen, upstream = f"127.0.0.1:{port}", f"{self.host}:{self.port}"
            proxy = self._proxy = Proxy("relay", listen, upstream, nursery, ready, str(self.seed))
            proxy.receive_buffer_bytes = SLOW_BUFFER_BYTES
            for placed in self.profile.placed():
                proxy.place(placed)
            await proxy.start()
            task_status.started(proxy.port)
            await trio.sleep_forever()

    @property
    def connections(self) -> int:
        """Those taken so far."""
        return self._running.counts.connections

    @property
    def bytes_up(self) -> int:
        return self._running.counts.received[Stream.UPSTREAM]

    @property
    def bytes_down(self) -> int:
        return self._running.counts.received[Stream.DOWNSTREAM]

    @property
    def _running(self) -> Proxy:
        assert self._proxy is not None, "it does not run yet"
        return self._proxy

    def change(self, up: Conditions | None = None, down: Conditions | None = None) -> None:
        """Adopt new conditions; what is under way keeps its arrival, what waits in a queue has the new rate."""
        for stream, conditions in ((Stream.UPSTREAM, up), (Stream.DOWNSTREAM, down)):
            if conditions is None:
                continue
            wanted = {placed.name: placed for placed in faults_of(conditions, stream)}
            for kind in (Latency, Bandwidth, Loss):
                name = f"{kind.type}_{stream}"
                if name in wanted:
                    self._running.place(wanted[name])
                else:
                    self._running.remove(name)

    def pause(self) -> None:
        """Fall silent in both directions: bytes stay where they are, nothing is closed, new connections hang."""
        self._running.place(_PAUSE)

    def resume(self) -> None:
        """Let everything move again, and accept connections again."""
        self._running.remove(_PAUSE.name)
        self._running.remove(_REFUSE.name)

    def cut(self) -> None:
        """Reset every open connection (RST both ways)."""
        for connection in list(self._running.connections):
            connection.abort()

    def refuse(self) -> None:
        """Reset what is open and every new connection, until `resume`."""
        self._running.place(_REFUSE)
        self.cut()

    def swallow(self) -> None:
        """Let the connections that are open now fall silent for ever, as a forgotten NAT mapping does. New ones work."""
        for connection in list(self._running.connections):
            connection.forget()
