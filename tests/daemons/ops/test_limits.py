"""The limits in force: from the config, changed at run time, kept over restarts, and refused in words."""

from pathlib import Path
from typing import Any

import pytest

from daemons.ops import limits
from daemons.ops.authority.file import open_authority
from daemons.ops.errors import ConfigError
from daemons.ops.limits import FrontLimits, HubLimits, LimitTable, SiteLimits
from daemons.race.config import FetchBounds


async def test_a_change_holds_at_once_and_after_a_restart(tmp_path: Path) -> None:
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        table = LimitTable(HubLimits(), authority)
        told: list[None] = []
        table.on_change.append(lambda: told.append(None))
        assert await table.set("site_fetches_waiting", 7) == (64, 7)
        assert await table.set("client_requests_per_s", 5) == (500.0, 5.0)
        before, after = await table.set("commands_per_s", {"purge": 0.1})
        assert (before["purge"], after) == (1.0, {"purge": 0.1})
        assert (table.now.site_fetches_waiting, len(told)) == (7, 3)
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        table = LimitTable(HubLimits(), authority)
        assert table.get()["site_fetches_waiting"] == 7
        assert table.now.commands_per_s == {"purge": 0.1}
        assert await table.set("site_fetches_waiting", None) == (7, 64)
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        assert LimitTable(HubLimits(site_fetches_waiting=9), authority).now.site_fetches_waiting == 9


async def test_without_a_file_a_change_holds_until_the_end() -> None:
    table = LimitTable(SiteLimits())
    assert await table.set("hub_bytes_per_s", 0) == (16 * 1024 * 1024, 0.0)
    assert table.now.hub_bytes_per_s == 0
    await table.set("hub_bytes_per_s", None)
    assert table.now == SiteLimits()


async def test_a_change_by_another_program_is_loaded(tmp_path: Path) -> None:
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        table = LimitTable(FrontLimits(), authority)
        other = LimitTable(FrontLimits(), authority)
        await other.set("requests_burst", 5)
        table.load()
        assert table.now.requests_burst == 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("no_such_limit", 1),
        ("no_such_limit", None),
        ("configured", 1),
        ("site_fetches_waiting", 0),
        ("site_fetches_waiting", 1.5),
        ("site_fetches_waiting", True),
        ("site_fetches_waiting", "64"),
        ("site_fetches_waiting", 10**9),
        ("client_requests_per_s", -1),
        ("client_requests_per_s", float("nan")),
        ("client_requests_per_s", float("inf")),
        ("client_requests_per_s", []),
        ("commands_per_s", 1),
        ("commands_per_s", {"purge": -1}),
        ("commands_per_s", {"purge": "1"}),
    ],
)
async def test_what_cannot_be_is_refused_in_words(tmp_path: Path, name: str, value: Any) -> None:
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        table = LimitTable(HubLimits(), authority)
        with pytest.raises(ConfigError, match=name):
            await table.set(name, value)
        assert table.now == HubLimits()


async def test_what_this_version_does_not_know_is_left_out(tmp_path: Path) -> None:
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        await LimitTable(HubLimits(), authority).set("requests_burst", 5)
        rows = [("gone", "1"), ("site_fetches_waiting", "-1"), ("client_bytes_burst", "{")]
        await authority.write(
            lambda conn: conn.executemany("INSERT INTO limit_set VALUES (?, ?)", rows) and None
        )
        assert LimitTable(HubLimits(), authority).now == HubLimits(requests_burst=5)


async def test_what_is_held_goes_before_what_is_kept_and_tables_leave_each_others_rows_alone(
    tmp_path: Path,
) -> None:
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        table = LimitTable(HubLimits(), authority)
        other = LimitTable(FetchBounds(), authority, "fetch.")
        table.hold("requests_burst", 9)
        other.hold("fetch.timeout_s", 1)
        await table.set("requests_burst", 5)
        await other.set("fetch.max_in_flight", 3)
        assert (table.now.requests_burst, other.now) == (9, FetchBounds(3, timeout_s=1.0))
        assert table.changed() == {"requests_burst": 4000}
        assert other.changed() == {"fetch.max_in_flight": 8, "fetch.timeout_s": 5.0}
        table.release("requests_burst")
        assert table.now == HubLimits(requests_burst=5)
        for name, value in (("max_in_flight", 1), ("fetch.requests_burst", 1), ("fetch.max_in_flight", 0)):
            with pytest.raises(ConfigError, match=name):
                other.hold(name, value)
        assert other.has("fetch.timeout_s") and not other.has("timeout_s")
    with open_authority(tmp_path, migrations=limits.MIGRATIONS) as authority:
        assert LimitTable(FetchBounds(), authority, "fetch.").now == FetchBounds(3)
