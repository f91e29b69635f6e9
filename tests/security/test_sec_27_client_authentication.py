"""S27: a client proves itself in the one way that it registered, and an assertion only once."""

from __future__ import annotations

import base64
import hmac
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from werkzeug.test import TestResponse

from idp import secret_values
from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.secret_values import encode, new_id
from tests.security.protocol import (
    KEEPING,
    MACHINE,
    POSTING,
    SIGNING,
    SPA,
    Party,
    assertion,
    is_refused,
    post_as,
    register,
    segment,
    statuses,
    together,
)
from tests.world import ISSUER, World

WRONG_CLAIMS: dict[str, tuple[Any, ...]] = {
    "aud": (
        *(None, "", "https://evil.example", [], [ISSUER, "x"], 5, {}, "lms"),
        *(f"{ISSUER}/", f"{ISSUER}/introspect", f"{ISSUER}.evil"),
    ),
    "iss": (None, "lms", ISSUER, 5),
    "sub": (None, "lms", "nobody", 5, ["signing"], {"a": 1}),
    "exp": (None, 0, -1, "9999999999", 9e12, True, [], 1e400),
    "jti": (None, "", 5, [], "j" * 257),
    "nbf": ("soon", 9_999_999_999, []),
    "iat": ("now", 9_999_999_999, {}),
}
STRANGE_KEY = ECKey.generate_key("P-256", {"kid": "signing-1"})


def by_assertion(world: World, signed: str, **more: str | None) -> TestResponse:
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed, **more}
    return world.post("/token", {}, grant_type="client_credentials", **form)


def by_basic(world: World, pair: str, **more: str) -> TestResponse:
    header = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return world.post("/token", header, grant_type="client_credentials", **more)


def test_sec_27_each_client_has_one_method_and_no_other(world: World):
    """Sixteen rows: every client by every method."""
    register(world, KEEPING, POSTING, SIGNING, SPA)
    methods = (KEEPING, POSTING, SIGNING, SPA)
    for party in methods:
        for other in methods:
            how = Party(party.client_id, other.method, party.form, other.key)
            answer = post_as(world, how, "/token", grant_type="refresh_token", refresh_token="x")
            known = "unauthorized_client" if party is SIGNING else "invalid_grant"
            if other is party:
                assert is_refused(answer, known), party.client_id
            else:
                assert is_refused(answer, "invalid_client", 401), (party.client_id, other.method)


def test_sec_27_two_methods_at_once_are_refused(world: World):
    """RFC 6749 section 5.2: such a request is malformed, whoever sent it."""
    register(world, MACHINE, SIGNING)
    secret = {"client_id": "machine", "client_secret": MACHINE.secret}
    signed = {
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(world, SIGNING),
    }
    basic = world.basic("machine", MACHINE.secret)
    for headers, form in (
        (basic, secret),
        (basic, {"client_secret": MACHINE.secret}),
        (basic, signed),
        ({}, {**secret, **signed}),
    ):
        answer = world.post("/token", headers, grant_type="client_credentials", **form)
        assert is_refused(answer, "invalid_request"), form
    for half in ({"client_assertion": "x"}, {"client_assertion_type": ASSERTION_TYPE}):
        answer = world.post("/token", basic, grant_type="client_credentials", **half)
        assert is_refused(answer, "invalid_client", 401), half
    assert world.post("/token", basic, grant_type="client_credentials").status_code == 200


@pytest.mark.parametrize(("registered", "status"), [(None, 200), ("ES256", 200), ("PS256", 401)])
def test_sec_27_an_assertion_is_signed_by_the_registered_algorithm(
    world: World, registered: str | None, status: int
):
    assert SIGNING.key
    keys = [key.as_dict(private=False) for key in (SIGNING.key, RSAKey.generate_key(2048))]
    form = {"token_endpoint_auth_signing_alg": registered, "jwks": {"keys": keys}}
    register(world, Party(SIGNING.client_id, SIGNING.method, {**SIGNING.form, **form}))
    assert by_assertion(world, assertion(world, SIGNING)).status_code == status


def test_sec_27_a_wrong_secret_is_refused_however_it_is_wrong(world: World):
    register(world, MACHINE)
    right = MACHINE.secret
    for pair in (
        *("machine:", f"machine:{right}x", f"machine:{right[:-1]}", f"machine:{right.upper()}"),
        *(
            f"machine: {right}",
            f"machine:{right} ",
            f"Machine:{right}",
            f":{right}",
            "machine",
            ":",
        ),
        *(f"lms:{right}", f"nobody:{right}", f"machine:{right}\x00", "machine:é", "\x00:\x00"),
    ):
        assert is_refused(by_basic(world, pair), "invalid_client", 401), pair
    assert by_basic(world, f"machine:{right}").status_code == 200


def test_sec_27_a_header_that_is_not_basic_is_refused(world: World):
    register(world, SPA)
    for value in (
        *("Basic", "Basic ", "Basic !!!", "Basic /////w==", "Bearer x", "Digest a=b", "x"),
        *("Basic " + "A" * 3, "basic\t", "Negotiate " + "A" * 400, "Basic é", "Basic \xff"),
    ):
        answer = world.post(
            "/token", {"Authorization": value}, client_id="spa", grant_type="refresh_token"
        )
        assert is_refused(answer, "invalid_client", 401), value


def test_sec_27_the_names_that_are_given_have_to_agree(world: World):
    register(world, MACHINE, SIGNING)
    pair = f"machine:{MACHINE.secret}"
    for other in ("lms", "Machine", "nobody", "machine "):
        assert is_refused(by_basic(world, pair, client_id=other), "invalid_client", 401)
        signed = by_assertion(world, assertion(world, SIGNING), client_id=other)
        assert is_refused(signed, "invalid_client", 401), other
    assert by_basic(world, pair, client_id="machine").status_code == 200
    signed = by_assertion(world, assertion(world, SIGNING), client_id="signing")
    assert signed.status_code == 200


def test_sec_27_a_secret_in_the_address_proves_nothing(world: World):
    register(world, MACHINE)
    query = f"client_id=machine&client_secret={MACHINE.secret}"
    answer = world.post(f"/token?{query}", grant_type="client_credentials")
    assert is_refused(answer, "invalid_request")
    assert MACHINE.secret not in str(world.audit())


def test_sec_27_an_assertion_needs_every_claim(world: World):
    register(world, SIGNING)
    for name, wrong_values in WRONG_CLAIMS.items():
        for wrong in wrong_values:
            answer = by_assertion(world, assertion(world, SIGNING, None, None, **{name: wrong}))
            assert is_refused(answer, "invalid_client", 401), (name, wrong)


def test_sec_27_an_assertion_lives_five_minutes_at_most(world: World):
    register(world, SIGNING)
    now = int(world.clock())
    for exp, iat, status in (
        (now + 300, now, 200),
        (now + 301, now, 401),
        (now + 300.5, now, 401),
        (now + 60.5, now, 200),
        (now + 1, now, 200),
        (now, now, 401),
        (now - 1, now - 60, 401),
        (now + 60, now + 10, 200),
        (now + 60, now + 11, 401),
        (now + 60, now - 9999, 200),
    ):
        answer = by_assertion(world, assertion(world, SIGNING, exp=exp, iat=iat))
        assert answer.status_code == status, (exp - now, iat - now)


@pytest.mark.parametrize("times", [{"iat": None}, {"nbf": None}, {"iat": None, "nbf": None}])
def test_sec_27_an_assertion_may_leave_open_when_it_was_made(world: World, times: dict[str, Any]):
    """`null` says no more than a claim that is not there; it is good once all the same."""
    register(world, SIGNING)
    world.clock.move(2)
    assert SIGNING.key
    signed = jwt.encode({"alg": "ES256"}, {**claims_for(world), **times}, SIGNING.key)
    assert by_assertion(world, signed).status_code == 200
    assert is_refused(by_assertion(world, signed), "invalid_client", 401)


@pytest.mark.parametrize("alg", ["Ed25519", "EdDSA"])
def test_sec_27_an_edwards_assertion_goes_by_either_name(world: World, alg: str):
    key: Any = OKPKey.generate_key("Ed25519", {"kid": "signing-1"})
    jwks = {"keys": [key.as_dict(private=False)]}
    world.apply(clients=[{**SIGNING.described(), "jwks": jwks}])
    world.clock.move(2)
    payload = segment(claims_for(world))
    signed = f"{segment({'alg': alg, 'kid': 'signing-1'})}.{payload}"
    signature = encode(key.private_key.sign(signed.encode()))
    assert by_assertion(world, f"{signed}.{signature}").status_code == 200
    assert is_refused(by_assertion(world, f"{signed}.{encode(bytes(64))}"), "invalid_client", 401)


def test_sec_27_an_assertion_is_signed_by_the_registered_key(world: World):
    register(world, SIGNING)
    assert SIGNING.key
    sound = assertion(world, SIGNING)
    head, payload, signature = sound.split(".")
    rsa = RSAKey.generate_key(2048, {"kid": "signing-1"})
    forged = {
        "by a stranger's key": assertion(world, SIGNING, STRANGE_KEY),
        "by a key in its own header": assertion(
            world,
            SIGNING,
            STRANGE_KEY,
            {"alg": "ES256", "jwk": STRANGE_KEY.as_dict(private=False)},
        ),
        "by an RSA key of the same name": jwt.encode(
            {"alg": "RS256", "kid": "signing-1"}, claims_for(world), rsa
        ),
        "unsigned": f"{segment({'alg': 'none', 'kid': 'signing-1'})}.{payload}.",
        "unsigned, with a signature": f"{segment({'alg': 'none'})}.{payload}.{signature}",
        "by the public key as a secret": keyed_with(SIGNING.key.as_pem(private=False), payload),
        "with a foreign name of a key": assertion(
            world, SIGNING, header={"alg": "ES256", "kid": "../../etc/passwd"}
        ),
        "without the signature": f"{head}.{payload}.",
        "cut off": f"{head}.{payload}",
        "with an unknown algorithm": f"{segment({'alg': 'X'})}.{payload}.{signature}",
        "with a number for an algorithm": f"{segment({'alg': 5})}.{payload}.{signature}",
        "with a list for a name": f"{segment({'alg': 'ES256', 'kid': []})}.{payload}.{signature}",
        "with an unknown demand": f"{segment({'alg': 'ES256', 'crit': ['x']})}.{payload}.AA",
        "with a payload that is no object": f"{head}.{segment(['signing'])}.{signature}",
        "with a payload that is no JSON": f"{head}.AAAA.{signature}",
        "nothing at all": "..",
        "too long": "A" * 4000,
    }
    for how, signed in forged.items():
        assert is_refused(by_assertion(world, signed), "invalid_client", 401), how
    assert by_assertion(world, sound).status_code == 200


def keyed_with(secret: bytes, payload: str) -> str:
    """By hand, since a library that knows better refuses to."""
    signing_input = f"{segment({'alg': 'HS256', 'kid': 'signing-1'})}.{payload}"
    return f"{signing_input}.{encode(hmac.digest(secret, signing_input.encode(), 'sha256'))}"


def claims_for(world: World) -> dict[str, Any]:
    now = int(world.clock())
    times = {"iat": now, "exp": now + 60, "jti": new_id()}
    return {"iss": "signing", "sub": "signing", "aud": ISSUER, **times}


def test_sec_27_only_the_one_kind_of_assertion_is_known(world: World):
    register(world, SIGNING)
    for kind in (None, "", "x", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"):
        form = {"client_assertion": assertion(world, SIGNING), "client_assertion_type": kind}
        answer = world.post("/token", {}, grant_type="client_credentials", **form)
        assert is_refused(answer, "invalid_client", 401), kind


def test_sec_27_an_assertion_is_good_once_at_all_endpoints_together(either_world: World):
    world = either_world
    register(world, SIGNING)
    signed = assertion(world, SIGNING)
    form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed, "token": "x"}
    assert by_assertion(world, signed).status_code == 200
    assert is_refused(by_assertion(world, signed), "invalid_client", 401)
    for path in ("/introspect", "/revoke"):
        assert is_refused(world.post(path, {}, **form), "invalid_client", 401), path
    world.clock.move(59)
    assert is_refused(by_assertion(world, signed), "invalid_client", 401)
    renamed = assertion(world, SIGNING)
    assert by_assertion(world, renamed).status_code == 200


def test_sec_27_of_fifty_who_send_one_assertion_one_is_let_in(either_world: World):
    world = either_world
    register(world, SIGNING)
    signed = assertion(world, SIGNING)
    answers = together(50, lambda _: by_assertion(world, signed))
    assert statuses(answers) == [200] + [401] * 49


def test_sec_27_two_clients_may_choose_the_same_jti(world: World):
    twin = Party("signing-twin", SIGNING.method, SIGNING.form, SIGNING.key)
    register(world, SIGNING, twin)
    for party in (SIGNING, twin):
        signed = assertion(world, party, jti="the same")
        assert by_assertion(world, signed).status_code == 200


def test_sec_27_only_the_hash_of_a_secret_is_kept(world: World):
    register(world, MACHINE)
    for table in ("client_secrets", "clients", "audit_events"):
        assert MACHINE.secret not in str(world.run(f"SELECT * FROM {table}")), table
    hashes = [row[0] for row in world.run("SELECT secret_hash FROM client_secrets")]
    assert secret_values.fingerprint(MACHINE.secret) in hashes


def test_sec_27_secrets_are_compared_in_constant_time(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    register(world, MACHINE)
    compared: list[tuple[Any, Any]] = []
    compare = hmac.compare_digest

    def watch(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watch)
    by_basic(world, "machine:wrong")
    stored = secret_values.fingerprint(MACHINE.secret).encode()
    assert stored in [left for left, _ in compared]  # and the audit log's seal is another


def test_sec_27_what_is_refused_is_told_to_the_audit_without_the_secret(world: World):
    register(world, MACHINE)
    by_basic(world, "machine:a-wrong-but-telling-secret")
    (event,) = world.audit("client.refused")
    assert event["reason"] == "machine sent a wrong secret"
    assert "telling" not in str(world.run("SELECT * FROM audit_events"))
