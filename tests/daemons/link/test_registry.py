"""The contract of the registry: one owner a site, changed by compare-and-set. Every implementation is held to it."""

import pytest

from daemons.link.registry import Claim, MemoryRegistry, Owner, SiteRegistry

A = Owner("node 1", b"a" * 16, 1, "192.0.2.1")
B = Owner("node 2", b"b" * 16, 1, "192.0.2.2")


@pytest.fixture(params=[MemoryRegistry])
def registry(request: pytest.FixtureRequest) -> SiteRegistry:
    made: SiteRegistry = request.param()
    return made


async def test_a_site_that_was_never_claimed_has_generation_0_and_no_owner(registry: SiteRegistry) -> None:
    assert await registry.get("field") == Claim(0, None)
    assert await registry.sites() == {}


async def test_a_claim_holds_only_against_the_generation_it_has_seen(registry: SiteRegistry) -> None:
    first = await registry.claim("field", 0, A)
    assert first is not None and first > 0
    assert await registry.claim("field", 0, B) is None
    assert await registry.get("field") == Claim(first, A)
    second = await registry.claim("field", first, B)
    assert second is not None and second > first
    assert await registry.sites() == {"field": Claim(second, B)}


async def test_released_a_site_is_ownerless_and_its_generation_still_grows(registry: SiteRegistry) -> None:
    first = await registry.claim("field", 0, A)
    assert first is not None
    await registry.release("field", first)
    assert (await registry.get("field")).owner is None
    assert await registry.sites() == {}
    assert await registry.claim("field", 0, B) is None  # who has not seen what happened since
    second = await registry.claim("field", (await registry.get("field")).generation, B)
    assert second is not None and second > first


async def test_a_release_that_comes_too_late_takes_nothing_from_the_next_owner(
    registry: SiteRegistry,
) -> None:
    first = await registry.claim("field", 0, A)
    assert first is not None
    second = await registry.claim("field", first, B)
    assert second is not None
    await registry.release("field", first)
    assert await registry.get("field") == Claim(second, B)


async def test_sites_do_not_know_of_each_other(registry: SiteRegistry) -> None:
    assert await registry.claim("field", 0, A) == await registry.claim("hall", 0, B)
    assert {name: claim.owner for name, claim in (await registry.sites()).items()} == {"field": A, "hall": B}
