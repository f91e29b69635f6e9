"""Each fault of the provider that sign-in with somebody else's account is tested against does what
its name says, and nothing else is wrong then."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest
from authlib.integrations.base_client import OAuthError
from joserfc.errors import JoseError

from tests.federation.party import query_of, sent_to
from tests.machine.upstream import Fault, faults_of

Seen = Callable[[dict[str, Any], dict[str, Any]], bool]


def part_of(id_token: str, number: int) -> dict[str, Any]:
    """Header or claims, unverified."""
    return dict(json.loads(urlsafe_b64decode(id_token.split(".")[number] + "==")))


STRANGE = "a-client-of-somebody-else"
CLAIMS: dict[Fault, Seen] = {
    Fault.NONCE_WRONG: lambda good, bad: bad["nonce"] not in ("", good["nonce"]),
    Fault.NONCE_MISSING: lambda _, bad: "nonce" not in bad,
    Fault.AUD_WRONG: lambda _, bad: bad["aud"] == STRANGE,
    Fault.AUD_MISSING: lambda _, bad: "aud" not in bad,
    Fault.AZP_FOREIGN: lambda good, bad: bad["aud"] == [good["aud"], bad["azp"]],
    Fault.AZP_MISSING: lambda good, bad: bad["aud"] == [good["aud"], STRANGE] and "azp" not in bad,
    Fault.ISS_WRONG: lambda good, bad: bad["iss"] != good["iss"],
    Fault.ISS_MISSING: lambda _, bad: "iss" not in bad,
    Fault.EXPIRED: lambda _, bad: bad["exp"] < time.time() - 3600,
    Fault.EXP_MISSING: lambda _, bad: "exp" not in bad,
    Fault.IAT_IN_THE_FUTURE: lambda _, bad: bad["iat"] > time.time() + 3600,
    Fault.SUB_MISSING: lambda _, bad: "sub" not in bad,
    Fault.SUB_TOO_LONG: lambda _, bad: len(bad["sub"]) == 256,
    Fault.AT_HASH_WRONG: lambda good, bad: len(bad["at_hash"]) == len(good["at_hash"]),
    Fault.SUB_CHANGED: lambda good, bad: bad["sub"] != good["sub"],
    Fault.EMAIL_UNVERIFIED: lambda _, bad: bad["email_verified"] is False,
    Fault.EMAIL_VERIFIED_MISSING: lambda _, bad: "email" in bad and "email_verified" not in bad,
    Fault.EMAIL_VERIFIED_A_STRING: lambda _, bad: bad["email_verified"] == "true",
    Fault.EMAIL_MISSING: lambda _, bad: not {"email", "email_verified"} & set(bad),
}
HEADERS: dict[Fault, Seen] = {
    Fault.ALG_NONE: lambda _, bad: bad == {"typ": "JWT", "alg": "none"},
    Fault.HS256_BY_SECRET: lambda _, bad: bad["alg"] == "HS256",
    Fault.HS256_BY_PUBLIC_KEY: lambda good, bad: bad == {**good, "alg": "HS256"},
    Fault.KEY_UNKNOWN: lambda good, bad: bad == good,
    Fault.KID_UNKNOWN: lambda good, bad: bad["kid"] != good["kid"],
    Fault.KID_MISSING: lambda good, bad: {**bad, "kid": good["kid"]} == good and "kid" not in bad,
}
LEFT_TO_USERS_OF_AUTHLIB = {Fault.SUB_TOO_LONG}


def test_every_fault_of_an_id_token_is_looked_at():
    looked_at = {*CLAIMS, *HEADERS, Fault.ID_TOKEN_MISSING}
    assert looked_at == set(faults_of("id_token", "account"))


@pytest.mark.parametrize("fault", [*CLAIMS, *HEADERS])
def test_an_id_token_has_its_fault(upstream, party, fault):
    where, seen = (1, CLAIMS[fault]) if fault in CLAIMS else (0, HEADERS[fault])
    good = part_of(party.tokens(sent_to(party.start()))["id_token"], where)
    upstream.fault = fault
    bad = part_of(party.tokens(sent_to(party.start()))["id_token"], where)
    assert seen({**good, "nonce": party.nonce} if where else good, bad)


@pytest.mark.parametrize("fault", CLAIMS)
def test_wrong_claims_are_signed_as_right_ones_are(upstream, party, fault):
    upstream.fault = fault
    tokens = party.tokens(sent_to(party.start()))
    assert party.signed(tokens["id_token"]).header["kid"] == upstream.keys[0].kid


@pytest.mark.parametrize("fault", HEADERS)
def test_only_the_signature_is_wrong(upstream, party, fault):
    upstream.fault = fault
    claims = part_of(party.tokens(sent_to(party.start()))["id_token"], 1)
    assert (claims["sub"], claims["nonce"]) == ("1001", party.nonce)
    assert claims["aud"] == upstream.client_id


def test_a_token_of_no_algorithm_has_no_signature(upstream, party):
    upstream.fault = Fault.ALG_NONE
    assert party.tokens(sent_to(party.start()))["id_token"].endswith(".")


@pytest.mark.parametrize(
    ("fault", "secret_of"),
    [
        (Fault.HS256_BY_SECRET, lambda u: u.client_secret.encode()),
        (Fault.HS256_BY_PUBLIC_KEY, lambda u: u.keys[0].key.as_pem(private=False)),
    ],
)
def test_a_token_by_a_shared_secret_would_be_right_for_whoever_took_it(
    upstream, party, fault, secret_of
):
    upstream.fault = fault
    message, _, signature = party.tokens(sent_to(party.start()))["id_token"].rpartition(".")
    made = hmac.digest(secret_of(upstream), message.encode(), "sha256")
    assert urlsafe_b64decode(signature + "==") == made


@pytest.mark.parametrize("fault", faults_of("id_token"))
def test_authlib_refuses_what_it_knows_of(upstream, party, fault):
    upstream.fault = fault
    tokens = party.tokens(sent_to(party.start()))
    if fault in LEFT_TO_USERS_OF_AUTHLIB:
        assert party.claims(tokens)
    else:
        with pytest.raises((JoseError, KeyError)):
            party.claims(tokens)


def test_two_keys_are_published_where_the_kid_is_missing(upstream, party):
    upstream.fault = Fault.KID_MISSING
    assert len({key.kid for key in party.key_set().keys}) == 2


def test_userinfo_may_be_about_somebody_else(upstream, party):
    tokens = party.tokens(sent_to(party.start()))
    right = party.userinfo(tokens)
    upstream.fault = Fault.USERINFO_ANOTHER_SUB
    assert party.userinfo(tokens) == {**right, "sub": "6666"}
    upstream.fault = Fault.USERINFO_ANOTHER_EMAIL
    assert party.userinfo(tokens) == {**right, "email": "mallory@elsewhere.example"}


def test_a_changed_sub_is_changed_everywhere(upstream, party):
    upstream.fault = Fault.SUB_CHANGED
    tokens = party.tokens(sent_to(party.start()))
    claims = party.claims(tokens)
    assert claims["sub"] == party.userinfo(tokens)["sub"] != upstream.account.sub
    assert claims["email"] == upstream.account.email


@pytest.mark.parametrize(
    ("fault", "changed"),
    [
        (Fault.ACCESS_DENIED, {"error"}),
        (Fault.STATE_WRONG, {"state"}),
        (Fault.STATE_MISSING, {"state"}),
        (Fault.RESPONSE_ISS_MISSING, {"iss"}),
        (Fault.RESPONSE_ISS_WRONG, {"iss"}),
    ],
)
def test_an_authorization_response_has_its_fault_and_no_other(upstream, party, fault, changed):
    upstream.fault = fault
    sent = query_of(sent_to(party.start()))
    right = {"state": party.state, "iss": upstream.issuer, "error": None}
    assert {name for name in right if sent.get(name) != right[name]} == changed
    assert ("code" in sent) != ("error" in sent)


def test_a_swapped_code_is_not_redeemed_with_ones_own_verifier(upstream, party):
    upstream.fault = Fault.CODE_SWAPPED
    with pytest.raises(OAuthError, match="invalid_grant"):
        party.tokens(sent_to(party.start()))


def test_a_swapped_code_that_pkce_does_not_catch_is_caught_by_its_nonce(upstream, party):
    upstream.fault = Fault.CODE_SWAPPED_UNBOUND
    tokens = party.tokens(sent_to(party.start()))
    assert part_of(tokens["id_token"], 1)["sub"] == upstream.another_account.sub
    with pytest.raises(JoseError):
        party.claims(tokens)
