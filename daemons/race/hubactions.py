"""What an operator can have a hub do: with its own copies, its links, and by commands with its sites."""

from collections.abc import Mapping
from typing import Any

import trio
from attrs import asdict, frozen

from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity
from daemons.pair.desk import CommandDesk
from daemons.pair.hubactions import DeskOffice, refused_in_words
from daemons.pair.hubstatus import peer_status
from daemons.race.cache import SqliteCache
from daemons.race.hub import HubSite
from daemons.race.members import Member, Members
from daemons.race.record import count_events
from daemons.race.watchrows import Row
from protocol import messages
from protocol.errors import ErrorCode, RequestError

__all__ = ["RULES", "HubOffice", "member_status"]

RULES = "rules"
"""The request by which a hub asks a site for its allowlist."""

ASK_S = 5.0
WAIT_S_MAX = 50.0
LOOK_S = 0.1


@frozen
class HubOffice:
    """The actions of a hub."""

    members: Members
    cache: SqliteCache

    def actions(self) -> list[Action]:
        """Return them all."""
        site = Param("site", help="its name")
        prefix = Param("prefix", help="of their paths; without it all", required=False, default="")
        wait = Param(
            "wait_s", "number", "how long to wait for the site's answer", required=False, default=10.0
        )
        return [
            Action("site.reconnect", self.reconnect, "Have a site dial again.", params=(site, wait), site="site"),
            Action(
                "site.pause", self.pause, "Have a site stop to answer.", site="site",
                params=(site, Param("for_s", "number", "seconds; without it until resumed", required=False), wait),
            ),
            Action("site.resume", self.resume, "Have a site answer again.", params=(site, wait), site="site"),
            Action("site.purge", self.purge, "Have a site and the hub forget copies.", params=(site, prefix, wait), site="site"),
            Action(
                "site.allowlist.list", self.rules, "Show what may be fetched of a site.",
                params=(site,), site="site", changes=False,
            ),
            Action(
                "site.allowlist.switch", self.switch, "Switch an entry of a site's own allowlist on or off.",
                params=(site, Param("pattern"), Param("enabled", "flag"), wait), site="site",
            ),
            Action(
                "cache.count", self.count, "Count the hub's copies of a site that a purge would hit.",
                params=(site, prefix), site="site", changes=False,
            ),
            Action("cache.statistics", self.statistics, "Show how the cache of all sites does.", changes=False),
            Action("cache.purge", self.purge_cache, "Forget the hub's copies of a site.", params=(site, prefix), site="site"),
            *self._desks.actions(),
        ]  # fmt: skip

    @property
    def _desks(self) -> DeskOffice:
        return DeskOffice(self.members, count_events)

    def _member(self, params: Mapping[str, Any]) -> Member:
        member: Member = self._desks.seat(params)
        return member

    # --- commands to a site --------------------------------------------------------------------------------------

    async def reconnect(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return self._command(params, identity, messages.Reconnect())

    async def pause(self, params: Mapping[str, Any], identity: Identity) -> Done:
        for_s = params["for_s"]
        if for_s is not None and not 0 < for_s <= 366 * 86400:
            raise ActionRefused("for_s is a number of seconds, a year at most", 400)
        until = None if for_s is None else self._member(params).desk.environment.utc_now() + for_s
        return self._command(params, identity, messages.Pause(until))

    async def resume(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return self._command(params, identity, messages.Resume())

    async def purge(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return self._command(params, identity, messages.Purge(params["prefix"]))

    async def switch(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return self._command(params, identity, messages.AllowlistSwitch(params["pattern"], params["enabled"]))

    def _command(self, params: Mapping[str, Any], identity: Identity, action: messages.Action) -> Done:
        desk = self._member(params).desk
        with refused_in_words():
            id_ = desk.admit(action)

        async def apply() -> dict[str, Any]:
            with refused_in_words():
                await desk.issue(action, identity.who, id_=id_)
            return await _result(desk, id_, params["wait_s"])

        return Done(after={**messages.action_to_map(action), "id": id_}, apply=apply, outcome="begun")

    async def rules(self, params: Mapping[str, Any], identity: Identity) -> Any:
        try:
            with trio.fail_after(ASK_S):
                answer = await self._member(params).site.peer.request(RULES, {})
        except RequestError as exc:
            raise ActionRefused(f"{params['site']} does not say: {exc.words}", 503) from exc
        except trio.TooSlowError:
            raise ActionRefused(f"{params['site']} did not answer in {ASK_S:g} s", 504) from None
        return answer.result.get("rules", [])

    # --- the hub's own -------------------------------------------------------------------------------------------

    async def statistics(self, params: Mapping[str, Any], identity: Identity) -> Any:
        saved = {name: member.site.remote.statistics.bytes_saved for name, member in self.members.items()}
        return {**asdict(self.cache.statistics()), "bytes_saved": saved}

    async def count(self, params: Mapping[str, Any], identity: Identity) -> Any:
        self._member(params)
        entries, size = self.cache.count(params["site"], params["prefix"])
        return {"entries": entries, "bytes": size}

    async def purge_cache(self, params: Mapping[str, Any], identity: Identity) -> Done:
        member = self._member(params)
        after = {"prefix": params["prefix"]}
        return Done(after, after=after, apply=lambda: member.site.purge(params["prefix"]))


async def _result(desk: CommandDesk, id_: str, wait_s: float) -> dict[str, Any]:
    """Return a command as it stands, after waiting for the site's word on it."""
    found: dict[str, Any] = {}
    with trio.move_on_after(min(max(wait_s, 0.0), WAIT_S_MAX)):
        while found.get("decided_at") is None:
            found = await _find(desk, id_)
            await trio.sleep(LOOK_S)
    return found or await _find(desk, id_)


async def _find(desk: CommandDesk, id_: str) -> dict[str, Any]:
    return await desk.find(id_) or {"id": id_, "status": "UNKNOWN"}


def _pause(site: HubSite, now: float) -> dict[str, object]:
    """Say whether an operator has stopped the site's answers, and until when by our clock (None: until resumed). By its
    own word, which is the same of every path; None while it is away."""
    site_now = site.peer.peer_utc_now()
    if site.peer.connection is None or site_now is None:
        return {"paused": None, "paused_until": None}
    told = next(iter(site.subscriber.rows.values()), None)
    row = Row() if told is None else Row.decode(told)
    is_paused = row.failure is not None and row.failure.code is ErrorCode.PAUSED
    until = now + row.until_us / 1e6 - site_now if is_paused and row.until_us else None
    return {"paused": is_paused, "paused_until": until}


def member_status(member: Member, now: float) -> dict[str, Any]:
    """Return how a site stands at its hub, as data."""
    peer, remote = member.site.peer, member.site.remote
    return {
        **peer_status(peer, now),
        **_pause(member.site, now),
        "as_of": member.site.keeper.as_of,
        "age_s": member.site.keeper.freshness(now).age_s,
        "phase": member.site.keeper.board["phase"],
        "fetches_in_flight": remote.in_flight,
        "fetches_waiting": remote.queue_length,
        "fetches": remote.statistics.fetches,
        "fetches_shed": remote.statistics.shed,
        "bytes_saved": remote.statistics.bytes_saved,
        "errors": {code.value: count for code, count in remote.statistics.errors.items()},
    }
