"""S55: a new key is judged by the server, whatever the browser has let through (WebAuthn Level 3
section 7.1)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.credentials import challenges
from idp.credentials.challenges import ENROL, SECOND_FACTOR, SIGN_IN
from idp.credentials.passkeys import MOST, PASSKEY, SECURITY_KEY, TooMany
from idp.credentials.webauthn import MAX_ANSWER, Unsound
from tests.authenticator import EDDSA, ES256, RS256, Authenticator, b64, unb64
from tests.console.people_of import letters
from tests.passkeys_of import Keys
from tests.world import AMARA, BEN, ISSUER, World

DAYS = timedelta(days=365)
FOREIGN_ORIGINS = [
    "http://badlocalhost:8000",
    "http://localhost:8000.evil.example",
    "http://localhost:8001",
    "https://localhost:8000",
    "http://localhost",
    "http://LOCALHOST:8000",
    "http://localhost:8000/",
    "http://sub.localhost:8000",
    "http://127.0.0.1:8000",
    "null",
    "",
]
TAMPERED: dict[str, dict[str, Any]] = {
    "the other ceremony": {"client": {"type": "webauthn.get"}},
    "no type": {"client": {"type": None}},
    "a payment": {"client": {"type": "payment.get"}},
    "no challenge": {"client": {"challenge": None}},
    "an empty challenge": {"client": {"challenge": ""}},
    "a challenge that is no text": {"client": {"challenge": 7}},
    "a challenge of their own": {"client": {"challenge": b64(b"x" * 32)}},
    "no origin": {"client": {"origin": None}},
    "a frame of another site": {"client": {"crossOrigin": True}},
    "a frame of another site, in words": {"client": {"crossOrigin": "true"}},
    "a site around ours": {"client": {"topOrigin": "https://evil.example"}},
    "our own site around ours": {"client": {"topOrigin": ISSUER}},
    "another relying party": {"rp_id": "evil.example"},
    "a part of our name": {"rp_id": "host"},
    "nobody was there": {"flags": {"up": False}},
    "backed up, and not to be": {"flags": {"be": False, "bs": True}},
    "no new key": {"flags": {"at": False}},
    "more than there is": {"flags": {"at": True}, "cose": b""},
    "another id": {"answer": {"id": b64(b"y" * 16), "rawId": b64(b"y" * 16)}},
    "two ids": {"answer": {"id": b64(b"y" * 16)}},
    "an id with padding": {"answer": {"rawId": b64(b"y" * 16) + "=="}},
    "another type of credential": {"answer": {"type": "password"}},
    "no response": {"answer": {"response": None}},
    "no client data": {"response": {"clientDataJSON": None}},
    "client data in no base64url": {"response": {"clientDataJSON": "e30="}},
    "client data that is no object": {"response": {"clientDataJSON": b64(b"[]")}},
    "no attestation object": {"response": {"attestationObject": None}},
    "no CBOR": {"response": {"attestationObject": b64(b"\xff")}},
    "CBOR without an end": {"response": {"attestationObject": b64(b"\x9b" + b"\xff" * 8)}},
    "CBOR without a bottom": {"response": {"attestationObject": b64(b"\x81" * 9000)}},
    "a statement with none": {"statement": {"attStmt": {"sig": b"x"}}},
    "an attestation of a maker": {"statement": {"fmt": "fido-u2f"}},
    "an unknown attestation": {"statement": {"fmt": "evil"}},
    "too long": {"answer": {"more": "x" * MAX_ANSWER}},
}


@pytest.fixture
def keys(world: World) -> Keys:
    return Keys(world)


def refused(keys: Keys, answer: str, **changed: str) -> str:
    """Nothing is enrolled, and why is in the audit log."""
    before = len(keys.world.audit("passkey.refused"))
    with pytest.raises(Unsound):
        keys.add(answer, **changed)
    assert keys.world.run("SELECT count(*) FROM passkeys") == [(0,)]
    told = keys.world.audit("passkey.refused")
    assert len(told) == before + 1
    return str(told[-1]["reason"])


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("synced", [False, True])
def test_sec_55_a_sound_key_is_enrolled(either_world: World, algorithm: int, synced: bool) -> None:
    keys = Keys(either_world)
    made = Authenticator(algorithm, synced=synced)
    added = keys.add(made.create(keys.ask(ENROL)), "  My\nkey ")
    (listed,) = keys.listed()
    assert (added.id, added.method) == (listed.id, PASSKEY)
    assert listed.credential_id == b64(made.credential_id)
    assert (listed.label, listed.transports) == ("My key", "internal")
    assert bool(listed.is_backup_eligible) is synced
    assert listed.enrolled_at == either_world.clock()
    assert listed.last_used_at is None
    (event,) = either_world.audit("factor.enrolled")
    assert (event["actor"], event["method"]) == (keys.person.id, PASSKEY)
    assert [(each["to"], each["method"]) for each in letters(either_world)] == [(AMARA, PASSKEY)]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", "Google Password Manager"),
        (" \n ", "Google Password Manager"),
        ("Blue\x00\u202e key", "Blue key"),
        ("x" * 100, "x" * 60),
        ("<b>&", "<b>&"),
    ],
)
def test_sec_55_a_key_has_the_name_that_it_was_given_or_of_what_keeps_it(
    keys: Keys, typed: str, kept: str
) -> None:
    keys.enrol(label=typed)
    assert [each.label for each in keys.listed()] == [kept]


def test_sec_55_a_key_that_verifies_nobody_is_a_security_key(keys: Keys) -> None:
    made = Authenticator(verifies=False)
    assert keys.add(made.create(keys.ask(ENROL))).method == SECURITY_KEY


def test_sec_55_what_a_key_says_of_itself_is_verified_and_no_more_is_wanted(keys: Keys) -> None:
    made = Authenticator()
    sound = made.create(keys.ask(ENROL), statement={"fmt": "packed"})
    assert keys.add(sound).method == PASSKEY
    forged = {"fmt": "packed", "attStmt": {"alg": ES256, "sig": made.sign(b"something else")}}
    other = Authenticator()
    with pytest.raises(Unsound):
        keys.add(other.create(keys.ask(ENROL), statement=forged))


def test_sec_55_an_attestation_that_nobody_asked_for_is_refused_however_sound(keys: Keys) -> None:
    made = Authenticator()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A maker")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, made.key.public_key(), 1, begin, begin + DAYS)
        .sign(made.key, SHA256())
        .public_bytes(Encoding.DER)
    )
    asked = keys.ask(ENROL)
    statement = {"fmt": "packed", "x5c": [certificate]}
    assert "nobody asked for" in refused(keys, made.create(asked, statement=statement))


@pytest.mark.parametrize("case", TAMPERED)
def test_sec_55_a_registration_with_one_thing_wrong_is_refused(keys: Keys, case: str) -> None:
    refused(keys, Authenticator().create(keys.ask(ENROL), **TAMPERED[case]))


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_sec_55_a_registration_at_another_origin_is_refused(keys: Keys, origin: str) -> None:
    refused(keys, Authenticator().create(keys.ask(ENROL), client={"origin": origin}))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_sec_55_client_data_is_read_as_utf_8_and_nothing_else(keys: Keys, encoding: str) -> None:
    answer = json.loads(Authenticator().create(keys.ask(ENROL)))
    client_data = unb64(answer["response"]["clientDataJSON"]).decode()
    answer["response"]["clientDataJSON"] = b64(client_data.encode(encoding))
    refused(keys, json.dumps(answer))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "7", '"x"', "{", "\x00", "[[[["])
def test_sec_55_what_is_no_answer_is_refused(keys: Keys, text: str) -> None:
    refused(keys, text)


@pytest.mark.parametrize("length", [0, 1024, 2000])
def test_sec_55_a_credential_id_of_that_length_is_refused(keys: Keys, length: int) -> None:
    refused(keys, Authenticator(credential_id=b"c" * length).create(keys.ask(ENROL)))


def test_sec_55_a_credential_id_may_have_1023_bytes(keys: Keys) -> None:
    made = keys.enrol(Authenticator(credential_id=b"c" * 1023))
    assert keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN))).person.email == AMARA


def es256_on_p384() -> bytes:
    made = Authenticator(key=ec.generate_private_key(ec.SECP384R1()))
    return made.cose(crv=2)


def small_rsa() -> bytes:
    return Authenticator(RS256, key=rsa.generate_private_key(65537, 1024)).cose()


KEYS_THAT_DO_NOT_FIT = {
    "ES384, not offered": lambda: Authenticator().cose(alg=-35),
    "ES512, not offered": lambda: Authenticator().cose(alg=-36),
    "PS256, not offered": lambda: Authenticator(RS256).cose(alg=-37),
    "RS1, not offered": lambda: Authenticator(RS256).cose(alg=-65535),
    "no algorithm": lambda: Authenticator().cose(alg=0),
    "a MAC": lambda: Authenticator().cose(alg=5),
    "ES256 on another curve": es256_on_p384,
    "a point that is on no curve": lambda: Authenticator().cose(x=b"\x01" * 32),
    "half a point": lambda: Authenticator().cose(y=b""),
    "a compressed point": lambda: Authenticator().cose(y=True),
    "EdDSA on an elliptic curve": lambda: Authenticator().cose(alg=EDDSA),
    "ES256 with an RSA key": lambda: Authenticator(RS256).cose(alg=ES256),
    "RS256 with an elliptic curve": lambda: Authenticator().cose(alg=RS256),
    "a short Ed25519": lambda: Authenticator(EDDSA).cose(x=b"\x01" * 31),
    "a small RSA key": small_rsa,
    "no key at all": lambda: b"\xa0",
    "the old form of a point": lambda: b"\x04",
}


@pytest.mark.parametrize("case", KEYS_THAT_DO_NOT_FIT)
def test_sec_55_a_key_that_does_not_fit_an_algorithm_of_ours_is_refused(
    keys: Keys, case: str
) -> None:
    refused(keys, Authenticator().create(keys.ask(ENROL), cose=KEYS_THAT_DO_NOT_FIT[case]()))


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("browser", "another"),
        ("within", "another"),
        ("user_id", "another"),
        ("purpose", SECOND_FACTOR),
        ("purpose", SIGN_IN),
    ],
)
def test_sec_55_a_challenge_serves_what_it_was_made_for_alone(
    keys: Keys, changed: str, value: str
) -> None:
    made = Authenticator()
    assert "challenge" in refused(keys, made.create(keys.ask(ENROL)), **{changed: value})
    assert keys.add(made.create(keys.ask(ENROL))).method == PASSKEY


def test_sec_55_a_challenge_of_somebody_else_in_the_same_browser_serves_nobody(
    keys: Keys, world: World
) -> None:
    asked = Keys(world, BEN).ask(ENROL)
    refused(keys, Authenticator().create(asked))


def test_sec_55_a_challenge_serves_once_whatever_came_of_it(keys: Keys) -> None:
    made, asked = Authenticator(), keys.ask(ENROL)
    refused(keys, made.create(asked, flags={"up": False}))
    refused(keys, made.create(asked))
    asked = keys.ask(ENROL)
    keys.add(made.create(asked))
    with pytest.raises(Unsound):
        keys.add(Authenticator().create(asked))
    assert len(keys.listed()) == 1


def test_sec_55_a_challenge_serves_for_ten_minutes(keys: Keys, world: World) -> None:
    asked = keys.ask(ENROL)
    world.clock.move(challenges.LIFETIME)
    refused(keys, Authenticator().create(asked))


def test_sec_55_two_challenges_are_never_the_same(keys: Keys) -> None:
    assert len({keys.ask(ENROL)["challenge"] for _ in range(50)}) == 50


@pytest.mark.parametrize("whose", [AMARA, BEN])
def test_sec_55_a_credential_that_somebody_has_is_not_enrolled_again(
    world: World, whose: str
) -> None:
    made = Keys(world).enrol()
    again = Keys(world, whose)
    with pytest.raises(Unsound):
        again.add(made.create(again.ask(ENROL)))
    assert world.run("SELECT count(*) FROM passkeys") == [(1,)]
    assert world.audit("passkey.refused")[-1]["reason"] == "somebody has it already"


def test_sec_55_nobody_has_more_than_twenty(keys: Keys) -> None:
    for _ in range(MOST):
        keys.enrol()
    with pytest.raises(TooMany):
        keys.enrol()
    assert len(keys.listed()) == MOST


def test_sec_55_nothing_is_asked_for_that_we_do_not_want(keys: Keys) -> None:
    first = keys.enrol()
    asked = keys.ask(ENROL)
    assert asked["attestation"] == "none"
    assert asked["rp"]["id"] == "localhost"
    assert [each["alg"] for each in asked["pubKeyCredParams"]] == [EDDSA, ES256, RS256]
    assert [each["id"] for each in asked["excludeCredentials"]] == [b64(first.credential_id)]


def test_sec_55_an_authenticator_learns_nothing_by_the_handle_and_it_stays(
    keys: Keys, world: World
) -> None:
    """Neither the address nor the `sub`: whoever finds a key would learn whose it is."""
    handle = keys.ask(ENROL)["user"]["id"]
    assert keys.ask(ENROL)["user"]["id"] == handle
    assert Keys(world, BEN).ask(ENROL)["user"]["id"] != handle
    assert len(handle) == 86
    assert keys.person.id not in handle


def test_sec_55_no_key_is_enrolled_at_an_address(world: World) -> None:
    settings = replace(world.settings, issuer="http://127.0.0.1:8000")
    world.held = replace(world.held, settings=settings)
    keys = Keys(world)
    for purpose in (ENROL, SIGN_IN, SECOND_FACTOR):
        with pytest.raises(Unsound):
            keys.ask(purpose)
