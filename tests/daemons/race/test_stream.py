"""The event stream: what each viewer is sent, over ASGI, with nothing of a server."""

import trio
import trio.testing
from starlette.applications import Starlette
from trio.testing import MockClock

from daemons.race.keeper import BoardKeeper
from daemons.race.pages import race_routes
from daemons.race.stream import IDLE_AGE_S, LIVE_AGE_S, SiteNews
from daemons.race.treekeeper import VERSIONS_MAX
from daemons.web.assets import read_assets
from protocol.errors import ErrorCode, RequestError

from . import makers as make
from .field import fetched, open_field, race_path
from .viewers import LIVE, Viewer, app_of, keeper_of, lap, watching

RACE, ANN = make.race_id(101), make.pilot_id(1)


async def test_a_viewer_gets_the_tree_at_once_and_then_every_change(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    async with watching(viewer):
        headers = dict(viewer.start["headers"])
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"cache-control"] == b"no-store"
        assert viewer.events("sites") == [{"sites": ["pits"], "site": "pits"}]
        assert viewer.events("tree") == [keeper.tree.newest().tree]
        age = {"age_s": 0.0, "stale_after_s": 45.0, "stale": False, "why": None}
        assert viewer.events("age") == [{**age, "now": "1970-01-01T00:00:00.000Z"}]
        for laps in range(1, 4):
            lap(keeper, day, [4.0] * (laps + 1))
            await trio.testing.wait_all_tasks_blocked()
        rows = [patch["races"][RACE]["rows"][ANN] for patch in viewer.events("patch")]
        assert [row["laps"] for row in rows] == [1, 2, 3]
        assert viewer.tree == keeper.tree.newest().tree
        assert viewer.last_id == keeper.tree.newest().id
        assert (len(viewer.events("sites")), len(viewer.events("tree"))) == (1, 1)


async def test_the_age_is_told_while_nothing_changes(autojump_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    async with watching(viewer):
        await trio.sleep(12)
        assert [age["age_s"] for age in viewer.events("age")] == [0.0, IDLE_AGE_S, 2 * IDLE_AGE_S]
        lap(keeper, day, [4.0])
        await trio.sleep(5)
        ages = viewer.events("age")[3:]
        assert [age["age_s"] for age in ages] == [0.0, LIVE_AGE_S, 2 * LIVE_AGE_S]
        keeper.failed("/", RequestError(ErrorCode.ORIGIN_DOWN))
        await trio.sleep(5)
        ages = viewer.events("age")[6:]
        assert [(round(age["age_s"]), age["stale"]) for age in ages] == [(5, False), (7, True), (9, True)]
        assert ages[0]["why"] == "The timing program does not answer"
        assert (len(viewer.events("tree")), len(viewer.events("patch"))) == (1, 1)


async def test_many_viewers_cost_one_encoding_a_change(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    app = app_of({"pits": keeper})
    viewers = [Viewer(app) for _ in range(100)]
    async with watching(*viewers):
        before = dict(keeper.tree.encodings)
        lap(keeper, day, [4.0, 9.0])
        await trio.testing.wait_all_tasks_blocked()
        assert keeper.tree.encodings == {**before, "patch": before["patch"] + 1}
        assert {viewer.text for viewer in viewers} == {viewers[0].text}
        assert len(viewers[0].events("patch")) == 1


async def test_what_changes_nothing_that_is_shown_is_not_told(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    async with watching(viewer):
        text, serial = viewer.text, keeper.serial
        path = day.race(101, Laps=[{"Detection": make.guid(0xE, 7), "LengthSeconds": 9.0, "LapNumber": 1}])
        keeper.apply(path, fetched(path, day.files[path]))
        await trio.testing.wait_all_tasks_blocked()
        assert (keeper.serial, viewer.text) == (serial + 1, text)


async def test_a_slow_viewer_gets_what_he_missed_in_one_piece(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    slow = Viewer(app_of({"pits": keeper}))
    async with watching(slow):
        slow.stop_reading()
        for laps in range(1, 50):
            lap(keeper, day, [4.0] * (laps + 1))
            await trio.testing.wait_all_tasks_blocked()
        slow.read_on()
        await trio.testing.wait_all_tasks_blocked()
        rows = [patch["races"][RACE]["rows"][ANN] for patch in slow.events("patch")]
        assert [row["laps"] for row in rows] == [1, 9]  # the one under way, and all since in one
        assert rows[-1]["over_target"] == 40
        assert slow.tree == keeper.tree.newest().tree


async def test_a_viewer_who_is_far_behind_gets_everything_anew(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    slow = Viewer(app_of({"pits": keeper}))
    async with watching(slow):
        slow.stop_reading()
        for laps in range(1, VERSIONS_MAX + 3):
            lap(keeper, day, [4.0] * (laps + 1))
            keeper.tree.newest()  # somebody else looks
            await trio.testing.wait_all_tasks_blocked()
        slow.read_on()
        await trio.testing.wait_all_tasks_blocked()
        assert (len(slow.events("patch")), len(slow.events("tree"))) == (1, 2)
        assert slow.tree == keeper.tree.newest().tree


async def test_who_comes_back_is_sent_what_he_missed(mock_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    app = app_of({"pits": keeper})
    first = Viewer(app)
    async with watching(first):
        name = first.last_id
    same, asked = Viewer(app, last_event_id=name), Viewer(app, f'after=W/"{name}"&site=pits')
    late = Viewer(app, last_event_id="another")
    async with watching(same, asked, late):
        for viewer in (same, asked):
            assert (viewer.tree, len(viewer.events("age"))) == (None, 1)
        assert late.tree == first.tree
    lap(keeper, day, [4.0, 9.0])
    lap(keeper, day, [4.0, 9.0, 8.0])
    back, both = Viewer(app, last_event_id=name), Viewer(app, "after=old", last_event_id=name)
    async with watching(back, both):
        for viewer in (back, both):
            (patch,) = viewer.events("patch")
            assert patch["races"][RACE]["rows"][ANN]["lap_times"] == [9.0, 8.0]
            assert viewer.events("tree") == []


async def test_the_stream_of_a_site_is_under_its_name_too(mock_clock: MockClock) -> None:
    keeper = keeper_of(open_field([101]))
    app = app_of({"north": keeper, "south": BoardKeeper()})
    viewer = Viewer(app, path="/api/v1/sites/north/stream")
    async with watching(viewer):
        assert viewer.events("sites") == [{"sites": ["north", "south"], "site": "north"}]
        assert viewer.tree == keeper.tree.newest().tree
    nobody = Viewer(app, path="/api/v1/sites/west/stream")
    async with watching(nobody):
        assert nobody.start["status"] == 404
        assert nobody.is_complete


async def test_a_site_that_comes_or_goes_is_told_at_once(mock_clock: MockClock) -> None:
    boards = {"north": keeper_of(open_field([101])), "south": keeper_of(open_field([102]))}
    news = SiteNews()
    routes = race_routes(lambda: boards, read_assets(), utc_now=trio.current_time, news=news)
    app = Starlette(routes=routes)
    chooses, watches, slow = Viewer(app), Viewer(app, "site=north"), Viewer(app, "site=south")
    async with watching(chooses, watches, slow):
        slow.stop_reading()
        gone = boards.pop("north")
        news.tell()
        await trio.testing.wait_all_tasks_blocked()
        assert chooses.events("sites")[-1] == {"sites": ["south"], "site": "south"}
        assert watches.events("sites")[-1] == {"sites": ["south"], "site": None}
        boards["north"] = gone
        news.tell()
        await trio.testing.wait_all_tasks_blocked()
        assert watches.events("sites")[-1] == {"sites": ["north", "south"], "site": "north"}
        assert len(watches.events("tree")) == 2
        slow.read_on()
        await trio.testing.wait_all_tasks_blocked()
        assert slow.events("sites")[-1] == {"sites": ["north", "south"], "site": "south"}


async def test_the_stream_ends_when_the_viewer_leaves(autojump_clock: MockClock) -> None:
    viewer = Viewer(app_of({"pits": keeper_of(open_field([101]))}))
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(viewer.run)
            await trio.testing.wait_all_tasks_blocked()
            viewer.gone.set()
    assert viewer.is_complete


async def test_a_viewer_who_breaks_off_breaks_nothing(autojump_clock: MockClock) -> None:
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    with trio.fail_after(1):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(viewer.run)
            await trio.testing.wait_all_tasks_blocked()
            viewer.is_broken = True
            lap(keeper, day, [4.0])
    assert not viewer.is_complete


async def test_with_several_sites_the_viewer_chooses(autojump_clock: MockClock) -> None:
    north, south = open_field([101], Name="North Cup"), open_field([101], Name="South Cup")
    boards = {"north": keeper_of(north), "south": keeper_of(south)}
    app = app_of(boards)
    viewers = [Viewer(app), Viewer(app, "site="), Viewer(app, "site=south"), Viewer(app, "site=west")]
    async with watching(*viewers):
        for viewer in (viewers[0], viewers[1], viewers[3]):
            assert viewer.events("sites") == [{"sites": ["north", "south"], "site": None}]
            assert viewer.tree is None
        assert viewers[2].events("sites") == [{"sites": ["north", "south"], "site": "south"}]
        assert viewers[2].tree["event"]["name"] == "South Cup"
        boards["west"] = BoardKeeper()
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewers[3].events("sites")[-1]["site"] == "west"
        assert viewers[3].tree["now"]["phase"] == "no_event"


async def test_a_site_that_appears_is_shown_and_stays_when_others_come(autojump_clock: MockClock) -> None:
    boards: dict[str, BoardKeeper] = {}
    viewer = Viewer(app_of(boards))
    async with watching(viewer):
        assert viewer.events("sites") == [{"sites": [], "site": None}]
        boards["north"] = BoardKeeper()
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewer.events("sites")[-1] == {"sites": ["north"], "site": "north"}
        assert len(viewer.events("tree")) == 1
        boards["south"] = BoardKeeper()
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewer.events("sites")[-1] == {"sites": ["north", "south"], "site": "north"}
        del boards["north"]
        await trio.sleep(2 * IDLE_AGE_S)
        assert viewer.events("sites")[-1] == {"sites": ["south"], "site": "south"}
        assert len(viewer.events("tree")) == 2  # the same bytes, but the page had something else on it


async def test_a_name_cannot_break_out_of_the_stream(mock_clock: MockClock) -> None:
    day = open_field([101], Name="a\n\nevent: tree\r\ndata: {}\u2028\u2029")
    viewer = Viewer(app_of({"pits": keeper_of(day)}))
    async with watching(viewer):
        (tree,) = viewer.events("tree")
        assert tree["event"]["name"] == "a event: tree data: {}"


async def test_a_lap_reaches_the_viewer_without_a_wait(mock_clock: MockClock) -> None:
    """Nothing between the keeper and the stream waits for a clock."""
    day = open_field([101])
    keeper = keeper_of(day)
    viewer = Viewer(app_of({"pits": keeper}))
    async with watching(viewer):
        keeper.apply(race_path(101), fetched(day.race(101, **LIVE), day.files[race_path(101)]))
        await trio.testing.wait_all_tasks_blocked()
        assert trio.current_time() == 0.0
        assert viewer.events("patch")[-1]["now"]["phase"] == "live"
