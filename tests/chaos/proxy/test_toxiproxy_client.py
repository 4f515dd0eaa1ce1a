"""A client of Toxiproxy, as it is on PyPI, drives our relay as it would drive Toxiproxy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from toxiproxy import Toxiproxy
from toxiproxy.api import APIConsumer
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists

from tests.chaos.proxy.processes import dial, echo_server, relay_process, round_trip

TOKEN = "a-token-for-this-test-alone"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toxiproxy]:
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN)
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login pitlink password {TOKEN}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with relay_process("--api", "127.0.0.1:0", "--api-token-file", str(token_file)) as (_, lines):
        found = lines.get(timeout=30)
        assert TOKEN not in found
        client = Toxiproxy()
        client.update_api_consumer("127.0.0.1", int(found.rpartition(":")[2]))
        yield client


@pytest.fixture
def echo() -> Iterator[int]:
    with echo_server() as port:
        yield port


@pytest.mark.process
def test_its_own_calls_work(server: Toxiproxy, echo: int) -> None:
    assert server.running()
    assert b'"version"' in server.version()

    proxy = server.create(name="echo", upstream=f"127.0.0.1:{echo}")
    assert not proxy.listen.endswith(":0")
    assert proxy.enabled
    with pytest.raises(ProxyExists):
        server.create(name="echo", upstream=f"127.0.0.1:{echo}")
    assert server.get_proxy("echo").upstream == f"127.0.0.1:{echo}"
    assert server.get_proxy("other") is None

    with dial(proxy.listen) as sock:
        round_trip(sock)
        proxy.add_toxic(type="latency", attributes={"latency": 300, "jitter": 10})
        assert round_trip(sock) > 0.28
        toxic = proxy.get_toxic("latency_downstream")
        assert (toxic.type, toxic.stream, toxic.toxicity) == ("latency", "downstream", 1.0)
        assert toxic.attributes["latency"] == 300
        toxic_url = "/proxies/echo/toxics/latency_downstream"  # it has no word for this
        updated = APIConsumer.post(toxic_url, json={"attributes": {"latency": 100}}).json()
        assert updated["attributes"]["latency"] == 100
        assert updated["attributes"]["jitter"] == 10
        assert round_trip(sock) > 0.08
        proxy.destroy_toxic("latency_downstream")
        assert proxy.toxics() == {}
        proxy.add_toxic(type="reset_peer", name="rst", attributes={"timeout": 0})
        with pytest.raises(ConnectionResetError):
            round_trip(sock)
    with pytest.raises(InvalidToxic):
        proxy.add_toxic(type="nonsense")
    with pytest.raises(NotFound):
        proxy.destroy_toxic("nonsense")

    with proxy.down(), pytest.raises(ConnectionRefusedError):
        dial(proxy.listen)
    proxy.disable()
    assert "rst" in proxy.toxics()
    assert server.reset()
    assert proxy.toxics() == {}
    with dial(proxy.listen) as sock:
        round_trip(sock)

    made = server.populate([{"name": "second", "upstream": f"127.0.0.1:{echo}", "listen": "127.0.0.1:0"}])
    assert [one.name for one in made] == ["second"]
    assert set(server.proxies()) == {"echo", "second"}
    assert proxy.destroy()
    assert set(server.proxies()) == {"second"}
    server.destroy_all()
    assert server.proxies() == {}


@pytest.mark.process
def test_every_type_of_its_takes_its_attributes(server: Toxiproxy, echo: int) -> None:
    proxy = server.create(name="echo", upstream=f"127.0.0.1:{echo}")
    kinds = {
        "bandwidth": {"rate": 100},
        "slow_close": {"delay": 100},
        "timeout": {"timeout": 1000},
        "reset_peer": {"timeout": 1000},
        "slicer": {"average_size": 64, "size_variation": 32, "delay": 10},
        "limit_data": {"bytes": 1000},
    }
    for kind, attributes in kinds.items():
        proxy.add_toxic(type=kind, stream="upstream", toxicity=0.5, attributes=attributes)
        toxic = proxy.get_toxic(f"{kind}_upstream")
        assert (toxic.type, toxic.toxicity) == (kind, 0.5)
        assert attributes.items() <= toxic.attributes.items()
