"""What a caller of the cloud sees: validators, ages, marks, and an error of its own for everything that goes wrong."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import trio
from attrs import evolve

from chaos.doubles.fpvtrackside import EventTree, Quirks
from daemons.race.config import FetchConfig, PitsConfig
from daemons.race.keeper import BoardKeeper
from tests.whole.stage import SITE, Stage, open_stage

EVENT = "3a96b1b6-7b6b-43a8-b93e-d918f43607d2"
FILE = f"/events/{EVENT}/Event.json"
BODY = f'[{{"ID": "{EVENT}", "Name": "Club night"}}]'.encode()
PHOTO = b"\x89PNG" + bytes(range(256)) * 8


def tree() -> EventTree:
    return EventTree({FILE: BODY, "httpfiles/Channels.json": b"[]", "httpfiles/photo.png": PHOTO})


def with_fetch(**fetch: Any) -> Any:
    def change(config: PitsConfig) -> PitsConfig:
        return evolve(config, fetch=evolve(FetchConfig(), **fetch))

    return change


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_good_answer_has_its_validator_age_and_type_and_nothing_of_the_origins_headers(
    tmp_path: Path,
) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        answer = await stage.origin(FILE)
        assert (answer.status_code, answer.content) == (200, BODY)
        assert int(answer.headers["age"]) <= 1
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-cache"
        as_of = datetime.fromisoformat(answer.headers["pitlink-as-of"]).timestamp()
        assert abs(as_of - parsedate_to_datetime(answer.headers["date"]).timestamp()) < 5
        assert "pitlink-stale" not in answer.headers
        photo = await stage.origin("/httpfiles/photo.png")
        assert photo.content == PHOTO


async def test_what_a_caller_has_already_is_answered_304(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        etag = (await stage.origin(FILE)).headers["etag"]
        for sent in (etag, f'W/{etag}, "x"', "*"):
            same = await stage.origin(FILE, **{"If-None-Match": sent})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        assert (await stage.origin(FILE, **{"If-None-Match": '"x"'})).status_code == 200
        stage.double.tree.put(FILE, BODY.replace(b"Club", b"Cup"))
        new = await stage.origin(FILE, **{"If-None-Match": etag})
        assert new.status_code == 200
        assert new.headers["etag"] != etag
        assert b"Cup" in new.content


async def test_head_tells_what_get_would(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        head = await stage.callers.head(f"/api/sites/{SITE}/origin{FILE}")
        get = await stage.origin(FILE)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("etag", "content-length", "content-type"):
            assert head.headers[name] == get.headers[name]


async def test_a_file_that_is_not_there_is_an_empty_list_that_says_so(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        answer = await stage.origin(f"/events/{EVENT}/Results.json")
        assert (answer.status_code, answer.content) == (200, b"[]")
        assert answer.headers["pitlink-origin"] == "absent"


async def test_each_error_has_its_status(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree(), pits_config=with_fetch(max_body_bytes=1024)) as stage:
        await stage.connected()
        assert code(await stage.origin("/Profiles/secret.xml")) == (403, "DENIED")
        assert code(await stage.origin("/events/%2e%2e/secret.xml")) == (403, "DENIED")
        assert code(await stage.origin("/events//x")) == (400, "BAD_REQUEST")
        assert code(await stage.origin(FILE + "?x=1")) == (400, "BAD_REQUEST")
        assert code(await stage.origin("/httpfiles/photo.png")) == (502, "TOO_LARGE")
        torn = f"/events/{EVENT}/Stages.json"
        stage.double.tree.put(torn, BODY)
        stage.double.tree.tear(torn, 5)
        invalid = await stage.origin(torn)
        assert code(invalid) == (502, "ORIGIN_INVALID")
        assert "torn" in invalid.json()["words"]
        unknown = await stage.callers.get("/api/sites/nowhere/origin/")
        assert code(unknown) == (404, "NO_SITE")
        nobody = await stage.callers.get(f"/api/sites/{SITE}/origin/", headers={"Authorization": "Bearer x"})
        assert nobody.status_code == 401
        assert (await stage.callers.post(f"/api/sites/{SITE}/origin/")).status_code == 405


async def test_fpvtrackside_off_is_said_in_words_everywhere_and_its_return_is_seen(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        assert (await stage.origin(FILE)).status_code == 200
        stage.double.close_event()
        with trio.fail_after(20):
            while (down := await stage.origin(FILE)).status_code == 200:
                await trio.sleep(0.05)
        assert code(down) == (502, "ORIGIN_DOWN")
        assert "FPVTrackside" in down.json()["words"]
        assert down.json()["last_success"] is not None
        now = stage.environment.utc_now

        def is_told(keeper: BoardKeeper) -> bool:
            return "timing program" in (keeper.freshness(now()).why or "")

        cloud_keeper = stage.cloud.members[SITE].site.keeper
        for keeper in (stage.pits.keeper, cloud_keeper):
            await stage.until(partial(is_told, keeper), 20)
        stage.double.open_event(EVENT)
        await stage.until(lambda: cloud_keeper.freshness(now()).why is None, 30)
        with trio.fail_after(20):  # after a refusal, callers get that answer for a second
            while (await stage.origin(FILE)).status_code != 200:
                await trio.sleep(0.05)


async def test_a_slow_origin_is_a_timeout_and_too_many_at_once_are_told_when_to_come_back(
    tmp_path: Path,
) -> None:
    config = with_fetch(max_in_flight=1, timeout_s=0.5)
    async with open_stage(tmp_path, tree=tree(), pits_config=config) as stage:
        await stage.connected()
        await stage.until(lambda: stage.cloud.members[SITE].site.keeper.as_of is not None)
        stage.double.quirks = evolve(stage.double.quirks, answer_delay_s=1.0)
        answers: list[httpx.Response] = []

        async def ask(path: str) -> None:
            answers.append(await stage.origin(path))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask, "/current")
            nursery.start_soon(ask, "/httpfiles/photo.png")
        assert {code(answer) for answer in answers} <= {(504, "TIMEOUT"), (503, "BUSY")}
        assert (504, "TIMEOUT") in {code(answer) for answer in answers}
        for answer in answers:
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) > 0


async def test_with_the_link_down_the_last_copy_is_marked_and_the_unknown_is_refused(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        fresh = await stage.origin(FILE)
        await stage.stop_pits()
        old = await stage.origin(FILE)
        assert (old.status_code, old.content, old.headers["etag"]) == (200, BODY, fresh.headers["etag"])
        assert old.headers["pitlink-stale"] == "true"
        assert old.headers["pitlink-as-of"] >= fresh.headers["pitlink-as-of"]
        gone = await stage.origin(f"/events/{EVENT}/Pilots2.json")
        assert code(gone) == (503, "DISCONNECTED")
        assert int(gone.headers["retry-after"]) > 0
        assert gone.json()["last_success"] is not None
        [site] = (await stage.callers.get("/api/sites")).json()
        assert (site["site"], site["connected"]) == (SITE, False)
        assert site["last_seen"] is not None
        await stage.start_pits()
        await stage.connected()
        assert "pitlink-stale" not in (await stage.origin(FILE)).headers


async def test_the_journal_can_be_read_and_a_hostile_position_is_a_bad_request(tmp_path: Path) -> None:
    async with open_stage(tmp_path, tree=tree()) as stage:
        await stage.connected()
        path = f"/api/sites/{SITE}/events"
        with trio.fail_after(15):
            while not (events := (await stage.callers.get(path)).json()):
                await trio.sleep(0.05)
        assert events[0]["type"] == "event.opened"
        assert events[0]["what"]["name"] == "Club night"
        assert (await stage.callers.get(path, params={"after": str(events[-1]["id"])})).json() == []
        for after in ("-1", "x", "²", "9" * 40):
            assert code(await stage.callers.get(path, params={"after": after})) == (400, "BAD_REQUEST")


async def test_pits_alone_serve_the_field(tmp_path: Path) -> None:
    def alone(config: PitsConfig) -> PitsConfig:
        return evolve(config, cloud_url="")

    async with open_stage(tmp_path, tree=tree(), quirks=Quirks.old(), pits_config=alone) as stage:
        assert stage.pits.dialer is None
        assert stage.pits.front is not None
        await _shows_the_event(stage, f"http://127.0.0.1:{stage.pits.front.ports[0]}")
        assert stage.cloud.members[SITE].site.peer.connection is None


async def _shows_the_event(stage: Stage, page: str) -> None:
    async with httpx.AsyncClient(base_url=page, trust_env=False) as client:
        assert "<html" in (await client.get("/")).text
        with trio.fail_after(15):
            while True:
                board = (await client.get("/api/board")).json()["board"]
                if board["event"] is not None:
                    break
                await trio.sleep(0.05)
        assert board["event"]["name"] == "Club night"
        assert (await client.get("/readyz")).status_code == 200
