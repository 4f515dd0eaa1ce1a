"""A recording: one continuous capture of a driver's car, whose rows all have one layout."""

from attrs import frozen

from protocol.irsdk import Layout

__all__ = ["ID_BYTES", "Recording"]

ID_BYTES = 16


@frozen(kw_only=True)
class Recording:
    """`id`: 16 random bytes, new with each start of simulator or relay and each change of layout. `driver`: the site's
    name of the relay. `info`: the session info as it was first, YAML in the simulator's encoding. `source`: what it was
    read from, for people."""

    id: bytes
    driver: str
    layout: Layout
    started_utc_us: int
    info: bytes = b""
    source: str = ""
