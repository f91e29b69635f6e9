"""S32-S35: a software statement counts as signed by somebody whom the operator trusts, and comes
before what the client says (RFC 7591 sections 2.3 and 3.1.1)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

from idp.errors import SetupMistake
from idp.oidc.software_statement import read_issuers
from idp.secret_values import encode
from tests.security.browsing import reopened
from tests.security.protocol import is_refused, segment
from tests.security.registering import SOUND, at_own, initial_token, post, registered
from tests.world import ISSUER, World

VOUCHER = "https://voucher.example"
KEY = ECKey.generate_key("P-256", {"kid": "v"})
STRANGER = ECKey.generate_key("P-256", {"kid": "v"})
OTHERS = ECKey.generate_key("P-256", {"kid": "v"})
PUBLIC = KEY.as_dict(private=False)


def issuers(tmp_path: Path) -> str:
    file = tmp_path / "issuers.json"
    other = {"keys": [OTHERS.as_dict(private=False)]}
    file.write_text(json.dumps({VOUCHER: {"keys": [PUBLIC]}, "https://other.example": other}))
    return str(file)


@pytest.fixture
def trusting(world: World, tmp_path: Path) -> Iterator[World]:
    made = reopened(world, replace(world.settings, software_issuers=issuers(tmp_path)))
    yield made
    made.held.database.close()


def statement(key: Any = KEY, header: dict[str, Any] | None = None, **claims: Any) -> str:
    sound = {"iss": VOUCHER, "software_id": "vouched-for", "client_name": "As vouched for"}
    told = {name: value for name, value in {**sound, **claims}.items() if value is not None}
    payload = json.dumps(told).encode()
    protected = {"alg": "ES256", **(header or {})}
    return jws.serialize_compact(protected, payload, key, algorithms=["ES256"])


def test_what_it_says_comes_before_what_the_client_says(trusting: World) -> None:
    signed = statement(redirect_uris=SOUND["redirect_uris"], token_endpoint_auth_method="none")
    wishes = {"redirect_uris": ["https://one.apps.example/cb"], "client_name": "As I like"}
    told = registered(
        trusting, initial_token(trusting), **wishes, software_statement=signed, scope="openid"
    )
    assert (told["client_name"], told["redirect_uris"]) == (
        "As vouched for",
        SOUND["redirect_uris"],
    )
    assert (told["software_id"], told["scope"]) == ("vouched-for", "openid")
    assert told["software_statement"] == signed
    assert "client_secret" not in told


def test_it_stands_when_the_client_changes_itself(trusting: World) -> None:
    signed = statement(redirect_uris=SOUND["redirect_uris"])
    told = registered(trusting, initial_token(trusting), software_statement=signed)
    wishes = {"client_id": told["client_id"], "redirect_uris": ["https://one.apps.example/cb"]}
    changed = at_own(trusting, told, "PUT", wishes).json or {}
    assert changed["redirect_uris"] == SOUND["redirect_uris"]
    assert changed["software_statement"] == signed
    newer = statement(redirect_uris=wishes["redirect_uris"])
    changed = at_own(trusting, told, "PUT", {**wishes, "software_statement": newer}).json or {}
    assert changed["redirect_uris"] == wishes["redirect_uris"]


def test_it_lets_nobody_beyond_the_policy_nor_names_a_client(trusting: World) -> None:
    token = initial_token(trusting)
    far = statement(redirect_uris=["https://evil.example/cb"])
    answer = post(trusting, token, {**SOUND, "software_statement": far})
    assert is_refused(answer, "invalid_redirect_uri")
    mine = statement(client_id="lms", first_party=True, permissions=["loans.read"], status="x")
    told = registered(trusting, token, software_statement=mine)
    assert told["client_id"] != "lms"
    assert "first_party" not in told


NOW = 1_795_000_000


def by_secret(secret: bytes) -> str:
    signed = f"{segment({'alg': 'HS256'})}.{segment({'iss': VOUCHER})}"
    return f"{signed}.{encode(hmac.new(secret, signed.encode(), 'sha256').digest())}"


FORGED = {
    "by a stranger": statement(STRANGER),
    "by another whom we trust": statement(OTHERS),
    "by the key that its header brings": statement(
        STRANGER, {"jwk": STRANGER.as_dict(private=False)}
    ),
    "by another that its header names": statement(OTHERS, {"kid": "../../etc/passwd"}),
    "by the public key as a secret": by_secret(KEY.as_pem(private=False)),
    "by nobody": f"{segment({'alg': 'none'})}.{segment({'iss': VOUCHER})}.",
    "changed": statement()[:-6] + "AAAAAA",
    "without issuer": statement(iss=None),
    "of two issuers": statement(iss=[VOUCHER]),
    "over": statement(exp=NOW),
    "over in words": statement(exp="tomorrow"),
    "made tomorrow": statement(iat=NOW + 86400),
    "not yet": statement(nbf=NOW + 86400),
    "for somebody else": statement(aud="https://elsewhere.example"),
    "for others": statement(aud=["https://elsewhere.example"]),
    "no object": jws.serialize_compact({"alg": "ES256"}, b"[]", KEY),
    "no JSON": jws.serialize_compact({"alg": "ES256"}, b"{", KEY),
    "no JWS": "a.b",
    "long": statement(padding="x" * 16384),
}


@pytest.mark.parametrize("name", FORGED)
def test_sec_32_33_34_35_one_that_is_not_sound_is_refused(trusting: World, name: str) -> None:
    answer = post(trusting, initial_token(trusting), {**SOUND, "software_statement": FORGED[name]})
    assert is_refused(answer, "invalid_software_statement")


def test_sec_32_one_by_somebody_whom_we_do_not_know_is_not_approved(
    world: World, trusting: World
) -> None:
    token = initial_token(world)
    unknown = {**SOUND, "software_statement": statement(iss="https://unknown.example")}
    for answer in (
        post(trusting, token, unknown),
        post(world, token, {**SOUND, "software_statement": statement()}),
    ):
        assert is_refused(answer, "unapproved_software_statement")
    nothing: tuple[Any, ...] = (7, {}, ["x"])
    for none in nothing:
        answer = post(trusting, token, {**SOUND, "software_statement": none})
        assert is_refused(answer, "invalid_software_statement")


def test_one_for_us_that_ends_later_is_sound(trusting: World) -> None:
    signed = statement(aud=[ISSUER], exp=NOW + 60, iat=NOW, nbf=NOW)
    assert registered(trusting, initial_token(trusting), software_statement=signed)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"https://a.example": {}}',
        '{"https://a.example": {"keys": [{"kty": "oct"}]}}',
        "7",
    ],
)
def test_a_file_that_names_no_issuers_lets_nothing_start(tmp_path: Path, content: str) -> None:
    file = tmp_path / "issuers.json"
    with pytest.raises(SetupMistake):
        read_issuers(str(file))
    file.write_text(content)
    with pytest.raises(SetupMistake):
        read_issuers(str(file))


def test_a_policy_may_let_in_none_but_those_who_are_vouched_for(trusting: World) -> None:
    """For good: whoever came with a statement is held to it, and needs no other."""
    token = initial_token(trusting, require_software_statement=True)
    for none in ({}, {"software_statement": None}):
        answer = post(trusting, token, {**SOUND, **none})
        assert is_refused(answer, "invalid_software_statement")
    unknown = {**SOUND, "software_statement": statement(iss="https://unknown.example")}
    assert is_refused(post(trusting, token, unknown), "unapproved_software_statement")
    assert trusting.run("SELECT used FROM initial_access_tokens") == [(0,)]
    told = registered(trusting, token, software_statement=statement())
    changed = at_own(trusting, told, "PUT", {**SOUND, "client_id": told["client_id"]})
    assert (changed.status_code, (changed.json or {})["client_name"]) == (200, "As vouched for")
