"""Several carriers as one: a step goes to the first that carries it."""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field

from chaos.carrier import Carrier, CarrierError, NotCarried
from chaos.faults import Placed
from chaos.scenario import Deed

__all__ = ["JoinedCarriers"]


@define(eq=False)
class JoinedCarriers:
    """A `chaos.carrier.Carrier`. What is asked of all is asked of all, also when one of them fails."""

    carriers: Sequence[Carrier]
    _by: dict[str, Carrier] = field(factory=dict, init=False)

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        await self._first(step_name, lambda carrier: carrier.place(step_name, target, placed, lease_s))

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        await self._first(step_name, lambda carrier: carrier.deed(step_name, deed, lease_s))

    async def remove(self, step_name: str) -> None:
        if step_name in self._by:
            await self._by[step_name].remove(step_name)

    async def renew(self) -> None:
        await self._all(lambda carrier: carrier.renew())

    async def reset(self) -> None:
        await self._all(lambda carrier: carrier.reset())

    async def touched(self, step_name: str) -> int:
        return await self._by[step_name].touched(step_name) if step_name in self._by else 0

    async def left_over(self) -> list[str]:
        return [line for carrier in self.carriers for line in await carrier.left_over()]

    async def _first(self, step_name: str, begin: Callable[[Carrier], Awaitable[None]]) -> None:
        refusals = []
        for carrier in self.carriers:
            try:
                await begin(carrier)
            except NotCarried as exc:
                refusals.append(str(exc))
            else:
                self._by[step_name] = carrier
                return
        raise NotCarried("; ".join(refusals) or f"{step_name}: there is nothing to carry it")

    async def _all(self, do: Callable[[Carrier], Awaitable[None]]) -> None:
        failed = []
        for carrier in self.carriers:
            try:
                await do(carrier)
            except CarrierError as exc:
                failed.append(str(exc))
        if failed:
            raise CarrierError("; ".join(failed))
