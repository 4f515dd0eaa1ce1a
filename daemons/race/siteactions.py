"""What an operator can have a site do, at its own admin API, and how it says of itself that it stands."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from daemons.link.durable import DurableChannels
from daemons.link.requests import Reply
from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity
from daemons.pair.executor import CommandExecutor
from daemons.pair.siteactions import channel_actions
from daemons.race.site import SiteService
from protocol import messages
from protocol.errors import RequestError
from protocol.pathgate import PathGate

__all__ = ["SiteOffice", "answer_rules", "rules_status"]


@frozen
class SiteOffice:
    """The actions of a site."""

    service: SiteService
    commands: CommandExecutor
    durable: DurableChannels

    def actions(self) -> list[Action]:
        """Return them all."""
        pattern = Param("pattern", help="as allowlist.list says it")
        return [
            Action("reconnect", self.reconnect, "End the link and dial again at once."),
            Action(
                "pause", self.pause, "Stop to answer the hub; the local pages go on.",
                params=(Param("for_s", "number", "seconds; without it until resume", required=False),),
            ),
            Action("resume", self.resume, "Answer the hub again."),
            Action(
                "purge", self.purge, "Forget copies, and have the hub's fetched anew.",
                params=(Param("prefix", help="of their paths; without it all", required=False, default=""),),
            ),
            Action(
                "cache.count", self.count, "Count the copies that a purge would hit.", changes=False,
                params=(Param("prefix", help="of their paths; without it all", required=False, default=""),),
            ),
            Action("cache.statistics", self.statistics, "Show what is kept to send differences against.", changes=False),
            Action("allowlist.list", self.rules, "Show what may be fetched.", changes=False),
            Action(
                "allowlist.switch", self.switch, "Switch an entry of the configured allowlist on or off, for good.",
                params=(pattern, Param("enabled", "flag")),
            ),
            *channel_actions(self.durable),
        ]  # fmt: skip

    async def reconnect(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return self._command(identity, messages.Reconnect())

    async def pause(self, params: Mapping[str, Any], identity: Identity) -> Done:
        for_s = params["for_s"]
        if for_s is not None and not 0 < for_s <= 366 * 86400:
            raise ActionRefused("for_s is a number of seconds, a year at most", 400)
        until = None if for_s is None else self.commands.utc_now() + for_s
        return self._command(identity, messages.Pause(until), self.service.paused, {"until": until})

    async def resume(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return self._command(identity, messages.Resume(), self.service.paused, False)

    async def purge(self, params: Mapping[str, Any], identity: Identity) -> Done:
        return self._command(identity, messages.Purge(params["prefix"]))

    async def switch(self, params: Mapping[str, Any], identity: Identity) -> Done:
        pattern, enabled = params["pattern"], params["enabled"]
        known = {rule.pattern: rule.enabled for rule in self.service.gate.rules}
        if pattern not in known:
            raise ActionRefused(
                f"the allowlist has no entry {pattern!r}; only this site's config file can add one", 403
            )
        return self._command(
            identity, messages.AllowlistSwitch(pattern, enabled), known[pattern], enabled, target=pattern
        )

    def _command(
        self,
        identity: Identity,
        action: messages.Action,
        before: Any = None,
        after: Any = None,
        target: str = "",
    ) -> Done:
        async def apply() -> dict[str, Any]:
            try:
                return {"words": await self.commands.act_here(action, identity.who)}
            except (ValueError, RequestError) as exc:
                raise ActionRefused(str(exc)) from exc

        return Done(target=target, before=before, after=after, apply=apply)

    async def rules(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return rules_status(self.service.gate)

    async def statistics(self, params: Mapping[str, Any], identity: Identity) -> Any:
        bodies = self.service.bodies
        return {"bodies_bytes": bodies.size, "bodies_bytes_max": bodies.bytes_max, "paths": bodies.paths}

    async def count(self, params: Mapping[str, Any], identity: Identity) -> Any:
        entries, size = self.service.bodies.count(params["prefix"])
        return {"entries": entries, "bytes": size}


def rules_status(gate: PathGate) -> list[dict[str, Any]]:
    """Return the allowlist as data."""
    return [
        {"pattern": rule.pattern, "methods": sorted(rule.methods), "enabled": rule.enabled}
        for rule in gate.rules
    ]


async def answer_rules(gate: PathGate, params: Mapping[str, Any]) -> Reply:
    """Tell the hub the allowlist: the handler of its request."""
    return Reply({"rules": rules_status(gate)})
