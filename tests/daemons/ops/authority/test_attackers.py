"""The attacker's table: each token that must not be let in, the code it is refused with, and no word of it in the logs."""

import hashlib
import hmac
import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest
from attrs import frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemons.ops.authority.authoriser import Authoriser
from daemons.ops.authority.file import AuthorityFile
from daemons.ops.authority.identity import Forbidden, Identity, Refusal, Role, Unauthorised
from daemons.ops.authority.keys import rotate_keys
from daemons.ops.authority.lockout import lock_out
from daemons.ops.authority.sessions import start_session
from daemons.ops.authority.tokens import revoke_token
from daemons.ops.authority.users import add_user
from daemons.ops.tokens import Role as OldRole
from daemons.ops.tokens import TokenTable
from tests.daemons.ops.authority import forge
from tests.daemons.ops.authority.forge import NOW, forged, hub_file, issued, part, parts, signed_again

ATTACKER = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)


@frozen
class Scene:
    """What an attacker meets: a hub, a good operator's token for `field`, and a clock."""

    file: AuthorityFile
    authoriser: Authoriser
    bearers: TokenTable
    token: str
    clock: list[float]
    folder: Path

    def again(self, head: dict[str, object] | None = None, **claims: object) -> str:
        return self.file.read(lambda conn: signed_again(conn, self.token, head or {}, claims))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with hub_file(tmp_path / "hub") as file:
        clock = [NOW + 60]
        bearers = TokenTable(tmp_path / "tokens.toml")
        token = issued(file, "operator", Role.OPERATOR, ("field",))
        yield Scene(file, Authoriser(file, bearers, lambda: clock[0]), bearers, token, clock, tmp_path)


def _revoked(scene: Scene) -> str:
    scene.file.write_now(lambda conn: revoke_token(conn, "operator", NOW + 30))
    return scene.token


def _expired(scene: Scene) -> str:
    scene.clock[0] = NOW + 30 * 86400
    return scene.token


def _other_hub(scene: Scene) -> str:
    with hub_file(scene.folder / "other", start=500) as other:
        return issued(other, "operator", Role.OPERATOR, ("field",))


def _of_rotated_key(scene: Scene) -> str:
    scene.file.write_now(lambda conn: rotate_keys(conn, NOW + 30, forge.counting(700), at_once=True))
    return scene.token


def _stolen_key(scene: Scene, **claims: object) -> str:
    """Signed with a copy of the hub's key, and everything but the table's own rows at hand."""
    return scene.again(**claims)


def _stolen_key_rotated(scene: Scene) -> str:
    token = _stolen_key(scene)
    scene.file.write_now(lambda conn: lock_out(conn, NOW + 30, forge.counting(700)))
    return token


def _of_a_person(scene: Scene, **claims: object) -> str:
    """A stolen key signs for the session of somebody who has signed in."""

    def work(conn: apsw.Connection) -> str:
        add_user(conn, "anna", "hash", Role.VIEWER, ("field",), NOW)
        return start_session(
            conn, Identity("user", "anna", Role.VIEWER, ("field",)), NOW, forge.counting(900)
        ).token

    token = scene.file.write_now(work)
    scene.authoriser.require(f"Bearer {token}", Role.VIEWER, "field")
    return scene.file.read(lambda conn: signed_again(conn, token, {}, claims))


def _of_one_disabled(scene: Scene) -> str:
    token = _of_a_person(scene)
    # As an attacker with the file open could leave it: the person is out, the session's row was not ended.
    scene.file.write_now(lambda conn: conn.execute("UPDATE user SET disabled_at = 1"))
    return token


def _unsigned(scene: Scene, algorithm: str) -> str:
    head, claims, _ = parts(scene.token)
    return f"{part({**head, 'alg': algorithm})}.{part({**claims, 'role': 'admin'})}."


def _confused(scene: Scene, algorithm: str, secret: bytes) -> str:
    """Signed by HMAC with the public key as its secret: what a verifier that believes `alg` takes for good."""
    head, claims, _ = parts(scene.token)
    text = f"{part({**head, 'alg': algorithm})}.{part(claims)}"
    digest = hmac.digest(secret, text.encode(), hashlib.sha256)
    return f"{text}.{urlsafe_b64encode(digest).decode().rstrip('=')}"


def _pem(scene: Scene) -> bytes:
    public = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _swapped_claims(scene: Scene) -> str:
    head, _, signature = scene.token.split(".")
    known = parts(scene.token)[1]
    return f"{head}.{part({**known, 'role': 'admin', 'sites': ['*']})}.{signature}"


JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "x": urlsafe_b64encode(ATTACKER.public_key().public_bytes_raw()).decode().rstrip("="),
}

TABLE: dict[str, tuple[str, Callable[[Scene], str]]] = {
    "stolen, then revoked": ("revoked", _revoked),
    "expired": ("expired", _expired),
    "issued by a key that was rotated out at once": ("key", _of_rotated_key),
    "another hub's": ("key", _other_hub),
    "wrong issuer": ("issuer", lambda s: s.again(iss="hub-of-somebody")),
    "no issuer": ("malformed", lambda s: s.again(iss=None)),
    "wrong audience": ("audience", lambda s: s.again(aud=forge.name_of(s.file))),
    "several audiences": ("audience", lambda s: s.again(aud=["x", f"{forge.name_of(s.file)}/api"])),
    "no expiry": ("malformed", lambda s: s.again(exp=None)),
    "expiry that is no number": ("malformed", lambda s: s.again(exp="never")),
    "expiry that is true": ("malformed", lambda s: s.again(exp=True)),
    "from the future": ("early", lambda s: s.again(iat=int(NOW) + 3600)),
    "alg=none": ("algorithm", lambda s: _unsigned(s, "none")),
    "alg=nOnE": ("algorithm", lambda s: _unsigned(s, "nOnE")),
    "EdDSA without a signature": ("signature", lambda s: _unsigned(s, "EdDSA")),
    "HS256 with the public key": ("algorithm", lambda s: _confused(s, "HS256", forge.public_of(s.file))),
    "HS256 with a PEM": ("algorithm", lambda s: _confused(s, "HS256", _pem(s))),
    "HMAC called EdDSA": ("signature", lambda s: _confused(s, "EdDSA", forge.public_of(s.file))),
    "ES256": ("algorithm", lambda s: _confused(s, "ES256", b"x" * 32)),
    "no alg": ("algorithm", lambda s: f"{part({'kid': 'x', 'typ': forge.TYPE})}.{part({})}.AAAA"),
    "unknown kid": ("key", lambda s: forged(s.token, {"kid": "k-000000000000"}, {}, ATTACKER)),
    "no kid": ("malformed", lambda s: forged(s.token, {"kid": None}, {}, ATTACKER)),
    "kid that is a path": ("key", lambda s: forged(s.token, {"kid": "../../dev/null"}, {}, ATTACKER)),
    "kid that is SQL": ("key", lambda s: forged(s.token, {"kid": "' OR 1=1 --"}, {}, ATTACKER)),
    "our kid, another's key": ("signature", lambda s: forged(s.token, {}, {"role": "admin"}, ATTACKER)),
    "another's key in the header": ("signature", lambda s: forged(s.token, {"jwk": JWK}, {}, ATTACKER)),
    "jku": ("signature", lambda s: forged(s.token, {"jku": "https://evil.example/k"}, {}, ATTACKER)),
    "crit": ("malformed", lambda s: s.again({"crit": ["b64"], "b64": False})),
    "another type": ("malformed", lambda s: s.again({"typ": "pitlink-site+jwt"})),
    "claims of another": ("signature", _swapped_claims),
    "unknown id": ("unknown", lambda s: s.again(jti="00" * 9)),
    "id that is a list": ("malformed", lambda s: s.again(jti=["x"])),
    "made-up session": ("unknown", lambda s: s.again(sid="00" * 9)),
    "role of a site": ("malformed", lambda s: s.again(role="site")),
    "role nobody has": ("malformed", lambda s: s.again(role="root")),
    "sites that are a text": ("malformed", lambda s: s.again(sites="*")),
    "a signature of zeros": ("signature", lambda s: s.token.rpartition(".")[0] + "." + "A" * 86),
    "two parts": ("malformed", lambda s: s.token.rpartition(".")[0]),
    "five parts": ("malformed", lambda s: s.token + ".a.b"),
    "huge": ("malformed", lambda s: s.token + "A" * 8000),
    "stolen key, more role": ("differs", lambda s: _stolen_key(s, role="admin")),
    "stolen key, more sites": ("differs", lambda s: _stolen_key(s, sites=["*"])),
    "stolen key, another name": ("differs", lambda s: _stolen_key(s, sub="somebody")),
    "stolen key, for ever": ("differs", lambda s: _stolen_key(s, exp=int(NOW) + 10**9)),
    "stolen key, then rotated at once": ("key", _stolen_key_rotated),
    "stolen key, a person's role": ("differs", lambda s: _of_a_person(s, role="admin")),
    "stolen key, a person's sites": ("differs", lambda s: _of_a_person(s, sites=["*"])),
    "stolen key, another person": ("differs", lambda s: _of_a_person(s, sub="bob")),
    "stolen key, a person who is disabled": ("ended", _of_one_disabled),
    "an unknown bearer token": ("unknown", lambda s: "pl_" + "A" * 43),
}


@pytest.mark.parametrize("name", TABLE)
def test_none_of_them_is_let_in(scene: Scene, name: str, caplog: pytest.LogCaptureFixture) -> None:
    code, make = TABLE[name]
    assert scene.authoriser.identify(f"Bearer {scene.token}").name == "operator"
    token = make(scene)
    with caplog.at_level(logging.DEBUG), pytest.raises(Unauthorised) as refused:
        scene.authoriser.require(f"Bearer {token}", Role.VIEWER, "field")
    assert refused.value.code == code
    assert refused.value.status == 401
    said = f"{refused.value.words} {refused.value!r} {caplog.text}"
    assert not any(len(secret) > 8 and secret in said for secret in (token, *token.split(".")))


@pytest.mark.parametrize(
    ("role", "site", "code"),
    [
        (Role.OPERATOR, "elsewhere", "site"),
        (Role.OPERATOR, None, "site"),
        (Role.OPERATOR, "fiel", "site"),
        (Role.OPERATOR, "*", "site"),
        (Role.ADMIN, "field", "role"),
        (Role.SITE, "field", "role"),
    ],
)
def test_another_sites_id_and_more_than_the_role(
    scene: Scene, role: Role, site: str | None, code: str
) -> None:
    with pytest.raises(Forbidden) as refused:
        scene.authoriser.require(f"Bearer {scene.token}", role, site)
    assert (refused.value.status, refused.value.code) == (403, code)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Basic dXNlcjpwYXNz", "bearer-x y"])
def test_a_header_without_a_token(scene: Scene, header: str | None) -> None:
    with pytest.raises(Unauthorised) as refused:
        scene.authoriser.identify(header)
    assert refused.value.code == ("missing" if header is None else "malformed")


def test_skewed_clocks(scene: Scene) -> None:
    """The hub's clock went back: a minute is forgiven, an hour is not; nothing lives past its expiry."""
    for offset, code in ((-59, ""), (-61, "early"), (30 * 86400 - 1, ""), (30 * 86400, "expired")):
        scene.clock[0] = NOW + offset
        if not code:
            scene.authoriser.identify(f"Bearer {scene.token}")
            continue
        with pytest.raises(Unauthorised) as refused:
            scene.authoriser.identify(f"Bearer {scene.token}")
        assert refused.value.code == code


def test_old_bearer_tokens_have_their_roles_and_no_more(scene: Scene) -> None:
    caller = scene.bearers.add("reader", OldRole.CALLER, "*")
    operator = scene.bearers.add("desk", OldRole.OPERATOR, "field")
    site = scene.bearers.add("field", OldRole.SITE, "field")
    require = scene.authoriser.require
    assert require(f"Bearer {caller}", Role.VIEWER, "anywhere").kind == "bearer"
    assert require(f"Bearer {operator}", Role.OPERATOR, "field").name == "desk"
    assert require(f"Bearer {site}", Role.SITE, "field").role is Role.SITE
    for token, role in ((caller, Role.OPERATOR), (operator, Role.ADMIN), (site, Role.VIEWER)):
        with pytest.raises(Forbidden):
            require(f"Bearer {token}", role, "field")


def test_refusals_are_counted_by_code(scene: Scene) -> None:
    for header in (None, None, "Bearer x.y.z"):
        with pytest.raises(Refusal):
            scene.authoriser.identify(header)
    assert scene.authoriser.refusals == {"missing": 2, "malformed": 1}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}", fullmatch=True))
def test_whatever_is_sent_is_refused_in_order(scene: Scene, text: str) -> None:
    with pytest.raises(Unauthorised):
        scene.authoriser.identify(f"Bearer {text}")


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_good_token_with_one_character_changed_is_refused(scene: Scene, data: st.DataObject) -> None:
    """But for the last character of each part, whose low bits say nothing in base64."""
    place = data.draw(st.integers(0, len(scene.token) - 2).filter(lambda at: scene.token[at + 1] != "."))
    letter = data.draw(st.sampled_from("ABCXYZabcxyz019-_.").filter(lambda new: new != scene.token[place]))
    with pytest.raises(Unauthorised):
        scene.authoriser.identify(f"Bearer {scene.token[:place]}{letter}{scene.token[place + 1 :]}")
