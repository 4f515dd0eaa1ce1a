"""What a line bears, measured over lines of which it is known."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from attrs import evolve

from chaos.simnet import World, run_world
from daemons.link.address import HubAddress
from daemons.link.doctor.line import idle_time, uplink_rate
from daemons.link.doctor.way import Way
from daemons.ops.doctor.finding import Finding, Verdict
from daemons.web.front import FrontConfig
from tests.daemons.link.doctor.standins import answering, hub_app, serving

pytestmark = pytest.mark.sim


def _measured(
    measure: Callable[[Way], Awaitable[Finding]],
    *,
    uplink_bytes_s: float = 1e6,
    config: FrontConfig | None = None,
) -> Finding:
    """Run one measurement from a site over a simulated uplink."""

    async def main(world: World) -> Finding:
        with world.net.host("field"), world.net.host("hub"):
            world.net.link("field", "hub").set(toward="hub", rate_bytes_s=uplink_bytes_s)
            async with trio.open_nursery() as nursery:
                ports: list[int] = []
                ready = trio.Event()

                async def hub() -> None:
                    async with serving(hub_app(), host="0.0.0.0", config=config) as port:
                        ports.append(port)
                        ready.set()
                        await trio.sleep_forever()

                nursery.start_soon(hub)
                await ready.wait()
                with world.net.host("field"):
                    found = await measure(
                        Way(HubAddress("hub", ports[0], is_tls=False), utc_now=world.utc_now)
                    )
                nursery.cancel_scope.cancel()
        return found

    return run_world(1, main).value


@pytest.mark.parametrize(
    ("cut_after_s", "verdict", "words"),
    [
        (75.0, Verdict.GOOD, "silent for 30 s lives on"),
        (20.5, Verdict.WARNING, "silent for 30 s is cut (for 15 s it lives)"),
        (10.0, Verdict.BAD, "silent for 15 s is cut (for 8 s it lives)"),
        (5.0, Verdict.BAD, "silent for 8 s is cut:"),
    ],
)
def test_how_long_a_line_may_be_silent(cut_after_s: float, verdict: Verdict, words: str) -> None:
    config = evolve(FrontConfig(), idle_timeout_s=cut_after_s)
    found = _measured(idle_time, config=config)
    assert found.verdict is verdict
    assert words in found.words


@pytest.mark.parametrize(
    ("kbit_s", "verdict"),
    [(4000, Verdict.GOOD), (400, Verdict.GOOD), (60, Verdict.WARNING), (6, Verdict.BAD)],
)
def test_what_an_uplink_carries_is_measured_within_a_third(kbit_s: float, verdict: Verdict) -> None:
    found = _measured(uplink_rate, uplink_bytes_s=kbit_s * 1000 / 8)
    assert found.verdict is verdict
    number, unit = found.words.removeprefix("about ").split()[:2]
    measured = float(number) * (1000 if unit == "Mbit/s" else 1)
    assert measured == pytest.approx(kbit_s, rel=0.33)


async def test_a_hub_that_does_not_take_measurements_is_no_fault() -> None:
    async with serving(answering(404, "no")) as port:
        found = await uplink_rate(Way(HubAddress("127.0.0.1", port, is_tls=False)))
    assert found.verdict is Verdict.SKIPPED
    assert "too old" in found.words
