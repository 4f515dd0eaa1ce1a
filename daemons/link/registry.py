"""Which connection owns a site: one row a site, changed by compare-and-set.

In one process a dictionary does; where a hub outgrows a machine the same port will stand on a shared store, and
`node` then says which machine holds the connection.
"""

from typing import Protocol

from attrs import define, field, frozen


@frozen
class Owner:
    """Who holds a site: which node of the hub, which instance of the site, its connection count and its address."""

    node: str
    instance: bytes
    attempt: int
    address: str


@frozen
class Claim:
    """A site's row: `generation` grows with every owner and fences the commits of those before."""

    generation: int
    owner: Owner | None


class SiteRegistry(Protocol):
    """The port. Every method is safe to cancel; a cancelled `claim` may or may not have happened."""

    async def get(self, site: str) -> Claim:
        """Return the site's row; generation 0 and no owner when it was never claimed."""

    async def claim(self, site: str, expected: int, owner: Owner) -> int | None:
        """Make `owner` the owner if the generation is still `expected`. Return the new one, None if it was not."""

    async def release(self, site: str, generation: int) -> None:
        """Leave the site ownerless, unless somebody has claimed it since."""

    async def sites(self) -> dict[str, Claim]:
        """Return every row that has an owner."""


@define(eq=False)
class MemoryRegistry:
    """The registry of a hub that is one process."""

    _rows: dict[str, Claim] = field(factory=dict, init=False)

    async def get(self, site: str) -> Claim:
        return self._rows.get(site, Claim(0, None))

    async def claim(self, site: str, expected: int, owner: Owner) -> int | None:
        if (await self.get(site)).generation != expected:
            return None
        self._rows[site] = Claim(expected + 1, owner)
        return expected + 1

    async def release(self, site: str, generation: int) -> None:
        if (await self.get(site)).generation == generation:
            self._rows[site] = Claim(generation, None)

    async def sites(self) -> dict[str, Claim]:
        return {site: claim for site, claim in self._rows.items() if claim.owner is not None}
