"""The contract of routing: a request reaches the site it names, or says why not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio

from daemons.link.requests import Reply
from daemons.link.router import PeerRouter, Router
from protocol.errors import ErrorCode, RequestError

from .pair import open_hub, open_site


async def _name(params: Mapping[str, Any]) -> Reply:
    return Reply({"asked": params["n"]}, b"body")


async def test_a_request_reaches_its_site_while_that_is_connected(tmp_path: Path) -> None:
    async with open_hub(tmp_path / "h") as hub:
        peers = PeerRouter()
        router: Router = peers
        assert not router.is_connected("field")
        with pytest.raises(RequestError) as unknown:
            await router.request("field", "name", {"n": 1}, body_bytes_max=10)
        assert unknown.value.code is ErrorCode.DISCONNECTED
        peers.peers["field"] = hub.peer
        assert not router.is_connected("field")
        with pytest.raises(RequestError) as away:
            await router.request("field", "name", {"n": 1}, body_bytes_max=10)
        assert away.value.code is ErrorCode.DISCONNECTED
        async with open_site(tmp_path / "s", hub.port, handlers={"name": _name}):
            with trio.fail_after(10):
                await hub.peer.wait_connected()
                assert router.is_connected("field")
                answer = await router.request("field", "name", {"n": 2}, body_bytes_max=10)
                assert (answer.result, answer.body) == ({"asked": 2}, b"body")
                with pytest.raises(RequestError) as large:
                    await router.request("field", "name", {"n": 3})
                assert large.value.code is ErrorCode.TOO_LARGE
