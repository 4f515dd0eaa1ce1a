"""The model on recorded statuses: what it reads, when its version moves, what becomes of what it no longer hears."""

from typing import Any

import pytest

from tests.tui.recorded import UTC, five_sites, recorded
from tui.model import FeedState, Kind, Model, Severity, SiteState
from tui.model.words import feed_words, site_state


def told(**daemons: dict[str, Any]) -> Model:
    model = Model()
    for name, status in daemons.items():
        model.watch(name, 90.0)
        model.told(name, status, 100.0, UTC)
    return model


def test_a_hub_and_a_site_as_they_were_recorded() -> None:
    model = told(hub=recorded("cloud"), pit=recorded("pits"))
    at_hub, itself = model.sites["hub", "demo"], model.sites["pit", "demo"]
    assert (at_hub.state, itself.state) == (SiteState.CONNECTED,) * 2
    assert at_hub.p50_s is not None and itself.p99_s is not None
    assert at_hub.age_now(100.0) == pytest.approx(at_hub.age_s)
    assert itself.allowlist is not None and model.rules["pit", "demo"] == itself.allowlist
    assert itself.origin_words.startswith("up: FPVTrackside answers")
    assert model.daemons["hub"].cache is not None and model.daemons["pit"].cache is None
    assert model.daemons["pit"].called == "demo" and model.alarms == []


def test_states_of_sites_in_words() -> None:
    model = told(hub=five_sites())
    words = {site.name: site_state(site, 160.0) for site in model.sites_of("hub")}
    assert words == {
        "well": "connected",
        "gone": "gone for 6 min",
        "never": "never seen",
        "paused": "paused",
        "trouble": "connected",
    }


def test_ages_grow_while_nothing_is_heard() -> None:
    model = told(hub=five_sites())
    assert model.sites["hub", "trouble"].age_now(130.0) == 125.0
    assert model.sites["hub", "never"].age_now(130.0) is None
    assert model.sites["hub", "gone"].gone_now(130.0) == 330.0


def test_a_daemon_that_is_lost_is_said_and_what_was_known_stays() -> None:
    model = told(hub=five_sites())
    assert feed_words(model, "hub", 101.0) == ""
    model.lost("hub", "no daemon listens there", 110.0, retry_at=114.0)
    version = model.version
    model.lost("hub", "no daemon listens there", 120.0, retry_at=128.0)
    feed = model.feeds["hub"]
    assert (feed.state, feed.at, feed.tries, feed.heard_at) == (FeedState.LOST, 110.0, 2, 100.0)
    assert model.version > version and model.is_stale("hub") and len(model.sites_of("hub")) == 5
    assert feed_words(model, "hub", 120.0) == (
        "no daemon listens there, for 10 s; what is shown is 20 s old; tried again in 8.0 s"
    )
    assert [(alarm.daemon, alarm.site, alarm.words) for alarm in model.alarms] == [
        ("hub", "", "no daemon listens there")
    ]
    model.told("hub", five_sites(), 130.0, UTC)
    assert (model.feeds["hub"].at, model.feeds["hub"].tries) == (130.0, 0)


def test_a_site_that_a_hub_no_longer_tells_of_goes() -> None:
    model = told(hub=five_sites())
    fewer = five_sites()
    del fewer["sites"]["never"]
    model.told("hub", fewer, 101.0, UTC)
    assert ("hub", "never") not in model.sites


def test_what_is_no_status_is_refused_and_changes_nothing() -> None:
    model = told(hub=five_sites())
    before = model.daemons["hub"], model.sites["hub", "well"], model.version
    broken: list[dict[str, Any]] = [
        {},
        {"daemon": 17},
        {**five_sites(), "sites": {"x": {}}},
        {**five_sites(), "audit": 3},
    ]
    broken.append({**five_sites(), "warnings": [{"name": "a", "severity": "bad", "words": "", "since": 0}]})
    for status in broken:
        with pytest.raises(ValueError, match=r"no daemon|valid"):
            model.told("hub", status, 101.0, UTC)
    assert before == (model.daemons["hub"], model.sites["hub", "well"], model.version)


def test_an_older_daemon_tells_less() -> None:
    """What is not told is not known: never zero."""
    status = five_sites()
    for site in status["sites"].values():
        for key in (
            "round_trip_p50_s",
            "round_trip_p99_s",
            "bulk_delay_s",
            "paused",
            "cache_hits",
            "bytes_saved",
        ):
            del site[key]
    del status["now"]
    site_view = told(hub=status).sites["hub", "well"]
    assert (site_view.p50_s, site_view.cache_hits, site_view.bytes_saved, site_view.is_paused) == (None,) * 4
    assert site_view.state is SiteState.CONNECTED


# --- alarms --------------------------------------------------------------------------------------------------------


def test_alarms_in_the_order_of_what_is_at_stake() -> None:
    status = five_sites()
    status["warnings"].append(
        {"name": "chaos-faults", "severity": "notice", "words": "1 fault", "since": UTC}
    )
    alarms = told(hub=status).alarms
    assert [(alarm.kind, alarm.site) for alarm in alarms] == [
        (Kind.SAFETY, ""),
        (Kind.LEGALITY, ""),
        (Kind.RELIABILITY, "gone"),
        (Kind.RELIABILITY, ""),
        (Kind.RELIABILITY, "trouble"),
        (Kind.PERFORMANCE, "trouble"),
    ]
    assert alarms[2].since == 100.0 - 300.0 and alarms[3].since == 0.0


def test_acknowledged_alarms_go_to_the_end_until_they_are_over_or_worse() -> None:
    model = told(hub=five_sites())
    first = model.alarms[0]
    version = model.version
    model.acknowledge(first.key)
    assert model.version > version
    assert model.alarms[-1].key == first.key and model.alarms[-1].is_acknowledged
    worse = five_sites()
    next(w for w in worse["warnings"] if w["name"] == first.key[2])["severity"] = "failing"
    model.told("hub", worse, 101.0, UTC)
    found = next(alarm for alarm in model.alarms if alarm.key == first.key)
    assert (found.is_acknowledged, found.severity) == (False, Severity.FAILING)
    model.acknowledge(found.key)
    model.told("hub", {**five_sites(), "warnings": []}, 102.0, UTC)
    assert first.key not in [alarm.key for alarm in model.alarms]
    model.told("hub", five_sites(), 103.0, UTC)
    assert not next(alarm for alarm in model.alarms if alarm.key == first.key).is_acknowledged


def test_shelved_alarms_come_back_by_themselves_and_that_moves_the_version() -> None:
    model = told(hub=five_sites())
    first = model.alarms[0]
    model.shelve(first.key, 100.0, 60.0)
    assert model.alarms[-1].shelved_until == 160.0
    model.tick(150.0)  # others grow old
    version = model.version
    model.tick(159.0)
    assert (model.version, model.alarms[-1].key) == (version, first.key)
    model.tick(160.0)
    assert model.version > version and model.alarms[0].key == first.key
    model.shelve(first.key, 160.0)
    model.unshelve(first.key)
    assert not any(alarm.shelved_until for alarm in model.alarms)
    assert model.alarms[0].key == first.key


def test_a_site_that_grows_old_is_an_alarm_by_time_alone() -> None:
    model = told(hub=five_sites())
    assert "well" not in {alarm.site for alarm in model.alarms}
    model.tick(140.0)
    assert {alarm.site for alarm in model.alarms} == {"", "gone", "trouble", "well"}


# --- logs, audit, what is looked at ----------------------------------------------------------------------------------


def line(number: int, level: str = "info") -> dict[str, Any]:
    return {
        "number": number,
        "level": level,
        "line": {"at": "2026-01-01", "event": "a.b", "level": level, "n": number},
    }


def test_the_log_is_bounded_and_gaps_are_rows() -> None:
    model = Model()
    model.log.rows_max = 100
    for number in range(1, 151):
        model.logged("hub", line(number))
    model.logged("hub", {"dropped": 7})
    assert (len(model.log), model.log.dropped, model.log.last_key) == (100, 51, 151)
    assert [row.number for row in model.log.after(148)] == [149, 150, 0]
    assert model.log.tail(1)[0].dropped == 7 and len(model.log.after(0)) == 100 and model.log.after(151) == []
    assert [row.number for row in model.log.tail(2, lambda row: row.number % 10 == 0 and row.number > 0)] == [
        140,
        150,
    ]
    for broken in ({}, {"number": 1}, {"number": "x", "level": "info", "line": {}}):
        with pytest.raises((ValueError, KeyError, TypeError)):
            model.logged("hub", broken)
    assert model.log.last_key == 151
    assert all(model.log.row(key).key == key for key in range(52, 152))  # type: ignore[union-attr]
    assert model.log.row(51) is model.log.row(152) is model.log.row(0) is None


def audit_row(number: int, at: float) -> dict[str, Any]:
    return {
        "number": number, "at_utc_s": at, "who": "user ann", "action": "drain", "target": "", "before": None,
        "after": {"x": [1]}, "outcome": "done", "hash": "00",
    }  # fmt: skip


def test_audits_of_daemons_are_joined_by_time_and_no_row_comes_twice() -> None:
    model = Model()
    model.audited("a", [audit_row(1, 10.0), audit_row(2, 30.0)])
    model.audited("b", [audit_row(1, 20.0)])
    version = model.version
    model.audited("a", [audit_row(2, 30.0)])
    assert model.version == version
    model.audited("a", [audit_row(2, 30.0), audit_row(3, 40.0)])
    assert [(row.daemon, row.number) for row in model.audit] == [("a", 3), ("a", 2), ("b", 1), ("a", 1)]
    assert (model.last_audit_number("a"), model.last_audit_number("c")) == (3, 0)
    model.forget_audit("a")
    assert [row.daemon for row in model.audit] == ["b"]


def test_commands_letters_and_rules_move_the_version_only_when_they_change() -> None:
    model = told(hub=five_sites())
    command = {
        "id": "c1", "issuer": "user ann", "issued_at": UTC, "expires_at": UTC + 300, "action": {"do": "pause"},
        "status": "SENT", "words": None, "decided_at": None,
    }  # fmt: skip
    letter = {"id": 4, "channel": "event", "seq": 9, "type": "x", "bytes": 10, "error": "no", "at": UTC}
    rule = {"pattern": "/events/**", "methods": ["GET"], "enabled": True}
    for _ in range(2):
        version = model.version
        model.commanded("hub", "well", [command])
        model.died("hub", "well", {"count": 1, "oldest": [letter]})
        model.ruled("hub", "well", [rule])
        model.offered("hub", [{"name": "drain"}])
    assert model.version == version
    assert model.commands["hub", "well"][0].status == "SENT"
    assert model.dead["hub", "well"][0].size_bytes == 10
    assert model.rules["hub", "well"][0].is_enabled
