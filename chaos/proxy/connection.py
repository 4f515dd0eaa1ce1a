"""One connection through the relay: two pipes, the faults that met it, and the ways it can end."""

import random
import socket
import struct
from collections.abc import Callable, Mapping

import trio

from chaos.faults import Fin, LimitTime, NatTimeout, Placed, ResetPeer, Stream, Timeout
from chaos.proxy.counts import Counts
from chaos.proxy.pipe import Pipe
from chaos.proxy.plan import make_plan
from chaos.proxy.wheel import SLACK_S, Wheel
from chaos.simnet.link import OneWay

FORGOTTEN_S = 924.6
"""Linux's tcp_retries2 = 15: so long a connection of which nothing is heard is kept."""

_RST = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time


def reset(sock: socket.socket) -> None:
    """Close with a real RST, whatever is in the buffers."""
    if sock.fileno() < 0:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
    except OSError:
        pass  # it has gone by itself
    close(sock)


def close(sock: socket.socket) -> None:
    """Close in order; who waits for the socket is woken with trio.ClosedResourceError."""
    if sock.fileno() >= 0:
        trio.lowlevel.notify_closing(sock)
        sock.close()


class Connection:
    """What a client opened. `number` counts the proxy's connections from 0: with `seed` it decides every draw.

    Whoever works for it does so inside `scope`, which `abort` and `close` cancel.
    """

    def __init__(self, client: socket.socket, number: int, seed: str, wheel: Wheel, counts: Counts) -> None:
        self.number = number
        self.met: dict[str, Placed] = {}
        self.pipes: tuple[Pipe, ...] = ()
        self.scope = trio.CancelScope()
        self._client = client
        self._server: socket.socket | None = None
        self._seed = seed
        self._wheel = wheel
        self._counts = counts
        self._met_at: dict[str, float] = {}
        self._draws: dict[str, float] = {}
        self._looks_at = float("inf")
        self._ended = 0
        self._changed = trio.lowlevel.ParkingLot()

    # --- faults --------------------------------------------------------------------------------------------------

    def adopt(
        self,
        placed: Mapping[str, Placed],
        lines: Mapping[tuple[str, Stream], OneWay],
        out: frozenset[str],
    ) -> None:
        """Let the proxy's faults meet this connection. `out`: the outages that are at their silent phase."""
        now = trio.current_time()
        met = {name: one for name, one in placed.items() if self._draw(name) < one.toxicity}
        for name, one in met.items():
            if name not in self.met or type(self.met[name].fault) is not type(one.fault):
                self._met_at[name] = now
                self._counts.applied[one.fault.type] += 1
        self.met = met
        self._draws = {name: draw for name, draw in self._draws.items() if name in placed}
        for pipe in self.pipes:
            faults = [one for one in met.values() if one.stream.covers(pipe.stream)]
            mine = {name: line for (name, stream), line in lines.items() if stream is pipe.stream}
            is_silent = any(one.name in out for one in faults)
            plan = make_plan(faults, mine, is_silent, self._rng(pipe.stream), pipe.plan, pipe.airs)
            was_swallowing = pipe.plan.swallowing
            pipe.adopt(plan, now)
            if was_swallowing and not plan.swallowing and pipe.has_swallowed:
                self.abort()  # a stream with a hole cannot go on
                return
        self._changed.unpark_all()
        self._end_in_time(now)

    def has(self, *kinds: type) -> bool:
        """Whether a fault of these kinds met this connection."""
        return any(isinstance(one.fault, kinds) for one in self.met.values())

    async def wait_changed(self) -> None:
        """Wait until the faults change."""
        await self._changed.park()

    def _draw(self, name: str) -> float:
        if name not in self._draws:
            self._draws[name] = random.Random(f"{self._seed}/{self.number}/{name}/toxicity").random()
        return self._draws[name]

    def _rng(self, stream: Stream) -> Callable[[str], random.Random]:
        return lambda name: random.Random(f"{self._seed}/{self.number}/{stream}/{name}")

    def _end_in_time(self, now: float) -> None:
        """End now what is to end now, and look again when the next is due."""
        next_at = float("inf")
        for name, one in self.met.items():
            match one.fault:
                case ResetPeer(timeout_s=after_s):
                    end = self.abort
                case Timeout(timeout_s=after_s) if after_s:
                    end = self.close
                case LimitTime(time_s=after_s):
                    end = self.close
                case Fin():
                    end, after_s = self.close, 0.0
                case NatTimeout(idle_s=after_s):
                    end = self.forget
                case _:
                    continue
            since = self._met_at[name]
            if isinstance(one.fault, NatTimeout):
                if not self.pipes or self.pipes[0].is_forgotten:
                    continue
                since = max(pipe.active_at for pipe in self.pipes)
            if since + after_s <= now + SLACK_S:
                end()
            else:
                next_at = min(next_at, since + after_s)
        if next_at < self._looks_at and not self.scope.cancel_called:
            self._looks_at = next_at
            self._wheel.at(next_at, self._look)

    def _look(self, now: float) -> None:
        if now >= self._looks_at - SLACK_S:  # or else it was asked for before an earlier one
            self._looks_at = float("inf")
            self._end_in_time(now)

    # --- ends ----------------------------------------------------------------------------------------------------

    def abort(self) -> None:
        """Reset both ends."""
        if not self.scope.cancel_called:
            self._counts.resets += 1
            self._end(reset)

    def close(self) -> None:
        """Close both ends in order."""
        self._end(close)

    def forget(self) -> None:
        """Let everything vanish from now on; both ends find out by themselves, or are reset in a quarter of an hour."""
        for pipe in self.pipes:
            pipe.forget()
        self._wheel.at(trio.current_time() + FORGOTTEN_S, lambda _: self.abort())

    def _end(self, how: Callable[[socket.socket], None]) -> None:
        self.scope.cancel(reason="the relay ends the connection")
        for pipe in self.pipes:
            pipe.discard()
        for sock in (self._client, self._server):
            if sock is not None:
                how(sock)

    # --- carrying ------------------------------------------------------------------------------------------------

    def join(self, server: socket.socket) -> None:
        """Lay the pipes to the server; the faults must be adopted again afterwards."""
        self._server = server
        pipes = [
            Pipe(
                stream,
                source,
                sink,
                self._wheel,
                self._counts,
                on_end=self._on_end,
                on_limit=self.close,
                on_error=self._on_error,
            )
            for stream, source, sink in (
                (Stream.UPSTREAM, self._client, server),
                (Stream.DOWNSTREAM, server, self._client),
            )
        ]
        pipes[0].twin, pipes[1].twin = pipes[1], pipes[0]
        self.pipes = tuple(pipes)

    async def carry(self) -> None:
        """Carry bytes both ways until both ends are done."""
        async with trio.open_nursery() as nursery:
            for pipe in self.pipes:
                nursery.start_soon(pipe.run)
                nursery.start_soon(pipe.write_when_blocked)

    def _on_end(self, pipe: Pipe) -> None:
        try:
            pipe.sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone by itself
        self._ended += 1
        if self._ended == 2:
            self.close()

    def _on_error(self) -> None:
        """One socket failed: so does the other, unless its news would vanish on the way."""
        if any(pipe.is_deaf for pipe in self.pipes) and not all(p.has_ended_unheard for p in self.pipes):
            self.forget()
        else:
            self.abort()
