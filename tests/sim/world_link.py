"""Hours of a site and a hub with nothing on top of the link, on the simulated network, with everything that goes wrong.

The site sends an `event` a second, the hub a `command` now and then. Paths fail as in `chaos.simnet.faults`; both
programs are killed at random moments and at the chosen ones (inside a transaction, between commit and
acknowledgement, between an acknowledgement and its note in the file, behind an acceptance), stopped in order, and
now and then start on a backup of their file. Each seed draws its own bounds and rates.
"""

import os
import tempfile
from functools import partial
from pathlib import Path

import trio

from chaos.simnet import Program, World
from chaos.simnet.faults import Struck
from daemons.link.address import HubAddress
from daemons.link.dial import Dialer
from daemons.link.listen import SiteListener
from daemons.link.outbox import OutChannel
from daemons.link.registry import MemoryRegistry
from daemons.store import fetch
from daemons.web.front import FrontStream, open_listeners, serve_http
from daemons.web.head import Head
from tests.sim.backups import reading
from tests.sim.figures import Figures
from tests.sim.link_plan import Plan
from tests.sim.link_side import Side, held_in
from tests.sim.oracle import ChannelOracle
from tests.sim.storm import TURN_GIVEN_EVERY, Storm

PORT = 8443
HOSTS = {"site": "pits", "hub": "hub"}
TOKEN = "throw-away"
CONVERGED_S = 180.0
"""After healing: the longest retry wait (superseded: 70 s) twice, and what there is to send."""

MUST_HAPPEN = (
    "resume with a gap",
    "skip received",
    "crash in the transaction",
    "crash between commit and ack",
    "crash between ack and its note",
    "crash behind accepting",
    "stopped in order",
    "restored hub",
    "restored pits",
    "sender was rolled back",
    "receiver was rolled back: replayed",
    "receiver was rolled back: skipped",
    "superseded",
    "half-open detected",
    "dead letter",
    "power",
    "duplicate received",
    "queue full",
    "crash during a commit",
)


# --- the two programs ------------------------------------------------------------------------------------------------


async def _hub(side: Side) -> None:
    async def no_app(scope: object, receive: object, send: object) -> None:
        raise AssertionError("nothing but the link is served here")

    while True:
        async with side.open() as peer:
            listener = SiteListener(peer, MemoryRegistry(), site_role="pits")

            async def on_control(
                stream: FrontStream, head: Head, address: str, listener: SiteListener = listener
            ) -> None:
                await listener.serve(stream, dict(head.headers), address)

            async with trio.open_nursery() as nursery:
                listeners = await open_listeners("0.0.0.0", PORT)

                async def serve(
                    task_status: trio.TaskStatus[object], listeners: list[trio.SocketListener] = listeners
                ) -> None:
                    await serve_http(listeners, no_app, on_control=on_control, task_status=task_status)

                await nursery.start(serve)
                await side.live(1 / side.plan.commands_a_s)
                await listener.drain()
                nursery.cancel_scope.cancel()


async def _site(side: Side) -> None:
    while True:
        async with side.open() as peer:
            dialer = Dialer(peer, HubAddress("hub", PORT, is_tls=False), TOKEN, hub_role="hub")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(dialer.run)
                await side.live(1.0)
                nursery.cancel_scope.cancel()


# --- a run -----------------------------------------------------------------------------------------------------------


def make_sides(
    storm: Storm, plan: Plan, folder: Path, oracles: dict[str, ChannelOracle], kind: type[Side] = Side
) -> tuple[Side, Side]:
    """Return hub and pits with a path between them; their programs wait to be run."""
    world = storm.world
    hub = kind(world, "hub", "site", OutChannel("command"), "event", plan, folder, oracles, storm)
    event = OutChannel("event", plan.keep, plan.bounds)
    pits = kind(world, "pits", "hub", event, "command", plan, folder, oracles, storm)
    net = world.net
    for side, main in ((hub, _hub), (pits, _site)):
        net.add_host(side.name)
        side.program = Program(net, side.name, partial(main, side), while_down=side.while_down)
    conditions = plan.conditions
    net.link("pits", "hub").set(
        latency_s=conditions.latency_s, jitter_s=conditions.jitter_s, split=conditions.split
    )
    return hub, pits


async def converge(hub: Side, pits: Side) -> None:
    """Wait until both ends, healed and calm, have told each other everything. Raises AssertionError when they do not."""
    with trio.move_on_after(CONVERGED_S) as bound:
        await trio.sleep(1)  # what was being accepted is
        while not (hub.settled and pits.settled):
            await trio.sleep(1)
        await trio.sleep(2)  # a skip of what is done is under way, and nobody waits for its acknowledgement
    assert not bound.cancelled_caught, f"not converged {CONVERGED_S:.0f} s after healing: {hub} {pits}"
    for sender, receiver in ((pits, hub), (hub, pits)):
        await _compare_positions(sender, receiver)


def judge(world: World, hub: Side, pits: Side, figures: Figures) -> None:
    """Look into both files, behind the end of both programs. Raises AssertionError with every broken rule."""
    for sender, receiver in ((pits, hub), (hub, pits)):
        _judge(world, sender, receiver, figures)


async def run_link(world: World, hours: float, storm: Storm | None = None) -> Figures:
    """Run `hours` of it, heal, and judge; `storm`: one to be played, or looked at. Raises AssertionError for every
    broken rule."""
    storm = Storm(world, HOSTS) if storm is None else storm
    plan = Plan.draw(world.rng("plan"))
    scratch = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="pitlink-sim-", dir=scratch) as folder:
        oracles = {name: ChannelOracle(name) for name in ("event", "command")}
        hub, pits = make_sides(storm, plan, Path(folder), oracles)
        net = world.net
        net.turn_given_every = TURN_GIVEN_EVERY
        figures = Figures("link", world.seed)

        def on_fault(struck: Struck) -> None:
            world.sometimes(struck.name)
            figures.counts["faults"] += 1

        async with trio.open_nursery() as nursery:
            for side in (hub, pits):
                nursery.start_soon(side.program.run)
            for oracle in oracles.values():
                nursery.start_soon(watch, oracle)
            programs = [hub.program, pits.program]
            with trio.move_on_after(hours * 3600):
                await storm.run(programs, on_fault, faults_an_hour=plan.faults, kills_an_hour=plan.kills)
            hub.calm = pits.calm = storm.is_over = True
            net.heal_all()
            await converge(hub, pits)
            nursery.cancel_scope.cancel()
        judge(world, hub, pits, figures)
        figures.hours = trio.current_time() / 3600
        figures.counts["starts"] = hub.program.starts + pits.program.starts
        figures.counts["restores"] = hub.restores + pits.restores
        figures.counts["connections"] = pits.connections
        return figures


async def watch(oracle: ChannelOracle) -> None:
    """Raise AssertionError as soon as a rule is broken."""
    await oracle.broken.wait()
    raise AssertionError(oracle.violations[0])


async def _compare_positions(sender: Side, receiver: Side) -> None:
    """Require that both ends agree on every epoch that both name in a hello, and on the newest."""
    assert sender.peer is not None
    assert receiver.peer is not None
    out, _ = await sender.peer.durable.positions()
    _, committed = await receiver.peer.durable.positions()
    known = {position.epoch: position.committed for position in committed}
    used = [position for position in out if position.next > 1]
    for position in used:
        theirs = known.get(position.epoch, position.next - 1)
        is_same = theirs >= position.next - 1 if sender.restores else theirs == position.next - 1
        assert is_same, f"{sender.name} sent {position}, {receiver.name} has {theirs}"
    # A hello names the receiver's newest epochs only; a sender put back to an old file may hold none of them.
    assert receiver._store is not None
    rows = await receiver._store.read(
        lambda conn: fetch(conn, "SELECT epoch FROM link_in WHERE channel = ?", (sender.out.name,))
    )
    assert not used or (used[-1].epoch,) in rows, (
        f"{receiver.name} does not know the newest epoch of {sender.name}"
    )


def _judge(world: World, sender: Side, receiver: Side, figures: Figures) -> None:
    name = sender.out.name
    with reading(receiver.file) as conn:
        dead = [
            ((epoch, seq), int(body.split()[0]))
            for epoch, seq, body in conn.execute("SELECT epoch, seq, body FROM link_dead ORDER BY id")
        ]
        skips = list(conn.execute("SELECT epoch, first, last, reason FROM link_in_skip ORDER BY id"))
        fates = sender.oracles[name].judge(held_in(conn), dead, skips)
        assert all(body.endswith(b"poison") for (body,) in conn.execute("SELECT body FROM link_dead"))
    world.sometimes("skip received", bool(skips))
    figures.counts["messages"] += sum(fates.values())
    for fate, count in fates.items():
        figures.counts[f"{name} {fate}"] += count
