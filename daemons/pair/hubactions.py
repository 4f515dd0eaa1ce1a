"""What an operator can have any hub do with its sites, at its own admin API: their commands, dead letters, ledgers; and drain."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from daemons.link.deadactions import dead_letter_actions
from daemons.link.durable import DurableChannels
from daemons.link.ledger import Effects, ledger_action
from daemons.link.outbox import OutboxFull
from daemons.ops.admin.actions import Action, ActionRefused, Done, Param
from daemons.ops.authority.identity import Identity
from daemons.pair.desk import CommandDesk, TooManyCommands
from daemons.pair.roster import Roster
from protocol.errors import RequestError

__all__ = ["DeskOffice", "refused_in_words"]


@contextmanager
def refused_in_words(id_: str = "") -> Iterator[None]:
    """Make of what a desk raises what the admin API answers. `id_`: of the command that a KeyError is about."""
    try:
        yield
    except TooManyCommands as exc:
        raise ActionRefused(exc.words, 429, retry_after_s=exc.retry_after_s) from exc
    except RequestError as exc:
        raise ActionRefused(exc.words) from exc
    except OutboxFull as exc:
        raise ActionRefused(str(exc), 503) from exc
    except KeyError:
        raise ActionRefused(f"there is no command {id_[:64]!r}", 404) from None


@frozen
class DeskOffice:
    """The actions of a hub on the sites of `roster`. `effects`: counts what came of them, for the ledger; `what`: what
    people call a site."""

    roster: Roster[Any]
    effects: Effects
    what: str = "site"

    def actions(self) -> list[Action]:
        """Return them all."""
        site = Param("site", help="its name")
        one = (site, Param("id", help="as site.commands says it"))
        return [
            Action(
                "site.commands", self._commands, f"List the commands to a {self.what}.",
                params=(site,), site="site", changes=False,
            ),
            Action(
                "site.withdraw", self._withdraw, f"Have a {self.what} not run a command that it has not run yet.",
                params=one, site="site",
            ),
            Action(
                "command.drop", self._drop, "Forget a command that failed or expired.", params=one, site="site"
            ),
            Action(
                "drain", self._drain, f"Be unready, and send the {self.what}s away until this is taken back.",
                params=(Param("enabled", "flag", "false takes it back", required=False, default=True),),
            ),
            *dead_letter_actions(self._channels, by_site=True),
            ledger_action(self._channels, by_site=True, effects=self.effects),
        ]  # fmt: skip

    def seat(self, params: Mapping[str, Any]) -> Any:
        """Return the seat of the site that an action names. Raises ActionRefused (404)."""
        if params["site"] not in self.roster:
            raise ActionRefused(f"there is no {self.what} {params['site'][:64]!r} here", 404)
        return self.roster[params["site"]]

    def _channels(self, site: str) -> DurableChannels | None:
        return self.roster[site].peer.durable if site in self.roster else None

    async def _commands(self, params: Mapping[str, Any], identity: Identity) -> Any:
        return await self.seat(params).desk.listed()

    async def _withdraw(self, params: Mapping[str, Any], identity: Identity) -> Done:
        desk: CommandDesk = self.seat(params).desk
        id_ = params["id"]
        with refused_in_words(id_):
            found = await desk.undecided(id_)

        async def apply() -> dict[str, Any]:
            with refused_in_words(id_):
                await desk.revoke(id_)
            return {
                "words": f"the {self.what} is asked not to run it; that is so when it says that it failed"
            }

        return Done(before=found["status"], after={"id": id_}, apply=apply)

    async def _drop(self, params: Mapping[str, Any], identity: Identity) -> Done:
        desk, id_ = self.seat(params).desk, params["id"]

        async def apply() -> dict[str, Any]:
            if not await desk.drop(id_):
                raise ActionRefused(f"there is no dead letter {id_[:64]!r} of {params['site']}", 404)
            return {"id": id_}

        return Done(before={"id": id_}, after="dropped", apply=apply)

    async def _drain(self, params: Mapping[str, Any], identity: Identity) -> Done:
        enabled = params["enabled"]
        return Done({"draining": enabled}, after=enabled, apply=lambda: self.roster.set_draining(enabled))
