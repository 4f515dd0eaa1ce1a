"""What programs of the PC are told when another car is driven."""

from pathlib import Path

from daemons.telemetry.local.board import LocalBoard
from daemons.telemetry.recording import Recording
from daemons.telemetry.snapshot import Context
from daemons.telemetry.trackmap.keeping import TrackMaps
from tests.daemons.telemetry.test_snapshot import DRIVEN, LIVE, layout, row


async def test_another_recording_has_nothing_of_the_car_and_track_before(tmp_path: Path) -> None:
    board = LocalBoard("anna", TrackMaps(tmp_path), lambda: 1_700_000_000.0)
    of = layout(*LIVE)
    board._context = Context(sectors=(0.0, 0.1), tank_l=40.0)  # as the session info before has told
    board.opened(Recording(id=bytes(16), driver="anna", layout=of, started_utc_us=1, source="test"))
    board.tick(1, row(of, **DRIVEN), 0)
    newest = board.current()
    assert newest is not None
    assert newest[1]["speed"] is not None
    assert newest[1]["sector"] is None
