"""Proofs of sites: what an attacker can make of them, and nonces that are good once. The key file."""

import base64
import hmac
import json
import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemons.ops.authority.identity import Unauthorised
from daemons.ops.authority.sitekey import (
    SiteKey,
    check_possession,
    load_site_key,
    prove_possession,
    save_site_key,
)
from daemons.ops.authority.siteproof import (
    CHALLENGE_S,
    Challenge,
    Claim,
    NonceBook,
    check_proof,
    make_proof,
    parse_challenge,
    read_claim,
)
from daemons.ops.errors import ConfigError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
CLAIM = Claim("field", "00" * 16, 3)
HUB = "hub-1"


def _b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


BODY = {"iss": "field", "aud": HUB, "nonce": "n", "instance": "00" * 16, "attempt": 3}
HEAD = {"alg": "EdDSA", "typ": "pitlink-site+jwt"}


def _signed(body: dict[str, Any], key: Ed25519PrivateKey = KEY, **head: Any) -> str:
    return jwt.encode(body, key, algorithm="EdDSA", headers={**HEAD, **head})


def _forged(head: dict[str, Any], body: dict[str, Any], secret: bytes | None) -> str:
    signed = f"{_b64(head)}.{_b64(body)}"
    return f"{signed}.{'' if secret is None else _b64(hmac.digest(secret, signed.encode(), sha256))}"


def _judge(token: str) -> None:
    assert read_claim(token) == "n"
    check_proof(token, PUBLIC, CLAIM, HUB)


def test_a_good_proof_is_good() -> None:
    _judge(make_proof(KEY, CLAIM, HUB, "n"))


PEM = KEY.public_key().public_bytes_raw()


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (_signed(BODY, Ed25519PrivateKey.generate()), "signature"),
        (_signed({**BODY, "iss": "other"}), "issuer"),
        (_signed({**BODY, "aud": "hub-2"}), "audience"),
        (_signed({**BODY, "aud": [HUB, "hub-2"]}), "audience"),
        (_signed({**BODY, "instance": "11" * 16}), "replayed"),
        (_signed({**BODY, "attempt": 2}), "replayed"),
        (_signed({**BODY, "attempt": True}), "replayed"),
        (_signed({key: value for key, value in BODY.items() if key != "instance"}), "malformed"),
        (_signed({**BODY, "nonce": 7}), "malformed"),
        (_signed(BODY, typ="JWT"), "malformed"),  # a user's token, a refresh token
        (_forged({**HEAD, "alg": "none"}, BODY, None), "algorithm"),
        (_forged({**HEAD, "alg": "HS256"}, BODY, PUBLIC), "algorithm"),
        (_forged({**HEAD, "alg": "HS256"}, BODY, _b64(PUBLIC).encode()), "algorithm"),
        (_forged({**HEAD, "alg": "EdDSA"}, BODY, PUBLIC), "signature"),
        (_forged({**HEAD, "alg": "EdDSA"}, BODY, None), "signature"),
        (_forged({**HEAD, "alg": ["EdDSA"]}, BODY, PUBLIC), "algorithm"),
        ("", "malformed"),
        ("a.b.c", "malformed"),
        ("..", "malformed"),
        (_b64(b"[" * 500) + "." + _b64(b"[" * 900) + ".", "malformed"),
        ("x" * 5000, "malformed"),
        (_signed(BODY)[:-2], "signature"),
        (_signed(BODY) + ".x", "malformed"),
        ("pl_" + "x" * 43, "malformed"),
    ],
    ids=lambda value: value if len(value) < 20 else "token",
)
def test_what_an_attacker_makes_is_refused_with_its_code(token: str, code: str) -> None:
    with pytest.raises(Unauthorised) as caught:
        _judge(token)
    assert caught.value.code == code or (code == "signature" and caught.value.code == "malformed")
    if token:
        assert token not in caught.value.words


def _used(book: NonceBook, nonce: str, site: str, now: float) -> str:
    try:
        book.check(nonce, site, now)
    except Unauthorised as exc:
        return exc.code
    book.use(nonce, site)
    return "good"


def test_a_nonce_of_a_challenge_is_good_once_and_not_for_long() -> None:
    book = NonceBook(os.urandom)
    nonce = book.challenge(100.0)
    assert _used(book, nonce, "a", 101.0) == "good"
    assert _used(book, nonce, "a", 102.0) == "replayed"
    late = book.challenge(100.0)
    assert _used(book, late, "a", 100.0 + CHALLENGE_S) == "replayed"
    assert _used(book, late, "a", 99.0) == "replayed"  # of the future: another clock's
    assert _used(NonceBook(os.urandom), book.challenge(100.0), "a", 101.0) == "replayed"  # another hub's


def test_a_nonce_has_one_spelling() -> None:
    book = NonceBook(os.urandom)
    nonce = book.challenge(5.0)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert _used(book, nonce, "a", 6.0) == "good"
    for last in alphabet:
        assert _used(book, nonce[:-1] + last, "a", 6.0) == "replayed"
    for strange in (nonce + "=", nonce + "\n", " " + nonce, nonce + "A", "", "é", nonce.swapcase()):
        assert _used(book, strange, "a", 6.0) == "replayed"


def test_the_nonce_of_a_hello_lives_until_it_is_used_or_replaced() -> None:
    book = NonceBook(os.urandom)
    first, other = book.next_for("a"), book.next_for("b")
    second = book.next_for("a")
    assert _used(book, first, "a", 9e9) == "replayed"
    assert _used(book, other, "a", 0.0) == "replayed"  # another site's
    assert _used(book, second, "a", 9e9) == "good"
    assert _used(book, second, "a", 9e9) == "replayed"


def test_what_is_remembered_of_used_nonces_is_bounded_and_forgotten() -> None:
    book = NonceBook(os.urandom)
    told = [_used(book, book.challenge(1.0), "a", 1.0) for _ in range(400)]
    assert told.count("good") == 256
    assert _used(book, book.challenge(1.0), "b", 1.0) == "good"
    assert _used(book, book.challenge(40.0), "a", 40.0) == "good"
    assert len(book._used["a"]) == 1


@pytest.mark.parametrize("error", ["", "replayed"])
def test_a_challenge_is_read_as_it_was_written_beside_others_too(error: str) -> None:
    challenge = Challenge("bm9uY2U", "hub-0a", error)
    assert parse_challenge(str(challenge)) == challenge
    assert parse_challenge(f"Bearer, {challenge}, Basic realm=x") == challenge
    assert parse_challenge("Bearer") is None
    assert parse_challenge('Pitlink nonce="a b", hub="h"') is None


def test_the_key_file_is_its_owners_and_names_site_and_hub(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "site.key"
    key = SiteKey(KEY, "field", HUB)
    save_site_key(path, key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = load_site_key(path)
    assert read is not None
    assert (read.site, read.hub, read.public) == ("field", HUB, PUBLIC)
    assert "PRIVATE" not in repr(read)
    assert load_site_key(tmp_path / "none") is None
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_site_key(path)


@pytest.mark.parametrize(
    "damage", [b"", b"-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n", b"\xff\xfe"]
)
def test_a_damaged_key_file_is_said_without_what_is_in_it(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "site.key"
    path.write_bytes(damage)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="it is damaged") as caught:
        load_site_key(path)
    assert "MC4C" not in str(caught.value)


def test_possession_is_proven_for_one_code_and_key() -> None:
    proof = prove_possession(SiteKey(KEY), "7KQF-2M9X-T4ZD")
    assert check_possession(PUBLIC, "7kqf 2m9x t4zd", proof)
    assert not check_possession(PUBLIC, "7KQF-2M9X-T4ZE", proof)
    assert not check_possession(
        Ed25519PrivateKey.generate().public_key().public_bytes_raw(), "7KQF-2M9X-T4ZD", proof
    )
    assert not check_possession(PUBLIC, "7KQF-2M9X-T4ZD", "!")
    assert not check_possession(b"short", "7KQF-2M9X-T4ZD", proof)
