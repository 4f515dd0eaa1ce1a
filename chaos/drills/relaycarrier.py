"""Faults on connections by a relay's API (`pitlink chaos proxy --api …`, or any Toxiproxy that knows leases)."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import trio
from attrs import define, field

from chaos.carrier import DRILL_PREFIX, CarrierError, NotCarried
from chaos.faults import Placed, show_fault
from chaos.scenario import Deed
from daemons.ops.ask import Place, Unreachable, ask

__all__ = ["RelayCarrier"]

ANSWER_S: Final = 10.0


@define(eq=False)
class RelayCarrier:
    """A `chaos.carrier.Carrier`. `proxies`: the relay's name of each target, such as {"uplink": "relay"}."""

    at: Place
    proxies: Mapping[str, str]
    token: str = field(default="", repr=False)
    _places: dict[str, tuple[str, str]] = field(factory=dict, init=False)
    """By step: proxy and toxic."""
    _met: dict[str, int] = field(factory=dict, init=False)

    async def place(self, step_name: str, target: str, placed: Placed, lease_s: float) -> None:
        proxy = self.proxies.get(target)
        if proxy is None:
            raise NotCarried(f"{step_name}: the relay has no {target}, only {', '.join(self.proxies)}")
        toxic = DRILL_PREFIX + step_name
        body = {
            "name": toxic,
            "type": placed.fault.type,
            "stream": placed.stream.value,
            "toxicity": placed.toxicity,
            "attributes": show_fault(placed.fault),
            "lease_ms": lease_s * 1000,
        }
        status, told = await self._ask("POST", f"/proxies/{quote(proxy)}/toxics", body)
        if status == 409:  # it is there: changed, or left by a drill that was killed
            status, told = await self._ask("POST", self._toxic(proxy, toxic), body)
        if status == 400:
            raise NotCarried(f"{step_name}: the relay does not carry {placed.fault.type}: {_words(told)}")
        self._expect(status, told, f"{step_name} could not be placed")
        self._places[step_name] = proxy, toxic

    async def deed(self, step_name: str, deed: Deed, lease_s: float) -> None:
        raise NotCarried(f"{step_name}: {deed.kind} is done to a machine, and a relay has only connections")

    async def remove(self, step_name: str) -> None:
        if step_name not in self._places:
            return
        await self.touched(step_name)
        status, told = await self._ask("DELETE", self._toxic(*self._places[step_name]))
        if status != 404:  # its lease has ended
            self._expect(status, told, f"{step_name} could not be ended")
        del self._places[step_name]

    async def renew(self) -> None:
        if self._places:
            self._expect(*await self._ask("POST", "/renew"), "the leases could not be renewed")

    async def reset(self) -> None:
        for proxy, toxic in await self._left():
            status, told = await self._ask("DELETE", self._toxic(proxy, toxic))
            if status != 404:
                self._expect(status, told, f"{toxic} could not be ended")
        self._places.clear()

    async def touched(self, step_name: str) -> int:
        if step_name in self._places:
            status, told = await self._ask("GET", self._toxic(*self._places[step_name]))
            if status == 200 and isinstance(told.get("met"), int):
                self._met[step_name] = told["met"]
        return self._met.get(step_name, 0)

    async def left_over(self) -> list[str]:
        return [
            f"{toxic.removeprefix(DRILL_PREFIX)} on the relay's {proxy}"
            for proxy, toxic in await self._left()
        ]

    async def _left(self) -> list[tuple[str, str]]:
        """Return proxy and name of each toxic that a drill placed."""
        status, told = await self._ask("GET", "/proxies")
        self._expect(status, told, "the relay does not say what is set")
        try:
            return [
                (str(name), str(toxic["name"]))
                for name, proxy in told.items()
                for toxic in proxy["toxics"]
                if str(toxic["name"]).startswith(DRILL_PREFIX)
            ]
        except (KeyError, TypeError, AttributeError) as exc:
            raise CarrierError(f"{self.at}: what answers is no relay") from exc

    @staticmethod
    def _toxic(proxy: str, toxic: str) -> str:
        return f"/proxies/{quote(proxy)}/toxics/{quote(toxic)}"

    def _expect(self, status: int, told: Mapping[str, Any], words: str) -> None:
        if not 200 <= status < 300:
            raise CarrierError(f"{self.at}: {words}: {_words(told) or status}")

    async def _ask(
        self, method: str, target: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = b"" if body is None else json.dumps(body).encode()
        try:
            with trio.fail_after(ANSWER_S):
                async with ask(self.at, method, target, headers=headers, body=data) as answer:
                    text = await answer.read_all()
            told = json.loads(text) if text else {}
        except trio.TooSlowError as exc:
            raise CarrierError(f"{self.at}: the relay did not answer in {ANSWER_S:g} s") from exc
        except Unreachable as exc:
            raise CarrierError(str(exc)) from exc
        except ValueError as exc:
            raise CarrierError(f"{self.at}: what answers is no relay") from exc
        return answer.status, told if isinstance(told, dict) else {}


def _words(told: Mapping[str, Any]) -> str:
    return str(told.get("error", ""))
