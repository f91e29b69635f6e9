"""What a client may be."""

from dataclasses import replace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from idp.directory.claim_names import RESERVED_NAMES
from idp.errors import MetadataRefusal
from idp.grants import claims
from idp.oidc.client_metadata import DEVICE_CODE, ClientMetadata
from idp.oidc.client_registration import check_client_metadata
from idp.oidc.scopes import SCOPES
from idp.registration.client_form import ClientForm

WEB = ClientMetadata("loans", redirect_uris=["https://loans.example/callback"])
NATIVE = replace(WEB, application_type="native", token_endpoint_auth_method="none")
DEVICE = ClientMetadata("till", token_endpoint_auth_method="none", grant_types=[DEVICE_CODE])
MACHINE = ClientMetadata("batch", grant_types=["client_credentials"], scope="payouts")


def refused(metadata: ClientMetadata, **changed: Any) -> MetadataRefusal:
    with pytest.raises(MetadataRefusal) as caught:
        check_client_metadata(replace(metadata, **changed))
    return caught.value


@pytest.mark.parametrize("metadata", [WEB, NATIVE, MACHINE, DEVICE])
def test_an_ordinary_client_is_accepted(metadata: ClientMetadata) -> None:
    check_client_metadata(metadata)


@pytest.mark.parametrize(
    "uri",
    [
        "https://loans.example/callback",
        "https://loans.example:8443/callback?tenant=acme",
        "http://localhost:8001/callback",
        "http://127.0.0.1/callback",
        "http://[::1]:9000/callback",
    ],
)
@pytest.mark.parametrize("member", ["redirect_uris", "post_logout_redirect_uris"])
def test_https_and_loopback_addresses_are_accepted(member: str, uri: str) -> None:
    changed: dict[str, Any] = {member: [uri]}
    check_client_metadata(replace(WEB, **changed))


BAD_EVERYWHERE = [
    "",
    "/callback",
    "callback",
    "//loans.example/callback",
    "https:///callback",
    "https:callback",
    "https://loans.example/callback#part",
    "https://loans.example/callback#",
    "https://*.example/callback",
    "https://loans.example/*",
    "https://user@loans.example/callback",
    "https://user:hunter2@loans.example/callback",
    "https://@loans.example/callback",
    "http://loans.example/callback",
    "http://localhost.evil.example/callback",
    "http://127.0.0.1.evil.example/",
    "http://0x7f000001/callback",
    "https://loans.example\\@evil.example/",
    "https://loans.example\\.evil.example/",
    "https://loans.example/call back",
    " https://loans.example/callback",
    "https://loans.example/callback\n",
    "https://loans.example/\x00",
    "https://lοans.example/callback",
    "https://loans.example:99999/callback",
    "https://loans.example:port/callback",
    "https://[::1/callback",
    "https://loans.example/" + "a" * 2048,
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "java\nscript:alert(1)",
    "data:text/html,hello",
    "vbscript:hello",
    "blob:https://loans.example/1",
    "file:///etc/passwd",
    "ftp://loans.example/callback",
    "urn:ietf:wg:oauth:2.0:oob",
    "myapp:/callback",
    "myapp://callback",
]


@pytest.mark.parametrize("uri", BAD_EVERYWHERE)
@pytest.mark.parametrize("metadata", [WEB, NATIVE])
def test_a_bad_redirect_uri_is_refused(metadata: ClientMetadata, uri: str) -> None:
    refusal = refused(metadata, redirect_uris=["https://loans.example/callback", uri])
    assert (refusal.code, refusal.member) == ("invalid_redirect_uri", "redirect_uris")
    assert "hunter2" not in str(refusal)


@pytest.mark.parametrize("uri", BAD_EVERYWHERE)
def test_a_bad_address_after_sign_out_is_refused(uri: str) -> None:
    refusal = refused(NATIVE, post_logout_redirect_uris=[uri])
    assert refusal.code == "invalid_client_metadata"
    assert refusal.member == "post_logout_redirect_uris"


@pytest.mark.parametrize("uri", [*BAD_EVERYWHERE, "com.example.loans:/start"])
@pytest.mark.parametrize("member", ["initiate_login_uri", "backchannel_logout_uri"])
@pytest.mark.parametrize("metadata", [WEB, NATIVE])
def test_our_own_calls_go_to_the_web_only(metadata: ClientMetadata, member: str, uri: str) -> None:
    assert refused(metadata, **{member: uri}).member == member


@pytest.mark.parametrize("uri", ["com.example.loans:/callback", "com.example.loans://callback"])
def test_a_scheme_of_its_own_is_for_native_applications(uri: str) -> None:
    check_client_metadata(replace(NATIVE, redirect_uris=[uri]))
    assert refused(WEB, redirect_uris=[uri]).member == "redirect_uris"


@pytest.mark.parametrize(
    "client_id",
    ["", "a", "Loans", "loans web", "-loans", "loans/web", "l" * 65, "lоans", "loans\n"],
)
def test_a_client_id_of_another_form_is_refused(client_id: str) -> None:
    assert refused(WEB, client_id=client_id).member == "client_id"


@pytest.mark.parametrize("client_id", ["0123456789abcdef" * 2, "iss", "sub", "roles", "tenant_id"])
def test_a_client_is_never_mistaken_for_a_person_or_a_claim(client_id: str) -> None:
    assert refused(WEB, client_id=client_id).member == "client_id"


def test_every_claim_of_ours_is_reserved() -> None:
    ours = {*claims.CLAIMS, "client_id", "jti", "scope", "grant_id", "at_hash", "events"}
    assert ours <= RESERVED_NAMES


def test_every_scope_that_we_publish_can_be_registered() -> None:
    check_client_metadata(replace(WEB, scope=" ".join(SCOPES)))


@pytest.mark.parametrize(
    "scope", ["openid Payouts", "payouts/read", "openid  email", 'a"b', "a\tb"]
)
def test_a_scope_of_another_form_is_refused(scope: str) -> None:
    assert refused(WEB, scope=scope).member == "scope"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("application_type", "desktop"),
        ("token_endpoint_auth_method", "client_secret_jwt"),
        ("grant_types", ["password"]),
        ("grant_types", ["implicit", "authorization_code"]),
        ("id_token_signed_response_alg", "none"),
        ("id_token_signed_response_alg", "HS256"),
        ("access_token_signed_response_alg", "ES384"),
    ],
)
def test_what_we_do_not_support_is_refused(member: str, value: object) -> None:
    assert refused(WEB, **{member: value}).member == member


def test_the_code_grant_needs_a_redirect_uri() -> None:
    assert refused(WEB, redirect_uris=[]).member == "redirect_uris"


def test_a_public_client_gets_no_token_for_itself() -> None:
    grant_types = ["authorization_code", "client_credentials"]
    assert refused(NATIVE, grant_types=grant_types).member == "grant_types"


def test_a_public_client_can_not_do_without_pkce() -> None:
    assert refused(NATIVE, require_pkce=False).member == "require_pkce"


def test_a_machine_has_permissions_of_its_products_tree_only() -> None:
    machine = replace(MACHINE, permissions=["payouts.read"])
    check_client_metadata(machine, {"payouts.read"})
    with pytest.raises(MetadataRefusal, match="permissions"):
        check_client_metadata(machine, {"loans.read"})


def with_keys(*keys: object) -> ClientMetadata:
    return replace(WEB, token_endpoint_auth_method="private_key_jwt", jwks={"keys": list(keys)})


def public(key: RSAKey | ECKey | OKPKey, **members: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **members}


RSA = RSAKey.generate_key(2048)
P256 = ECKey.generate_key("P-256")
ED25519 = OKPKey.generate_key("Ed25519")
X25519 = OKPKey.generate_key("X25519")


@pytest.mark.parametrize("key", [RSA, P256, ED25519])
def test_a_sound_public_key_is_accepted(key: RSAKey | ECKey | OKPKey) -> None:
    check_client_metadata(with_keys(public(key), public(key, use="sig", kid="one")))


@pytest.mark.parametrize("name", ["Ed25519", "EdDSA"])
def test_an_edwards_key_goes_by_either_name(name: str) -> None:
    check_client_metadata(with_keys(public(ED25519, alg=name)))


@pytest.mark.parametrize("key", [RSA, P256, ED25519, OctKey.generate_key(256)])
def test_a_private_or_shared_key_is_refused_and_not_repeated(
    key: RSAKey | ECKey | OKPKey | OctKey,
) -> None:
    private = key.as_dict(private=True)
    refusal = refused(with_keys(private))
    assert refusal.member == "jwks"
    assert str(private.get("d", private.get("k"))) not in str(refusal)


@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_one_private_member_is_enough_to_refuse(member: str) -> None:
    assert refused(with_keys(public(RSA, **{member: "AQAB"}))).member == "jwks"


def weak_rsa() -> dict[str, Any]:
    """Of 1024 bits, made here because a library would warn of it."""
    return {"kty": "RSA", "e": "AQAB", "n": "w" + "A" * 170}


@pytest.mark.parametrize(
    "key",
    [
        weak_rsa(),
        {"kty": "RSA", "e": "AQAB", "n": "w" + "A" * 1366},
        public(ECKey.generate_key("P-384")),
        public(ECKey.generate_key("P-384"), use="enc"),
        public(X25519, use="sig"),
        public(X25519, alg="EdDSA"),
        public(ED25519, use="enc"),
        public(P256, use="enc", alg="ES256"),
        public(P256, use="sig", alg="ECDH-ES"),
        public(RSA, use="enc", alg="RSA1_5"),
        public(RSA, use="tls"),
        public(ED25519, alg="ES256"),
        public(RSA, alg="ES256"),
        public(RSA, alg="HS256"),
        public(P256, y="AAAA"),
        public(P256, crv="P-999"),
        public(ED25519, crv="Ed999"),
        {"kty": "EC", "crv": "P-256"},
        {"kty": "RSA", "n": 5, "e": "AQAB"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
        {"kty": ["RSA"]},
        {},
        "key",
        None,
    ],
)
def test_a_key_that_we_could_not_trust_is_refused(key: object) -> None:
    assert refused(with_keys(public(RSA), key)).member == "jwks"


@pytest.mark.parametrize("jwks", [{}, {"keys": []}, {"keys": "none"}, {"keys": {}}])
def test_a_key_set_without_keys_is_refused(jwks: dict[str, Any]) -> None:
    refusal = refused(WEB, token_endpoint_auth_method="private_key_jwt", jwks=jwks)
    assert refusal.member == "jwks"


def test_keys_and_the_method_that_needs_them_go_together() -> None:
    assert refused(WEB, token_endpoint_auth_method="private_key_jwt").member == "jwks"
    assert refused(WEB, require_signed_request_object=True).member == "jwks"
    check_client_metadata(replace(WEB, jwks={"keys": [public(RSA)]}))


SIGNING = [
    ({"token_endpoint_auth_method": "private_key_jwt"}, "token_endpoint_auth_signing_alg"),
    ({"require_signed_request_object": True}, "request_object_signing_alg"),
    (
        {"backchannel_authentication_request_signing_alg": "EdDSA"},
        "backchannel_authentication_request_signing_alg",
    ),
]


@pytest.mark.parametrize(("signs", "alg"), SIGNING)
def test_who_has_to_sign_has_a_key_for_it(signs: dict[str, Any], alg: str) -> None:
    client = replace(WEB, **signs)
    for unfit in (
        *(public(X25519), public(RSA, use="enc"), public(P256, alg="ECDH-ES")),
        *(public(P256, key_ops=["deriveBits"]), public(RSA, alg="RSA-OAEP-256")),
    ):
        assert refused(client, jwks={"keys": [unfit]}).member == "jwks", unfit
        check_client_metadata(replace(client, jwks={"keys": [unfit, public(ED25519)]}))
        check_client_metadata(replace(client, jwks_uri="https://lms.example/jwks"))
    either: dict[str, Any] = {"jwks": {"keys": [public(RSA), public(ED25519, alg="EdDSA")]}}
    for known in ("RS256", "PS256", "EdDSA"):
        named: dict[str, Any] = {**either, alg: known}
        check_client_metadata(replace(client, **named))
    for other in ("ES256", "Ed25519"):
        assert refused(client, **either, **{alg: other}).member == "jwks"


@pytest.mark.parametrize(
    "uri",
    [
        "https://loans.example/gone",
        "https://loans.example:443/gone?by=frame",
        "https://LOANS.example/",
    ],
)
def test_a_frame_may_be_where_the_client_signs_in(uri: str) -> None:
    check_client_metadata(replace(WEB, frontchannel_logout_uri=uri))


@pytest.mark.parametrize(
    "uri",
    [
        "https://loans.example:8443/gone",
        "https://www.loans.example/gone",
        "https://loans.example.evil.example/gone",
        "http://localhost/gone",
        "https://loans.example/gone#part",
        "javascript:alert(1)",
        "com.example.app:/gone",
        "/gone",
        "",
    ],
)
def test_a_frame_is_nowhere_else(uri: str) -> None:
    """Front-Channel Logout 1.0 section 2."""
    assert refused(WEB, frontchannel_logout_uri=uri).member == "frontchannel_logout_uri"
    native = replace(NATIVE, redirect_uris=["com.example.app:/callback"])
    assert refused(native, frontchannel_logout_uri=uri).member == "frontchannel_logout_uri"


TO_ENCRYPT_TO = [
    ("RSA-OAEP-256", public(RSA)),
    ("RSA-OAEP-256", public(RSA, use="enc", alg="RSA-OAEP-256")),
    ("ECDH-ES", public(P256, use="enc")),
    ("ECDH-ES+A256KW", public(X25519)),
]


@pytest.mark.parametrize("answer", ["id_token", "userinfo", "introspection", "authorization"])
@pytest.mark.parametrize(("alg", "key"), TO_ENCRYPT_TO)
def test_an_answer_is_encrypted_to_a_key_that_fits(
    answer: str, alg: str, key: dict[str, Any]
) -> None:
    member = f"{answer}_encrypted_response"
    given: dict[str, Any] = {"jwks": {"keys": [key]}, f"{member}_alg": alg}
    check_client_metadata(replace(WEB, **given))
    check_client_metadata(replace(WEB, **{**given, f"{member}_enc": "A256GCM"}))
    assert refused(WEB, **{**given, "jwks": None}).member == "jwks"
    for other in (public(RSA, use="sig"), public(P256, alg="ES256"), public(ED25519)):
        assert refused(WEB, **{**given, "jwks": {"keys": [other]}}).member == "jwks"
    for weak in ("RSA1_5", "RSA-OAEP", "PBES2-HS256+A128KW", "dir", "A256KW", "none", ""):
        assert refused(WEB, **{**given, f"{member}_alg": weak}).member == f"{member}_alg"
    for enc in ("A192GCM", "A128CBC", "none", "DEF"):
        changed = {**given, f"{member}_enc": enc}
        assert refused(WEB, **changed).member == f"{member}_enc"
    alone = {"jwks": {"keys": [key]}, f"{member}_enc": "A256GCM"}
    assert refused(WEB, **alone).member == f"{member}_enc"


@pytest.mark.parametrize("alg", ["none", "HS256", "ES512", ""])
def test_userinfo_and_introspection_are_signed_by_keys_that_we_have(alg: str) -> None:
    for member in ("userinfo_signed_response_alg", "introspection_signed_response_alg"):
        changed: dict[str, Any] = {member: alg}
        assert refused(WEB, **changed).member == member


def test_a_shared_key_that_we_would_have_to_keep_is_refused_in_clear_words() -> None:
    refusal = refused(WEB, token_endpoint_auth_method="client_secret_jwt")
    assert refusal.member == "token_endpoint_auth_method"
    assert "private_key_jwt does the same" in refusal.public_message
    described = {"client_id": "loans-web", "client_name": "Loans", "product": "loans"}
    with pytest.raises(ValueError, match="private_key_jwt does the same"):
        ClientForm.model_validate({**described, "token_endpoint_auth_method": "client_secret_jwt"})


@pytest.mark.parametrize(
    "member",
    [
        "token_endpoint_auth_signing_alg",
        "request_object_signing_alg",
        "authorization_signed_response_alg",
    ],
)
@pytest.mark.parametrize("alg", ["none", "HS256", "RS1", ""])
def test_an_algorithm_that_proves_nothing_can_not_be_registered(member: str, alg: str) -> None:
    assert refused(WEB, **{member: alg}).member == member
