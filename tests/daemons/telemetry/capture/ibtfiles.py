"""Small .ibt files, as the simulator writes them."""

from pathlib import Path

from protocol.irsdk import Buffer, Disk, Header, Layout
from tests.daemons.telemetry.capture.sim import INFO, LAYOUT, row


def ibt(
    ticks: list[int],
    *,
    layout: Layout = LAYOUT,
    info: bytes = INFO,
    records: int | None = None,
    began: int = 1_700_000_000,
) -> bytes:
    """A file of those ticks; `records`: what its header says about how many there are."""
    info_at = 144 + len(layout.packed)
    rows_at = info_at + len(info)
    header = Header(
        session_info_bytes=len(info), session_info_at=info_at, variables=len(layout.variables), variables_at=144,
        row_bytes=layout.row_bytes, buffers=(Buffer(0, rows_at),),
    )  # fmt: skip
    disk = Disk(began, 0.0, 1.0, 1, len(ticks) if records is None else records)
    return (
        header.pack() + disk.pack() + layout.packed + info + b"".join(row(tick, of=layout) for tick in ticks)
    )


def written(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
