"""Health as data, and the routes that show it."""

import httpx
from starlette.applications import Starlette

from daemons.ops.health import Health, Severity, health_routes
from daemons.ops.metrics import Reading, metrics_route


async def _get(app: Starlette, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path)


async def test_warnings_keep_since_when_and_only_failing_is_503() -> None:
    now = 100.0
    health = Health(lambda: now)
    ready = (True, "ready")
    app = Starlette(
        routes=health_routes(health, ready=lambda: ready, about=lambda: {"site": "field"}, is_public=False)
    )
    told = await _get(app, "/healthz")
    assert (told.status_code, told.json()) == (200, {"status": "ok", "warnings": [], "site": "field"})

    health.set("link", Severity.DEGRADED, "no internet")
    now = 160.0
    health.set("link", Severity.DEGRADED, "still no internet")
    health.set("disk", Severity.FAILING, "the disk is full")
    told = await _get(app, "/healthz")
    assert told.status_code == 503
    assert [(w["name"], w["words"], w["since"]) for w in told.json()["warnings"]] == [
        ("disk", "the disk is full", 160.0),
        ("link", "still no internet", 100.0),
    ]
    health.clear("disk")
    health.clear("disk")
    assert (await _get(app, "/healthz")).status_code == 200
    ready = (False, "nothing to read")
    told = await _get(app, "/readyz")
    assert (told.status_code, told.json()["words"]) == (503, "nothing to read")


async def test_the_public_hears_no_words() -> None:
    health = Health(lambda: 100.0)
    ready = (False, "/var/lib/pitlink-cloud/cloud.db: full")
    about: dict[str, object] = {"daemon": "cloud"}
    routes = health_routes(health, ready=lambda: ready, about=lambda: about, is_public=True)
    health.set("bearer-tokens", Severity.NOTICE, "2 old bearer tokens are let in (anna, otto)")
    app = Starlette(routes=routes)
    assert (await _get(app, "/healthz")).json() == {
        "status": "ok",
        "warnings": [{"name": "bearer-tokens", "severity": "notice"}],
        "daemon": "cloud",
    }
    told = await _get(app, "/readyz")
    assert (told.status_code, told.json()) == (503, {"ready": False})


async def test_metrics_are_read_when_asked_for() -> None:
    value = 1.0

    def readings() -> list[Reading]:
        return [
            Reading("fetches", "Fetches.", value, (("site", "a"),), is_counter=True),
            Reading("fetches", "Fetches.", 5, (("site", 'b"'),), is_counter=True),
            Reading("cache_bytes", "Held.", 7),
        ]

    app = Starlette(routes=[metrics_route(readings)])
    assert 'pitlink_fetches_total{site="a"} 1.0' in (await _get(app, "/metrics")).text
    value = 2.0
    text = (await _get(app, "/metrics")).text
    assert 'pitlink_fetches_total{site="a"} 2.0' in text
    assert 'pitlink_fetches_total{site="b\\""} 5' in text
    assert "pitlink_cache_bytes 7" in text


async def test_a_warning_that_gets_worse_has_a_new_since() -> None:
    now = 100.0
    health = Health(lambda: now)
    health.set("disk", Severity.NOTICE, "filling")
    now = 200.0
    health.set("disk", Severity.FAILING, "full")
    assert [(w.severity, w.since) for w in health.warnings] == [(Severity.FAILING, 200.0)]
    assert health.is_failing
