"""What `pitlink laps` prints of a session, of what the backend says of it."""

from attrs import evolve

from daemons.commands.laps import _laps
from daemons.telemetry.look import Lap
from daemons.telemetry.web.views import lap_json

LAP = Lap(
    id="r.1", session="s", stint="r.s0", driver="anna", recording=bytes(16), number=7, started_us=1, first_tick=0,
    last_tick=5400, time_s=91.2345, sectors=(30.0, 61.2345), fuel_litres=2.5,
)  # fmt: skip


def test_laps_are_printed_with_times_sectors_and_fuel_whatever_of_it_is_known() -> None:
    unfinished = evolve(LAP, number=8, time_s=None, sectors=(None, None), invalid=("tow",), fuel_litres=None)
    head, first, second = _laps({"laps": [lap_json(LAP), lap_json(unfinished)]})
    assert head.split() == ["lap", "time", "S1", "S2", "fuel", "driver"]
    assert first.split() == ["7", "1:31.234", "30.000", "1:01.234", "2.50", "l", "anna"]
    assert second.split() == ["8", "-", "-", "-", "-", "anna", "does", "not", "count:", "tow"]
