"""S18, S25, S27: who proves itself by a certificate (RFC 8705) has the registered one, told by a
proxy that is believed, and what is bound to it is of use with it alone."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from idp.errors import MetadataRefusal, SetupMistake
from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.oidc.client_certificate import certificates_in
from idp.oidc.client_metadata import ClientMetadata
from idp.oidc.client_registration import check_client_metadata
from idp.oidc.confirmation import confirmation_of
from idp.proxies import behind_proxies
from idp.settings import settings_from
from tests.security.certificates import (
    APP,
    CERTIFICATE,
    ITSELF,
    NAMED,
    OWN,
    SERVER,
    STRANGE,
    VERIFY,
    behind_tls,
    by_authority,
    certificate,
    der_of,
    key_with,
    shown,
    structured,
)
from tests.security.protocol import (
    MACHINE,
    SIGNING,
    Party,
    assertion,
    code_for,
    is_refused,
    proof,
    register,
)
from tests.security.proving_possession import made
from tests.world import ISSUER, VERIFIER, World, claims_of

ALTERNATIVES = (
    by_authority("by-dns", tls_client_auth_san_dns="Reports.northwind.example"),
    by_authority("by-uri", tls_client_auth_san_uri="spiffe://northwind/reports"),
    by_authority("by-ip", tls_client_auth_san_ip="2001:DB8:0::1"),
    by_authority("by-email", tls_client_auth_san_email="reports@northwind.example"),
)
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def tls(world: World) -> Iterator[World]:
    register(world, NAMED, ITSELF, APP, SERVER, MACHINE, *ALTERNATIVES)
    made_of_it = behind_tls(world)
    yield made_of_it
    made_of_it.held.database.close()


def ask(world: World, party: Party, headers: dict[str, str], **form: str) -> TestResponse:
    own, fields = proof(world, party)
    fields = {**fields, "client_id": party.client_id, "grant_type": "client_credentials", **form}
    return world.post("/token", {**own, **headers}, **fields)


def redeemed(world: World, party: Party, headers: dict[str, str]) -> dict[str, Any]:
    form = {"code": code_for(world, party), "redirect_uri": party.redirect_uri}
    form = {**form, "grant_type": "authorization_code", "code_verifier": VERIFIER}
    answer = ask(world, party, headers, **form)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def refreshed(world: World, party: Party, token: str, headers: dict[str, str]) -> TestResponse:
    return ask(world, party, headers, grant_type="refresh_token", refresh_token=token)


def bring(world: World, token: str, headers: dict[str, str], path: str) -> TestResponse:
    return Client(world.app).get(path, headers={"Authorization": f"Bearer {token}", **headers})


@pytest.mark.parametrize("told", [shown, structured], ids=lambda each: each.__name__)
def test_a_certificate_proves_its_client(tls: World, told: Any) -> None:
    for party in (NAMED, ITSELF, *ALTERNATIVES):
        answer = ask(tls, party, told())
        assert answer.status_code == 200, (party.client_id, answer.text)
    assert "cnf" not in claims_of((ask(tls, NAMED, told()).json or {})["access_token"])


def test_sec_27_without_the_registered_certificate_nobody_is_a_client(tls: World) -> None:
    also = certificate("CN=reports,O=Northwind Lending,C=US,CN=more")
    unreadable = ("x", ":x:", "::", ":AAAA:", "-----BEGIN CERTIFICATE-----", "%ff")
    twice = f"{structured()[CERTIFICATE]}, {structured()[CERTIFICATE]}"
    rows: tuple[dict[str, str], ...] = (
        *(
            {},
            shown(STRANGE),
            shown(also),
            {VERIFY: "SUCCESS"},
            {CERTIFICATE: "", VERIFY: "SUCCESS"},
        ),
        *({CERTIFICATE: each, VERIFY: "SUCCESS"} for each in (*unreadable, twice)),
    )
    for headers in rows:
        for party in (NAMED, ITSELF, *ALTERNATIVES):
            assert is_refused(ask(tls, party, headers), "invalid_client", 401), headers


@pytest.mark.parametrize(
    ("sound", "strange", "party"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", ITSELF),  # version 2
        (b"\x82\x19reports", b"\xa3\x19reports", ALTERNATIVES[0]),  # the name is an x400Address
        (b"\x0c\x07reports", b"\x03\x07reports", NAMED),  # the name is bits
    ],
)
def test_sec_27_a_strange_certificate_is_nobodys(
    tls: World, sound: bytes, strange: bytes, party: Party
) -> None:
    der = der_of(OWN).replace(sound, strange)
    assert der != der_of(OWN)
    encoded = base64.b64encode(der).decode()
    answer = ask(tls, party, {CERTIFICATE: f":{encoded}:", VERIFY: "SUCCESS"})
    assert is_refused(answer, "invalid_client", 401)
    assert [each for each in certificates_in({"keys": [{"x5c": [encoded]}]}) if each != der] == []


def test_sec_27_a_name_counts_where_its_chain_was_checked_alone(tls: World) -> None:
    for verified in ("", "NONE", "FAILED:self-signed certificate", "success", "SUCCESS, NONE"):
        for party in (NAMED, *ALTERNATIVES):
            assert is_refused(ask(tls, party, shown(OWN, verified)), "invalid_client", 401)
        assert ask(tls, ITSELF, shown(OWN, verified)).status_code == 200
    register(tls, NAMED)
    unchecked = behind_tls(tls, client_certificate_verified_header="")
    assert is_refused(ask(unchecked, NAMED, shown()), "invalid_client", 401)
    unchecked.held.database.close()


def test_sec_27_a_certificate_in_the_chain_is_not_the_clients(tls: World) -> None:
    """Nor does the key of the registered one prove anything in another certificate."""
    assert is_refused(ask(tls, ITSELF, shown(STRANGE)), "invalid_client", 401)


def test_sec_27_a_certificate_is_no_secret_and_a_secret_no_certificate(tls: World) -> None:
    by_secret = tls.basic(NAMED.client_id, "s" * 40)
    answer = tls.post("/token", {**by_secret, **shown()}, grant_type="client_credentials")
    assert is_refused(answer, "invalid_client", 401)
    named = {"client_id": MACHINE.client_id, "grant_type": "client_credentials"}
    assert is_refused(tls.post("/token", shown(), **named), "invalid_client", 401)
    assert ask(tls, MACHINE, shown()).status_code == 200


def test_sec_27_where_no_header_is_named_none_is_read(world: World) -> None:
    register(world, NAMED, ITSELF, APP)
    for headers in (shown(), structured(), {"Client-Cert": structured()[CERTIFICATE]}):
        for party in (NAMED, ITSELF):
            assert is_refused(ask(world, party, headers), "invalid_client", 401)
    assert is_refused(ask(world, APP, shown(), grant_type="refresh_token"), "invalid_request")


def test_sec_27_only_proxies_of_ours_are_believed(tls: World) -> None:
    inner = tls.app
    for trusted, status in (("10.0.0.1", 200), ("10.0.0.0/8", 200), ("10.0.0.2,127.0.0.1", 401)):
        outer = behind_proxies(inner, trusted, (CERTIFICATE, VERIFY))
        tls.app = lambda sent, start, to=outer: to({**sent, "REMOTE_ADDR": "10.0.0.1"}, start)
        for told in (shown(), {**shown(), "X-Forwarded-For": "10.0.0.2"}):
            assert ask(tls, ITSELF, told).status_code == status, (trusted, told)
    tls.app = inner


def test_a_bound_token_is_told_of_and_good_with_its_certificate(tls: World) -> None:
    token = redeemed(tls, SERVER, shown())["access_token"]
    x5t = claims_of(token)["cnf"]["x5t#S256"]
    assert confirmation_of(claims_of(token)).x5t == x5t
    told = tls.introspect(token)
    assert (told["token_type"], told["cnf"]) == ("Bearer", {"x5t#S256": x5t})
    for path in ("/userinfo", "/switcher"):
        assert bring(tls, token, shown(), path).status_code == 200
        assert bring(tls, token, structured(OWN, "NONE"), path).status_code == 200


def test_sec_25_a_bound_token_is_of_no_use_without_its_certificate(tls: World) -> None:
    token = redeemed(tls, SERVER, shown())["access_token"]
    for headers in ({}, shown(STRANGE), structured(STRANGE), {CERTIFICATE: "x"}):
        for path in ("/userinfo", "/switcher"):
            answer = bring(tls, token, headers, path)
            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_sec_27_who_is_registered_for_bound_tokens_gets_no_other(tls: World) -> None:
    for party in (APP, SERVER):
        form = {"code": "x", "grant_type": "authorization_code"}
        assert is_refused(ask(tls, party, {}, **form), "invalid_request")
    token = redeemed(tls, SERVER, shown())["refresh_token"]
    assert is_refused(refreshed(tls, SERVER, token, {}), "invalid_request")
    other = refreshed(tls, SERVER, token, shown(STRANGE)).json or {}
    assert claims_of(other["access_token"])["cnf"].keys() == {"x5t#S256"}


def test_sec_18_a_public_clients_refresh_token_goes_with_its_certificate(tls: World) -> None:
    token = redeemed(tls, APP, shown())["refresh_token"]
    assert is_refused(refreshed(tls, APP, token, shown(STRANGE)), "invalid_grant")
    fresh = refreshed(tls, APP, token, shown()).json or {}
    again = refreshed(tls, APP, fresh["refresh_token"], shown(STRANGE))
    assert is_refused(again, "invalid_grant")


def test_sec_25_who_is_bound_by_both_shows_both(tls: World) -> None:
    token = redeemed(tls, SERVER, {**shown(), "DPoP": made(tls)})["access_token"]
    assert claims_of(token)["cnf"].keys() == {"jkt", "x5t#S256"}
    for headers, status in ((shown(), 200), (shown(STRANGE), 401), ({}, 401)):
        by = {"Authorization": f"DPoP {token}", "DPoP": made(tls, "/userinfo", "GET", token)}
        assert bring(tls, token, {**headers, **by}, "/userinfo").status_code == status
    assert bring(tls, token, shown(), "/userinfo").status_code == 401


def test_a_proof_may_be_for_the_address_that_asks_for_certificates(tls: World) -> None:
    by = made(tls, htu="https://mtls.id.example/token")
    assert ask(tls, NAMED, {**shown(), "DPoP": by}).status_code == 200
    assert ask(tls, NAMED, {**shown(), "DPoP": made(tls)}).status_code == 200


def test_sec_27_an_assertion_may_be_for_an_address_that_asks_for_certificates(tls: World) -> None:
    register(tls, SIGNING)
    for told, status in (("/token", 200), ("/introspect", 401), ("", 401), (".evil/token", 401)):
        signed = assertion(tls, SIGNING, aud=f"https://mtls.id.example{told}")
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
        answer = tls.post("/token", {}, grant_type="client_credentials", **form)
        assert answer.status_code == status, told


def test_discovery_tells_of_certificates_where_they_are_taken_alone(tls: World) -> None:
    told = tls.get(DISCOVERY).json or {}
    methods = told["token_endpoint_auth_methods_supported"]
    assert {"tls_client_auth", "self_signed_tls_client_auth", "none"} <= set(methods)
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]
    assert told["tls_client_certificate_bound_access_tokens"] is True
    aliases = told["mtls_endpoint_aliases"]
    assert aliases["token_endpoint"] == "https://mtls.id.example/token"
    assert all(told[name] == ISSUER + each[23:] for name, each in aliases.items())
    for changed, lacking in (
        ({"client_certificate_verified_header": ""}, {"tls_client_auth"}),
        (
            dict.fromkeys(("client_certificate_header", "mtls_url"), "")
            | {"client_certificate_verified_header": ""},
            {"tls_client_auth", "self_signed_tls_client_auth"},
        ),
    ):
        other = behind_tls(tls, **changed)
        fewer = (other.get(DISCOVERY).json or {})["token_endpoint_auth_methods_supported"]
        assert set(methods) - set(fewer) == lacking
        other.held.database.close()


NOTHING: dict[str, Any] = {"client_id": "certain", "redirect_uris": ["https://c.example/cb"]}
TWO = {"tls_client_auth_san_dns": "a.example", "tls_client_auth_san_ip": "10.0.0.1"}


@pytest.mark.parametrize(
    "described",
    [
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "tls_client_auth", **TWO},
        {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_san_ip": "a.example"},
        {"token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "reports"},
        {"tls_client_auth_san_dns": "a.example"},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
    ],
)
def test_sec_27_what_names_no_certificate_is_not_registered(described: dict[str, Any]) -> None:
    with pytest.raises(MetadataRefusal):
        check_client_metadata(ClientMetadata(**{**NOTHING, **described}))


def test_a_certificate_is_registered_by_its_key() -> None:
    key = key_with(OWN)
    method = "self_signed_tls_client_auth"
    whole: dict[str, Any] = {
        **NOTHING,
        "token_endpoint_auth_method": method,
        "jwks": {"keys": [key]},
    }
    check_client_metadata(ClientMetadata(**whole))
    for wrong in ([], ["AAAA"], ["é"], None):
        key["x5c"] = wrong
        with pytest.raises(MetadataRefusal):
            check_client_metadata(ClientMetadata(**whole))
    assert der_of(OWN) != der_of(STRANGE)


def test_sec_27_headers_are_believed_from_named_proxies_alone_or_not_at_all() -> None:
    header = {"LATCHKEY_CLIENT_CERTIFICATE_HEADER": "ClientCert"}
    proxies = {"LATCHKEY_TRUSTED_PROXIES": "10.0.0.1"}
    settings_from({**header, **proxies})
    settings_from({**header, **proxies, "LATCHKEY_MTLS_URL": "https://mtls.id.example:8443"})
    for wrong in (
        header,
        {**proxies, "LATCHKEY_MTLS_URL": "https://mtls.id.example"},
        {**proxies, "LATCHKEY_CLIENT_CERTIFICATE_VERIFIED_HEADER": "XVerify"},
        {**proxies, "LATCHKEY_CLIENT_CERTIFICATE_HEADER": "Client Cert"},
        {**proxies, "LATCHKEY_CLIENT_CERTIFICATE_HEADER": "Client-Cert"},  # Client_Cert is the same
        {**proxies, **header, "LATCHKEY_CLIENT_CERTIFICATE_VERIFIED_HEADER": "X-Verify"},
        *(
            {**header, **proxies, "LATCHKEY_MTLS_URL": url}
            for url in (
                *("http://mtls.id.example", "https://mtls.id.example/", "https://a@b", "x"),
                *("https://mtls.id.example:port", "https://mtls.id.example:99999"),
            )
        ),
    ):
        with pytest.raises(SetupMistake):
            settings_from(wrong)
