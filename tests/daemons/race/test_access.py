"""One access record a fetch on both sides, with ids that join them; never the body."""

import logging
from pathlib import Path

import pytest
import trio

from daemons.ops import trace
from tests.whole.stage import SITE, Stage, open_stage
from tests.whole.test_api import tree as event_tree

pytestmark = pytest.mark.usefixtures("error_logs")

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def records(caplog: pytest.LogCaptureFixture, path: str) -> list[dict[str, str]]:
    """Return the fields of the access records of a path."""
    lines = [r.getMessage() for r in caplog.records if r.name == "pitlink.access"]
    found = []
    for line in lines:
        fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
        if fields.get("path") == repr(path):
            found.append(fields)
    return found


async def two_records(stage: Stage, caplog: pytest.LogCaptureFixture, path: str) -> list[dict[str, str]]:
    await stage.until(lambda: len(records(caplog, path)) >= 2)
    return sorted(records(caplog, path), key=lambda fields: fields["side"])


async def test_a_fetch_is_one_record_on_either_side(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_stage(tmp_path, tree=event_tree()) as stage:
        await stage.connected()
        path = "/httpfiles/Channels.json"
        answer = await stage.origin(path, traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
        assert answer.headers["pitlink-trace"] == TRACE
        hub, site = await two_records(stage, caplog, path)
        assert (hub["side"], site["side"]) == ("'hub'", "'site'")
        assert hub["trace"] == site["trace"] == repr(TRACE)
        assert hub["site"] == site["site"] == repr(SITE)
        assert hub["status"] == site["status"] == str(answer.status_code)
        assert site["connection"] == repr(trace.connection_id(stage.pits.peer.instance, 1))
        assert float(hub["latency_ms"]) >= float(site["latency_ms"]) > 0
        assert "request" in hub and "request" in site
        assert stage.cloud.members[SITE].site.remote.statistics.latency.count >= 1
        for record in caplog.records:
            assert stage.callers.headers["authorization"].split()[1] not in record.getMessage()

        answer = await stage.origin("/secret/../etc/passwd")
        assert answer.status_code == 403
        denied = [r for r in caplog.records if r.name == "pitlink.access" and "DENIED" in r.getMessage()]
        assert len(denied) == 1
        with trio.fail_after(5):
            answer = await stage.callers.get("/api/sites")
        assert len(answer.headers["pitlink-trace"]) == 32


def test_what_is_no_traceparent_begins_a_new_one() -> None:
    def parsed(value: bytes) -> str:
        return trace.trace_of([(b"accept", b"*/*"), (b"traceparent", value)])

    assert parsed(f"00-{TRACE}-00f067aa0ba902b7-01".encode()) == TRACE
    for value in (b"", b"00-1-2-3", b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01", b"x" * 4096):
        assert parsed(value) == ""
