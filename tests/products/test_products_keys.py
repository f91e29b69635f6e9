"""The provider's keys: which are used, for which algorithms, and what a strange one does."""

import json
from base64 import urlsafe_b64encode

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from relying_parties.base.issuer_keys import IssuerKeys, TokenRefused

RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
OCT = OctKey.generate_key(256, {"kid": "oct"})


def published(*keys, **members):
    return {"keys": [{**key.as_dict(private=key is OCT), **members} for key in keys]}


def signed(algorithm, key, **header):
    full = {"alg": algorithm, "kid": key.kid, **header}
    return jwt.encode(full, {"sub": "person-1"}, key, algorithms=[algorithm])


@pytest.mark.parametrize(
    ("algorithm", "key"), [("RS256", RSA), ("PS256", RSA), ("ES256", EC), ("Ed25519", ED)]
)
def test_the_suites_algorithms_are_believed(algorithm, key):
    keys = IssuerKeys(lambda: published(RSA, EC, ED))
    assert keys.verify(signed(algorithm, key)).claims == {"sub": "person-1"}


@pytest.mark.parametrize(("algorithm", "key"), [("HS256", OCT), ("RS512", RSA), ("RS384", RSA)])
def test_other_algorithms_are_not(algorithm, key):
    keys = IssuerKeys(lambda: published(RSA, OCT))
    with pytest.raises(TokenRefused):
        keys.verify(signed(algorithm, key))


def test_a_key_of_an_unknown_kind_does_not_spoil_the_others():
    strange = [
        {"kty": "LATTICE", "kid": "new"},
        {"kty": "EC", "kid": "curve", "crv": "P-1", "x": "AA", "y": "AA"},
        {"kty": "RSA", "kid": "broken"},
        {"kty": "RSA"},
    ]
    keys = IssuerKeys(lambda: {"keys": strange + published(EC)["keys"]})
    assert keys.verify(signed("ES256", EC))


@pytest.mark.parametrize("members", [{"use": "enc"}, {"kid": "other"}])
def test_a_key_for_something_else_is_not_used(members):
    keys = IssuerKeys(lambda: published(EC, **members))
    with pytest.raises(TokenRefused):
        keys.verify(signed("ES256", EC))


def test_a_key_of_one_kind_is_not_used_for_another():
    keys = IssuerKeys(lambda: published(EC))
    with pytest.raises(TokenRefused):
        keys.verify(signed("RS256", RSA, kid=EC.kid))


def test_a_critical_header_that_nobody_understands_is_refused():
    """RFC 7515 section 4.1.11."""
    keys = IssuerKeys(lambda: published(EC))
    assert keys.verify(_signed_by_hand({"alg": "ES256", "kid": "ec"}))
    with pytest.raises(TokenRefused):
        keys.verify(_signed_by_hand({"alg": "ES256", "kid": "ec", "crit": ["exp"], "exp": 1}))


def test_keys_that_are_gone_are_forgotten_within_ten_minutes():
    now = [1000.0]
    documents = [published(RSA, EC), published(RSA)]
    keys = IssuerKeys(lambda: documents.pop(0), clock=lambda: now[0])
    token = signed("ES256", EC)
    assert keys.verify(token)
    now[0] += 601
    with pytest.raises(TokenRefused):
        keys.verify(token)


def _signed_by_hand(header):
    parts = [urlsafe_b64encode(json.dumps(one).encode()) for one in (header, {"sub": "person-1"})]
    text = b".".join(part.rstrip(b"=") for part in parts)
    signature = JWSRegistry(algorithms=["ES256"]).get_alg("ES256").sign(text, EC)
    return (text + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()
