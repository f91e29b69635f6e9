"""S25, S34: what is said of a person or a token, signed or encrypted, is for whoever asked, and is
taken for nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwe, jws
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from werkzeug.test import TestResponse

from idp import worker
from idp.delivery import Undelivered
from idp.errors import MetadataRefusal
from idp.oidc.client_metadata import ClientMetadata
from idp.oidc.client_registration import check_client_metadata
from idp.outbox import Message
from idp.sessions import logout
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.others_keys import SIGNATURES
from tests.security.browsing import claims_of, header_of
from tests.security.protocol import (
    MACHINE,
    SPA,
    Party,
    answer_to,
    code_for,
    is_refused,
    of_people,
    post_as,
    proof,
    redeem,
    register,
    tokens_for,
)
from tests.world import ISSUER, World, sent_back

AS_JWT = "application/token-introspection+jwt"
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "enc"})
P256 = ECKey.generate_key("P-256", {"kid": "p256", "alg": "ECDH-ES"})
X25519 = OKPKey.generate_key("X25519", {"kid": "x25519", "use": "enc", "alg": "ECDH-ES+A256KW"})
KEYS: dict[str, Any] = {"RSA-OAEP-256": RSA, "ECDH-ES": P256, "ECDH-ES+A256KW": X25519}
JWKS = {"keys": [key.as_dict(private=False) for key in KEYS.values()]}


def introspected(world: World, party: Party, token: str, accept: str = AS_JWT) -> TestResponse:
    headers, fields = proof(world, party)
    return world.post("/introspect", {**headers, "Accept": accept}, **fields, token=token)


def verified(world: World, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, by the published keys alone."""
    published: Any = KeySet.import_key_set(world.get("/jwks").json)  # type: ignore[arg-type]
    jws.deserialize_compact(token, published, registry=SIGNATURES)
    return header_of(token), claims_of(token)


def opened(token: str, alg: str, enc: str) -> str:
    found = jwe.decrypt_compact(token, KEYS[alg], algorithms=[alg, enc])
    header = found.headers()
    assert (header["alg"], header["enc"], header["kid"]) == (alg, enc, KEYS[alg].kid)
    assert "zip" not in header
    return (found.plaintext or b"").decode()


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_sec_25_introspection_is_signed_for_whoever_asks_for_it_so(world: World, alg: str) -> None:
    party = of_people("asking-by-jwt", introspection_signed_response_alg=alg)
    register(world, party)
    token = tokens_for(world, party)["access_token"]
    plain = dict(post_as(world, party, "/introspect", token=token).json or {})
    answer = introspected(world, party, token)
    assert answer.headers["Content-Type"] == AS_JWT
    assert answer.headers["Cache-Control"] == "no-store"
    header, claims = verified(world, answer.text)
    assert (header["alg"], header["typ"]) == (alg, "token-introspection+jwt")
    now = int(world.clock())
    assert claims == {
        "iss": ISSUER,
        "aud": "asking-by-jwt",
        "iat": now,
        "token_introspection": plain,
    }


def test_sec_25_a_signed_answer_says_no_more_than_a_plain_one(world: World) -> None:
    """Of another product's token, of none, and to whom nothing is said at all."""
    register(world, MACHINE, SPA)
    token = tokens_for(world, SPA)["access_token"]
    payments = world.basic("payments")
    for bad in (token, token[:-2], "x"):
        answer = world.post("/introspect", {**payments, "Accept": AS_JWT}, token=bad)
        _, claims = verified(world, answer.text)
        assert claims["token_introspection"] == {"active": False}
    assert is_refused(introspected(world, SPA, token), "invalid_client", 401)
    strange = world.post("/introspect", {"Accept": AS_JWT}, token=token)
    assert is_refused(strange, "invalid_client", 401)


@pytest.mark.parametrize(
    ("accept", "is_jwt"),
    [
        (AS_JWT, True),
        (f"application/json, {AS_JWT}", True),
        (f"{AS_JWT.upper()};q=1", True),
        ("application/json", False),
        ("*/*", False),
        ("application/jwt", False),
        ("", False),
    ],
)
def test_sec_25_introspection_is_json_unless_a_jwt_is_asked_for(
    world: World, accept: str, is_jwt: bool
) -> None:
    register(world, MACHINE)
    assert introspected(world, MACHINE, "x", accept).is_json is not is_jwt


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_sec_25_userinfo_is_signed_for_a_client_that_registered_so(world: World, alg: str) -> None:
    party = of_people("told-by-jwt", userinfo_signed_response_alg=alg)
    register(world, party)
    token = tokens_for(world, party)["access_token"]
    answer = world.userinfo(token)
    assert answer.headers["Content-Type"] == "application/jwt"
    header, claims = verified(world, answer.text)
    assert header == {"alg": alg, "kid": header["kid"]}
    assert (claims["iss"], claims["aud"]) == (ISSUER, "told-by-jwt")
    world.apply(clients=[{**party.described(), "userinfo_signed_response_alg": None}])
    world.clock.move(2)
    plain = dict(world.userinfo(token).json or {})
    assert {**plain, "iss": ISSUER, "aud": "told-by-jwt"} == claims
    assert is_refused(world.userinfo(token[:-1]), "invalid_token", 401)


@pytest.mark.parametrize("alg", KEYS)
def test_sec_25_what_is_registered_to_be_encrypted_is_for_its_client_alone(
    world: World, alg: str
) -> None:
    enc = "A128CBC-HS256"
    answers = ("id_token", "userinfo", "introspection")
    by = {f"{answer}_encrypted_response_alg": alg for answer in answers}
    party = of_people("sealed", jwks=JWKS, userinfo_signed_response_alg="ES256", **by)
    register(world, party)
    given = tokens_for(world, party)
    header, id_claims = verified(world, opened(given["id_token"], alg, enc))
    assert (header["typ"], id_claims["aud"], id_claims["nonce"]) == ("JWT", "sealed", "a-nonce")
    _, about = verified(world, opened(world.userinfo(given["access_token"]).text, alg, enc))
    assert about["sub"] == id_claims["sub"]
    told = introspected(world, party, given["access_token"]).text
    _, claims = verified(world, opened(told, alg, enc))
    assert claims["token_introspection"]["active"] is True


def test_sec_25_userinfo_may_be_encrypted_without_a_signature(world: World) -> None:
    member = "userinfo_encrypted_response"
    by = {f"{member}_alg": "ECDH-ES+A256KW", f"{member}_enc": "A256GCM"}
    party = of_people("sealed", jwks=JWKS, **by)
    register(world, party)
    answer = world.userinfo(tokens_for(world, party)["access_token"])
    assert answer.headers["Content-Type"] == "application/jwt"
    assert '"email":"amara@northwind.example"' in opened(answer.text, "ECDH-ES+A256KW", "A256GCM")


def test_sec_25_without_a_key_to_encrypt_to_nothing_is_sent_in_the_clear(world: World) -> None:
    """Registration refuses such a client: its keys went afterwards."""
    by = {f"{answer}_encrypted_response_alg": "ECDH-ES" for answer in ("userinfo", "introspection")}
    party = of_people("sealed", jwks=JWKS, **by)
    register(world, party)
    token = tokens_for(world, party)["access_token"]
    registered = "UPDATE clients SET id_token_encrypted_response_alg = 'ECDH-ES', jwks = :keys"
    for keys in (None, '{"keys": []}', json.dumps({"keys": [RSA.as_dict(private=False)]})):
        world.run(f"{registered} WHERE client_id = 'sealed'", keys=keys)
        world.run("UPDATE catalog_version SET version = version + 1")
        world.clock.move(2)
        assert is_refused(world.userinfo(token), "invalid_client_metadata")
        assert is_refused(introspected(world, party, token), "invalid_client_metadata")
        answer = redeem(world, party, code_for(world, party))
        assert is_refused(answer, "invalid_client_metadata")


def test_sec_25_a_key_that_nothing_can_be_encrypted_to_is_not_registered() -> None:
    alg = {"id_token_encrypted_response_alg": "ECDH-ES"}
    own: dict[str, Any] = {"redirect_uris": ["https://a.example/cb"], **alg}
    key = OKPKey.generate_key("X25519").as_dict(private=False)
    check_client_metadata(ClientMetadata("one", **own, jwks={"keys": [key]}))
    for unfit in ({"x": "A" * 43}, {"key_ops": ["verify"]}):  # a point of low order, another use
        with pytest.raises(MetadataRefusal):
            check_client_metadata(ClientMetadata("one", **own, jwks={"keys": [{**key, **unfit}]}))


def test_sec_25_the_answer_to_a_sign_in_is_encrypted_where_it_is_a_jwt(world: World) -> None:
    alg, enc = "ECDH-ES", "A128CBC-HS256"
    party = of_people("sealed", jwks=JWKS, authorization_encrypted_response_alg=alg)
    register(world, party)
    [response] = sent_back(answer_to(world.browser(), party, response_mode="jwt")).values()
    _, claims = verified(world, opened(response, alg, enc))
    assert (claims["aud"], claims["state"]) == ("sealed", "a-state")
    assert redeem(world, party, claims["code"]).status_code == 200
    world.run("UPDATE clients SET jwks = NULL WHERE client_id = 'sealed'")
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)
    page = answer_to(world.browser(), party, response_mode="jwt")
    assert (page.status_code, "Location" in page.headers) == (400, False)
    assert "no key that the answer can be encrypted to" in page.text


def test_sec_34_a_signed_answer_is_taken_for_no_token(world: World) -> None:
    party = of_people("told-by-jwt", userinfo_signed_response_alg="ES256")
    register(world, party)
    given = tokens_for(world, party)
    about = world.userinfo(given["access_token"]).text
    told = introspected(world, party, given["access_token"]).text
    for answer in (about, told):
        assert is_refused(world.userinfo(answer), "invalid_token", 401)
        assert post_as(world, party, "/introspect", token=answer).json == {"active": False}
        hinted = world.browser().authorize(prompt="none", id_token_hint=answer)
        assert "error=invalid_request" in hinted.headers["Location"]


def test_sec_36_an_encrypted_hint_is_not_opened(world: World) -> None:
    """Whoever was sent it has opened it: a hint is what was inside."""
    alg, enc = "ECDH-ES", "A128CBC-HS256"
    party = of_people("sealed", jwks=JWKS, id_token_encrypted_response_alg=alg)
    register(world, party)
    hint = tokens_for(world, party)["id_token"]
    asked = {"prompt": "none"}
    refused = world.browser().authorize(**asked, id_token_hint=hint)
    assert "error=invalid_request" in refused.headers["Location"]
    taken = world.browser().authorize(**asked, id_token_hint=opened(hint, alg, enc))
    assert "error=login_required" in taken.headers["Location"]


def test_sec_25_a_logout_token_is_encrypted_like_an_id_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    alg, enc = "RSA-OAEP-256", "A128GCM"
    by = {"id_token_encrypted_response_alg": alg, "id_token_encrypted_response_enc": enc}
    told_at = {"backchannel_logout_uri": "https://sealed.example/logout"}
    party = of_people("sealed", jwks=JWKS, **by, **told_at)
    register(world, party)
    sent: list[str] = []

    def post_form(_address: str, form: dict[str, str], _networks: object) -> int:
        sent.append(form["logout_token"])
        return 200

    monkeypatch.setattr(worker, "post_form", post_form)
    about = {"sub": "somebody", "sid": "s"}
    message = Message("m", logout.MESSAGE, about, "session", "sealed", 1)
    worker.tell_product(world.held, message, world.clock())
    header, _ = verified(world, opened(sent[0], alg, enc))
    assert header["typ"] == "logout+jwt"
    world.run("UPDATE clients SET jwks = NULL WHERE client_id = 'sealed'")
    world.run("UPDATE catalog_version SET version = version + 1")
    world.clock.move(2)
    with pytest.raises(Undelivered, match="sealed: "):
        worker.tell_product(world.held, message, world.clock())
    assert len(sent) == 1
