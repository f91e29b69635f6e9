"""S32 and S33: the header of a token chooses neither the algorithm nor the key."""

from __future__ import annotations

import hmac
import json
import socket
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from tests.security.browsing import (
    claims_of,
    compact,
    decoded,
    encoded,
    header_of,
    opened_files,
    shared_world,
    signer,
    watched_statements,
)
from tests.security.browsing_tokens import Stage
from tests.world import World

STRANGER = RSAKey.generate_key(2048, {"kid": "stranger"})
everybody = pytest.mark.parametrize("consumer", Stage.EVERYBODY)


@pytest.fixture(scope="module")
def stage(furnished_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One for all: what is refused changes nothing."""
    with shared_world(furnished_folder, tmp_path_factory) as world:
        yield Stage(world)


def test_sec_32_each_consumer_takes_the_genuine_token(world: World) -> None:
    """In this order, since the last of the bearers revokes it, and the last hint signs out."""
    stage = Stage(world)
    for consumer in Stage.EVERYBODY:
        assert stage.takes(consumer, stage.genuine(consumer)), consumer


@pytest.mark.parametrize("alg", ["none", "nOnE", "NONE", "", None, ["none"], "ES257", "HS1"])
@everybody
def test_sec_32_no_algorithm_of_the_headers_choice_counts(
    stage: Stage, consumer: str, alg: object
) -> None:
    genuine = stage.genuine(consumer)
    header, payload = header_of(genuine), decoded(genuine.split(".")[1])
    signature = decoded(genuine.split(".")[2])
    for forged in (
        compact({**header, "alg": alg}, payload, b""),
        compact({**header, "alg": alg}, payload, signature),
        compact({"alg": alg}, payload, b""),
    ):
        assert not stage.takes(consumer, forged), forged


def public_spellings(stage: Stage, consumer: str) -> dict[str, bytes]:
    """The verifying key in each form that anybody can fetch."""
    if consumer in Stage.OF_CLIENTS:
        machine: Any = stage.machine_key
        public, jwk = machine.public_key, machine.as_dict(private=False)
    else:
        key = stage.world.held.key_ring.current(stage.world.clock()).find(
            header_of(stage.genuine(consumer))["kid"]
        )
        assert key
        public, jwk = key.public, key.public_jwk
    form = PublicFormat.SubjectPublicKeyInfo
    members: dict[str, Any] = dict(jwk)
    return {
        "PEM": public.public_bytes(Encoding.PEM, form),
        "PEM without its last line end": public.public_bytes(Encoding.PEM, form).strip(),
        "DER": public.public_bytes(Encoding.DER, form),
        "JWK": json.dumps(members).encode(),
        "its number": decoded(str(members.get("n") or members.get("x"))),
        "nothing": b"",
    }


@everybody
def test_sec_32_a_public_key_is_no_hmac_secret(stage: Stage, consumer: str) -> None:
    genuine = stage.genuine(consumer)
    payload = decoded(genuine.split(".")[1])
    for spelling, secret in public_spellings(stage, consumer).items():
        header = {**header_of(genuine), "alg": "HS256"}
        signed = compact(header, payload, b"").rstrip(".")
        mac = hmac.new(secret, signed.encode(), sha256).digest()
        assert not stage.takes(consumer, f"{signed}.{encoded(mac)}"), spelling


@everybody
def test_sec_32_an_rsa_public_key_is_no_hmac_secret_under_any_consumer(
    stage: Stage, consumer: str
) -> None:
    """The ring holds RSA keys too; naming one of them changes nothing."""
    key = signer(stage.world, "RS256")
    assert isinstance(key.public, rsa.RSAPublicKey)
    secret = key.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    genuine = stage.genuine(consumer)
    header = {**header_of(genuine), "alg": "HS256", "kid": key.kid}
    signed = compact(header, decoded(genuine.split(".")[1]), b"").rstrip(".")
    mac = hmac.new(secret, signed.encode(), sha256).digest()
    assert not stage.takes(consumer, f"{signed}.{encoded(mac)}")


def embedded(kid: str) -> dict[str, dict[str, Any]]:
    """Headers that offer the stranger's own key."""
    public = dict(STRANGER.as_dict(private=False))
    return {
        "jwk": {"kid": kid, "jwk": {**public, "kid": kid}},
        "jwk without kid": {"jwk": public},
        "jku": {"kid": kid, "jku": "http://127.0.0.1:9/jwks"},
        "x5u": {"kid": kid, "x5u": "http://127.0.0.1:9/chain.pem"},
        "x5c": {"kid": kid, "x5c": [encoded(b"not a certificate")]},
        "its own kid": {"kid": "stranger"},
        "no kid": {},
    }


@everybody
@pytest.mark.parametrize("trick", list(embedded("")))
def test_sec_33_a_key_that_the_token_brings_along_is_ignored(
    stage: Stage, consumer: str, trick: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = stage.genuine(consumer)
    kept = header_of(genuine)
    header = {
        "alg": "RS256",
        **({"typ": kept["typ"]} if "typ" in kept else {}),
        **embedded(kept["kid"])[trick],
    }
    payload = decoded(genuine.split(".")[1])
    forged = jws.serialize_compact(header, payload, STRANGER, algorithms=["RS256"])
    monkeypatch.setattr(socket.socket, "connect", refuse_to_connect)
    assert not stage.takes(consumer, forged)


def refuse_to_connect(*arguments: object) -> None:
    raise AssertionError(f"a token made the provider call {arguments[1:]}")


KIDS: dict[str, Callable[[Stage], object]] = {
    "traversal": lambda stage: "../../../../dev/null",
    "a file of ours": lambda stage: str(stage.world.settings.keys_dir / "master.key"),
    "SQL": lambda stage: "x' UNION SELECT kid, private_key FROM signing_keys --",
    "10 KB": lambda stage: "k" * 10_000,
    "another key of ours": lambda stage: signer(stage.world, "PS256").kid,
    "a list": lambda stage: [header_of(stage.genuine("userinfo"))["kid"]],
    "an object": lambda stage: {"kid": "x"},
    "a number": lambda stage: 1,
    "null": lambda stage: None,
    "a lone surrogate": lambda stage: "\ud800",
    "line breaks": lambda stage: "x\r\ny",
}


@everybody
@pytest.mark.parametrize("name", list(KIDS))
def test_sec_33_a_kid_is_a_name_and_does_nothing(stage: Stage, consumer: str, name: str) -> None:
    genuine = stage.genuine(consumer)
    header = {**header_of(genuine), "kid": KIDS[name](stage)}
    forged = ".".join((encoded(json.dumps(header).encode()), *genuine.split(".")[1:]))
    with watched_statements() as statements, opened_files() as opened:
        assert not stage.takes(consumer, forged)
        assert not any("null" in path or "master.key" in path for path in opened)
    assert not any("signing_keys" in statement for statement in statements)


@everybody
def test_sec_33_a_duplicate_kid_in_the_header_confuses_nobody(stage: Stage, consumer: str) -> None:
    """The first or the last may count, as long as the signature has to fit it."""
    genuine = stage.genuine(consumer)
    header = header_of(genuine)
    twice = json.dumps(header)[:-1] + f', "kid": "stranger", "kid": {json.dumps(header["kid"])}}}'
    payload = decoded(genuine.split(".")[1])
    signature = STRANGER.private_key.sign(  # type: ignore[union-attr]
        compact(twice.encode(), payload, b"").rstrip(".").encode(), *rs256()
    )
    assert not stage.takes(consumer, compact(twice.encode(), payload, signature))


def rs256() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PKCS1v15(), hashes.SHA256()


def test_sec_33_a_clients_key_signs_for_that_client_alone(stage: Stage) -> None:
    """Neither the provider's key nor another machine's makes an assertion of this machine."""
    claims = stage.assertion_claims()
    other = ECKey.generate_key("P-256", {"kid": "machine-key"})
    header = {"alg": "ES256", "kid": "machine-key"}
    assert not stage.takes(
        Stage.ASSERTION, jws.serialize_compact(header, json.dumps(claims), other)
    )
    key = signer(stage.world)
    assert isinstance(key.private, EllipticCurvePrivateKey)
    ours = ECKey.import_key(key.private)
    forged = jws.serialize_compact({"alg": "ES256", "kid": key.kid}, json.dumps(claims), ours)
    assert not stage.takes(Stage.ASSERTION, forged)
    assert claims_of(forged) == claims
