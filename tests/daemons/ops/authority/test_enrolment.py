"""Enrolment over HTTP, where the hub cannot do it now."""

from base64 import urlsafe_b64encode
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from daemons.ops.authority import sites
from daemons.ops.authority.enrolment import ENROL_PATH, enrolment_routes
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.sitekey import SiteKey, prove_possession
from daemons.store.errors import StorageError, StorageFault
from tests.daemons.ops.authority.forge import NOW, counting, hub_file


async def test_a_hub_whose_disk_is_full_says_when_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_file(tmp_path) as file:
        file.write_now(lambda conn: sites.add_site(conn, "field", NOW))
        code = file.write_now(lambda conn: sites.make_code(conn, "field", NOW, counting(1), 60.0))
        key = SiteKey(Ed25519PrivateKey.generate())
        wish = {
            "code": code,
            "key": urlsafe_b64encode(key.public).decode(),
            "proof": prove_possession(key, code),
        }
        app = Starlette(routes=enrolment_routes(file, "hub", lambda: NOW + 1))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://hub") as client:
            with monkeypatch.context() as patch:

                def full(self: AuthorityFile, work: object) -> None:
                    raise StorageError(StorageFault.DISK_FULL, self.path, "full")

                patch.setattr(AuthorityFile, "write_now", full)
                answer = await client.post(ENROL_PATH, json=wish)
                assert (answer.status_code, answer.json()["code"]) == (503, "BUSY")
                assert answer.headers["retry-after"] == "5"
                assert str(tmp_path) not in answer.text
            assert (await client.post(ENROL_PATH, json=wish)).status_code == 200
