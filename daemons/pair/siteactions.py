"""What an operator can have any site do with its link, at its own admin API."""

from collections.abc import Mapping
from typing import Any

import trio
from attrs import asdict

from daemons.link.deadactions import dead_letter_actions
from daemons.link.durable import DurableChannels
from daemons.link.ledger import ledger_action
from daemons.ops.admin.actions import Action, Done, Param
from daemons.ops.authority.identity import Identity

__all__ = ["channel_actions", "channels_status"]

DRAIN_S_MAX = 50.0


def channel_actions(durable: DurableChannels) -> list[Action]:
    """Return drain, the dead letters and the ledger of a site's channels."""

    async def drain(params: Mapping[str, Any], identity: Identity) -> Done:
        async def apply() -> dict[str, Any]:
            with trio.move_on_after(min(max(params["wait_s"], 0.0), DRAIN_S_MAX)) as waiting:
                for channel in durable.statistics():
                    await durable.drained(channel)
            return {"drained": not waiting.cancelled_caught, "channels": channels_status(durable)}

        return Done(apply=apply)

    return [
        Action(
            "drain", drain, "Wait until the hub has everything that was promised to it.",
            params=(Param("wait_s", "number", required=False, default=30.0),),
        ),
        *dead_letter_actions(lambda site: durable, by_site=False),
        ledger_action(lambda site: durable, by_site=False),
    ]  # fmt: skip


def channels_status(durable: DurableChannels) -> dict[str, Any]:
    """Return how the outgoing channels stand, by name."""
    return {
        name: {**asdict(count.held), "unacknowledged": count.outstanding, "in_flight": count.in_flight}
        for name, count in durable.statistics().items()
    }
