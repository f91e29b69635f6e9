"""S27, S32, S33, S35, S36: a proof of possession (DPoP, RFC 9449) is good for one request of the
holder of its key, made now, and used once."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from werkzeug.test import TestResponse

from idp import used_once
from idp.errors import StoreUnavailable
from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.oidc.dpop import PROOF_ALGORITHMS
from idp.secret_values import encode
from tests.security.browsing import at_once, reopened
from tests.security.protocol import KEEPING, SIGNING, assertion, is_refused, register, segment
from tests.security.proving_possession import (
    KEY,
    MACHINE,
    OTHER,
    ask_machine,
    is_invalid_proof,
    made,
    now_nonce,
    push_with,
    send,
    signed,
)
from tests.world import ISSUER, World, claims_of

RSA = RSAKey.generate_key(2048)
ED = OKPKey.generate_key("Ed25519")
PUBLIC = KEY.as_dict(private=False)
SECRET = OctKey.import_key(base64.urlsafe_b64encode(b"s" * 32).decode())

WRONG_CLAIMS: dict[str, tuple[Any, ...]] = {
    "htm": (None, "", "GET", "post", "POST ", 5, ["POST"]),
    "htu": (
        *(None, "", "/token", 5, [f"{ISSUER}/token"], f"{ISSUER}/par", f"{ISSUER}/token/"),
        *(f"{ISSUER}/Token", "http://evil.example/token", "https://localhost:8000/token"),
        *("http://localhost/token", "http://localhost:8001/token", "http://a@localhost:8000/token"),
        *("http://localhost:x/token", "http://[localhost:8000/token", f"{ISSUER}//token"),
    ),
    "jti": (None, "", 5, [], "j" * 257),
    "iat": (None, "now", True, [], 0, -1, 9e12),
}
SOUND: dict[str, Any] = {"argon2_memory_kib": 19 * 1024, "argon2_time_cost": 2}
SAME_ADDRESSES = (
    *(
        f"{ISSUER}/token?a=b",
        f"{ISSUER}/token#f",
        f"{ISSUER}/token?",
        "HTTP://LOCALHOST:8000/token",
    ),
    *(f"{ISSUER}/%74oken", f"{ISSUER}/x/../token", f"{ISSUER}/./token"),
)


@pytest.fixture
def machine_world(world: World) -> World:
    register(world, MACHINE)
    return world


def test_a_proof_gets_a_token_that_is_bound_to_its_key(either_world: World) -> None:
    world = either_world
    register(world, MACHINE)
    keys: dict[str, Any] = {"ES256": KEY, "RS256": RSA, "PS256": RSA, "Ed25519": ED, "EdDSA": ED}
    for alg, key in keys.items():
        answer = ask_machine(world, made(world, key=key, header={"alg": alg}))
        told = answer.json or {}
        assert (answer.status_code, told.get("token_type")) == (200, "DPoP"), answer.text
        assert claims_of(told["access_token"])["cnf"] == {"jkt": key.thumbprint()}
        assert answer.headers["DPoP-Nonce"] == now_nonce(world)
    assert keys.keys() == set(PROOF_ALGORITHMS)


def test_without_a_proof_the_token_is_anybodys(machine_world: World) -> None:
    answer = ask_machine(machine_world, None)
    assert (answer.json or {})["token_type"] == "Bearer"
    assert "cnf" not in claims_of((answer.json or {})["access_token"])
    assert "DPoP-Nonce" not in answer.headers


def test_sec_35_every_claim_is_needed_and_for_this_request(machine_world: World) -> None:
    world = machine_world
    for name, wrong_values in WRONG_CLAIMS.items():
        for wrong in wrong_values:
            assert is_invalid_proof(ask_machine(world, made(world, **{name: wrong})), (name, wrong))
    for claims in (b"", b"no json", b"[]", b'"x"', b"5", b"null"):
        header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": PUBLIC}
        assert is_invalid_proof(ask_machine(world, signed(header, claims, KEY)), claims)


def test_an_address_is_compared_as_addresses_are(machine_world: World) -> None:
    """RFC 3986 sections 6.2.2 and 6.2.3, without query and fragment."""
    for htu in SAME_ADDRESSES:
        answer = ask_machine(machine_world, made(machine_world, htu=htu))
        assert answer.status_code == 200, htu
    usual = replace(machine_world.settings, issuer="https://id.example", **SOUND)
    other = reopened(machine_world, usual)
    for htu in ("https://id.example:443/token", "https://ID.example/token"):
        assert ask_machine(other, made(other, htu=htu)).status_code == 200, htu
    other.held.database.close()


@pytest.mark.parametrize(
    ("seconds", "is_taken"), [(-301, False), (-299, True), (0, True), (10, True), (61, False)]
)
def test_sec_35_a_proof_is_made_now(machine_world: World, seconds: int, is_taken: bool) -> None:
    by = made(machine_world, iat=int(machine_world.clock()) + seconds)
    answer = ask_machine(machine_world, by)
    assert (answer.status_code == 200) if is_taken else is_invalid_proof(answer)


def test_sec_32_no_algorithm_but_ours(machine_world: World) -> None:
    world = machine_world
    sound = made(world)
    _header, payload, signature = sound.split(".")
    for alg in ("none", "None", "nOnE", "HS256", "ES384", "EdDSA", "", 5, None, ["ES256"]):
        changed = segment({"typ": "dpop+jwt", "alg": alg, "jwk": PUBLIC})
        for ending in (signature, ""):
            assert is_invalid_proof(ask_machine(world, f"{changed}.{payload}.{ending}"), alg)
    by_secret = {"typ": "dpop+jwt", "alg": "HS256", "jwk": SECRET.as_dict()}
    assert is_invalid_proof(ask_machine(world, signed(by_secret, {"htm": "POST"}, SECRET)))
    mixed = {"typ": "dpop+jwt", "alg": "RS256", "jwk": PUBLIC}
    assert is_invalid_proof(ask_machine(world, f"{segment(mixed)}.{payload}.{signature}"))


def test_sec_33_the_key_is_in_it_public_and_its_own(machine_world: World) -> None:
    world = machine_world
    weak = {"kty": "RSA", "e": "AQAB", "n": encode(b"\xff" * 128)}
    off_curve = ECKey.generate_key("P-384")
    wrong: tuple[Any, ...] = (
        *(None, "", [], 5, {}, {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "EC", "crv": "P-256"}),
        *(KEY.as_dict(private=True), RSA.as_dict(private=True), weak),
        *(off_curve.as_dict(private=False), {**PUBLIC, "d": ""}, {**PUBLIC, "use": "enc"}),
        *({**PUBLIC, "x": "AA"}, {**PUBLIC, "crv": "P-999"}, OTHER.as_dict(private=False)),
    )
    for jwk in wrong:
        assert is_invalid_proof(ask_machine(world, made(world, header={"jwk": jwk})), jwk)


def test_sec_33_nothing_else_in_the_header_is_read(machine_world: World) -> None:
    """What names another key names none, and no file, statement or address."""
    world = machine_world
    ours = world.held.key_ring.current(world.clock()).keys[0].kid
    elsewhere = "http://localhost:1/keys"
    extras: tuple[dict[str, Any], ...] = (
        *({"kid": name} for name in ("../../dev/null", "' OR 1=1 --", "k" * 4000, ours)),
        {"jku": elsewhere, "x5u": elsewhere, "x5c": ["AAAA"], "made-up": "by somebody"},
    )
    for extra in extras:
        answer = ask_machine(world, made(world, header=extra))
        assert answer.status_code == 200, (extra, answer.text)
        bound = claims_of((answer.json or {})["access_token"])["cnf"]
        assert bound == {"jkt": KEY.thumbprint()}
    without = {"jwk": None, "kid": KEY.thumbprint()}
    assert is_invalid_proof(ask_machine(world, made(world, header=without)))


def test_sec_34_no_other_kind_of_token_is_a_proof(machine_world: World) -> None:
    for typ in ("JWT", "at+jwt", "DPoP+JWT", "dpop+jwt ", "", None, 5):
        by = made(machine_world, header={"typ": typ})
        assert is_invalid_proof(ask_machine(machine_world, by), typ)


def test_sec_36_what_is_no_proof_at_all_costs_little(machine_world: World) -> None:
    world = machine_world
    sound = made(world)
    header, payload, signature = sound.split(".")
    for by in (
        *("", " ", "x", "..", "a.b.c", "." * 5000, sound + "x", sound[:-5], "é", sound + ".x"),
        *(f"{header}.{payload}.", f"{header}..{signature}", f".{payload}.{signature}"),
        *(f"{sound},{sound}", f"{sound}, {made(world)}", f"{sound} {sound}"),
        *(made(world, padding="p" * 9000), f"{segment('dpop+jwt alg jwk')}.{payload}.{signature}"),
        *(f"{segment(['typ'])}.{payload}.{signature}", json.dumps({"payload": payload})),
        *(made(world, header={"crit": crit}) for crit in (["exp"], ["b64"], 5, "alg", None)),
    ):
        answer = ask_machine(world, by)
        if by.strip():
            assert is_invalid_proof(answer, by[:80])
    for deep in ("[" * 2900 + "]" * 2900, '{"":' * 950 + "1" + "}" * 950):
        whole = f'{{"typ":"dpop+jwt","alg":"ES256","jwk":{deep}}}'
        assert is_invalid_proof(ask_machine(world, f"{encode(whole.encode())}.{payload}.x"))
    tampered = segment({**claims_of(sound), "htu": f"{ISSUER}/token"})
    assert is_invalid_proof(ask_machine(world, f"{header}.{tampered}x.{signature}"))


def is_asked_for_a_nonce(world: World, answer: TestResponse, why: object = "") -> bool:
    found = (answer.status_code, (answer.json or {}).get("error"))
    assert found == (400, "use_dpop_nonce"), (found, why)
    assert answer.headers["DPoP-Nonce"] == now_nonce(world)
    assert answer.headers["Cache-Control"] == "no-store"
    return True


def test_a_nonce_of_ours_is_asked_for(machine_world: World) -> None:
    world = machine_world
    ours = now_nonce(world)
    for wrong in (None, "", "x", ours + "x", ours[:-1], ours.upper(), 5, [ours], {"a": ours}):
        assert is_asked_for_a_nonce(world, ask_machine(world, made(world, nonce=wrong)), wrong)
    answer = ask_machine(world, made(world, nonce=None))
    by = made(world, nonce=answer.headers["DPoP-Nonce"])
    assert ask_machine(world, by).status_code == 200


def test_a_nonce_is_asked_for_at_par_too(world: World) -> None:
    register(world, KEEPING)
    assert is_asked_for_a_nonce(world, push_with(world, KEEPING, made(world, "/par", nonce=None)))
    assert push_with(world, KEEPING, made(world, "/par")).status_code == 201


@pytest.mark.parametrize(
    ("seconds", "is_good"), [(119, True), (239, False), (241, False), (-120, True), (-241, False)]
)
def test_a_nonce_is_good_for_two_to_four_minutes(
    machine_world: World, seconds: int, is_good: bool
) -> None:
    """From any process, of which one's clock may be ahead."""
    world = machine_world
    world.clock.now = (world.clock.now // 120 + 5) * 120 + 1
    earlier = now_nonce(world)
    world.clock.move(seconds)
    answer = ask_machine(world, made(world, nonce=earlier))
    assert answer.status_code == 200 if is_good else is_asked_for_a_nonce(world, answer)


def test_a_nonce_is_every_processes(machine_world: World) -> None:
    other = reopened(machine_world, machine_world.settings)
    by = made(machine_world, nonce=now_nonce(other))
    assert ask_machine(machine_world, by).status_code == 200
    other.held.database.close()


def test_asking_for_a_nonce_spends_nothing(world: World) -> None:
    """Neither the assertion that it came with, nor the proof's name."""
    register(world, SIGNING)
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(world, SIGNING),
    }
    first = world.post("/token", {"DPoP": made(world, nonce=None, jti="one")}, **form)
    assert is_asked_for_a_nonce(world, first)
    assert world.post("/token", {"DPoP": made(world, jti="one")}, **form).status_code == 200


def test_sec_27_a_proof_is_used_once(either_world: World) -> None:
    """Whether by a restart, at another endpoint, or while it is still fresh."""
    world = either_world
    register(world, MACHINE, KEEPING)
    by = made(world, jti="once")
    assert ask_machine(world, by).status_code == 200
    assert is_invalid_proof(ask_machine(world, by))
    assert is_invalid_proof(ask_machine(world, made(world, jti="once")))
    assert is_invalid_proof(push_with(world, KEEPING, made(world, "/par", jti="once")))
    world.clock.move(119)
    late = made(world, jti="once", iat=int(world.clock()))
    assert is_invalid_proof(ask_machine(world, late))
    restarted = reopened(world, world.settings)
    assert is_invalid_proof(ask_machine(restarted, late))
    assert ask_machine(world, made(world, jti="once", key=OTHER)).status_code == 200
    restarted.held.database.close()


def test_sec_27_it_is_remembered_for_as_long_as_it_could_be_taken(machine_world: World) -> None:
    world = machine_world
    start = world.clock()
    ask_machine(world, made(world, jti="ahead", iat=int(start) + 60))
    (kept_until,) = next(iter(world.run("SELECT max(expires_at) FROM used_names")))
    assert kept_until >= start + 60 + 300


def test_sec_27_of_50_who_bring_one_proof_at_once_one_is_taken(either_world: World) -> None:
    world = either_world
    register(world, MACHINE)
    by = made(world)
    answers = at_once([lambda: ask_machine(world, by)] * 50)
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 49]


def test_sec_27_a_proof_does_not_stand_for_the_clients_own(machine_world: World) -> None:
    answer = machine_world.post(
        "/token",
        {"DPoP": made(machine_world)},
        grant_type="client_credentials",
        client_id=MACHINE.client_id,
    )
    assert is_refused(answer, "invalid_client", 401)


def test_sec_27_a_stranger_writes_nothing(machine_world: World) -> None:
    world = machine_world
    headers = {"DPoP": made(world), **world.basic(MACHINE.client_id, "wrong" * 8)}
    world.post("/token", headers, grant_type="client_credentials")
    assert world.run("SELECT count(*) FROM used_names") == [(0,)]


def test_sec_75_where_uses_cannot_be_written_down_nothing_is_given(
    machine_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> bool:
        raise StoreUnavailable("away")

    monkeypatch.setattr(used_once, "spend", away)
    answer = ask_machine(machine_world, made(machine_world))
    assert (answer.status_code, "access_token" in answer.text) == (503, False)


def test_a_proof_is_not_read_where_none_is_asked_for(
    machine_world: World,
) -> None:
    answer = send(machine_world, MACHINE, "/revoke", "no proof", token="x")
    assert answer.status_code == 200
