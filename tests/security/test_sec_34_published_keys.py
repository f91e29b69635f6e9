"""S25, S29, S34: wherever a client's keys count, those at its `jwks_uri` do; and where none can be
had, nothing is sent in the clear and nothing is spent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwe
from joserfc.jwk import RSAKey

from idp.oidc.jwks_uri import AGAIN_AFTER, KEPT_FOR
from tests.security.certificates import OWN, STRANGE, behind_tls, key_with, shown
from tests.security.client_host import SOUND, Host
from tests.security.fapi_clients import SIGNER, of_profile, push
from tests.security.protocol import (
    MACHINE,
    Party,
    answer_to,
    ask,
    asked_by,
    code_for,
    is_refused,
    of_people,
    post_as,
    redeem,
    register,
    tokens_for,
)
from tests.security.publishing import FIRST, SECOND, ask_by, key_set, machine, new_key, request_of
from tests.security.test_sec_29_request_objects import bring, claims, sign_in
from tests.world import World, sent_back

ENC = "A128CBC-HS256"
GONE = b"gone"
READER = new_key("reader")
NO_KEY = "invalid_client_metadata"


@pytest.fixture
def host() -> Iterator[Host]:
    with Host.running() as running:
        running.bodies[SOUND] = key_set(FIRST, {**READER.as_dict(private=False), "use": "enc"})
        yield running


def reading(host: Host, *answers: str) -> Party:
    by = {f"{answer}_encrypted_response_alg": "ECDH-ES" for answer in answers}
    return of_people("reads", jwks_uri=host.address(SOUND), **by)


def opened(token: str) -> str:
    found = jwe.decrypt_compact(token, READER, algorithms=["ECDH-ES", ENC])
    return (found.plaintext or b"").decode()


def forgotten(world: World, host: Host, body: bytes = GONE) -> None:
    """What was known is too old, and nothing sound is there."""
    host.bodies[SOUND] = body
    world.clock.move(KEPT_FOR)


def test_sec_25_answers_are_encrypted_to_a_published_key(world: World, host: Host) -> None:
    party = reading(host, "id_token", "userinfo")
    register(world, party)
    given = tokens_for(world, party)
    assert opened(given["id_token"]).count(".") == 2
    assert '"email":' in opened(world.userinfo(given["access_token"]).text)
    forgotten(world, host)
    token = post_as(
        world, party, "/token", grant_type="refresh_token", refresh_token=given["refresh_token"]
    )
    assert is_refused(token, NO_KEY)


@pytest.mark.parametrize("body", [GONE, key_set(RSAKey.generate_key(2048))])
def test_sec_25_a_code_is_not_spent_on_an_answer_that_nobody_could_read(
    world: World, host: Host, body: bytes
) -> None:
    party = reading(host, "id_token")
    register(world, party)
    code, sound = code_for(world, party), host.bodies[SOUND]
    host.bodies[SOUND] = body
    assert is_refused(redeem(world, party, code), NO_KEY)
    assert is_refused(redeem(world, party, code), NO_KEY)
    host.bodies[SOUND] = sound
    world.clock.move(AGAIN_AFTER)
    assert opened(redeem(world, party, code).json["id_token"])  # type: ignore[index]


def test_sec_25_nobody_signs_in_for_an_answer_that_nobody_could_read(
    world: World, host: Host
) -> None:
    party = reading(host, "authorization")
    register(world, party)
    [response] = sent_back(answer_to(world.browser(), party, response_mode="jwt")).values()
    assert opened(response).count(".") == 2
    forgotten(world, host)
    page = ask(world.browser(), party, response_mode="jwt")
    assert (page.status_code, page.mimetype) == (400, "text/html")
    assert "no key that the answer can be encrypted to" in page.text
    pushed = asked_by(party, response_mode="jwt")
    assert is_refused(post_as(world, party, "/par", **pushed), NO_KEY)
    assert answer_to(world.browser(), party).status_code == 303


def test_sec_29_a_request_object_is_signed_by_a_published_key(world: World, host: Host) -> None:
    party, visitor = of_people("signs", jwks_uri=host.address(SOUND)), world.browser()
    register(world, party)
    beside = {"redirect_uri": party.redirect_uri}
    told = {
        key.kid: bring(visitor, party, request_of(claims(world, party), key), **beside)
        for key in (FIRST, SECOND)
    }
    assert sent_back(told["second"])["error"] == "invalid_request_object"
    assert "code" in sign_in(visitor, told["first"])
    forgotten(world, host)
    refused = bring(visitor, party, request_of(claims(world, party), FIRST), **beside)
    assert sent_back(refused)["error"] == "invalid_request_object"


def test_sec_27_a_certificate_may_be_published(world: World, host: Host) -> None:
    form = {**MACHINE.form, "jwks_uri": host.address(SOUND)}
    party, proxied = Party("itself", "self_signed_tls_client_auth", form), behind_tls(world)
    register(world, party)
    register(proxied, party)
    asked = {"client_id": "itself", "grant_type": "client_credentials"}

    def status(certificate: Any) -> int:
        return proxied.post("/token", shown(certificate), **asked).status_code

    assert status(OWN) == 401
    host.bodies[SOUND] = key_set(key_with(OWN))
    proxied.clock.move(AGAIN_AFTER)
    assert (status(OWN), status(STRANGE)) == (200, 401)
    host.bodies[SOUND] = key_set(key_with(STRANGE))
    proxied.clock.move(AGAIN_AFTER)
    assert (status(STRANGE), status(OWN)) == (200, 401)
    forgotten(proxied, host)
    assert status(STRANGE) == 401
    proxied.held.database.close()


def test_sec_32_a_client_of_the_profile_publishes_its_keys(world: World, host: Host) -> None:
    """Whatever stands there, RS256 is none of its algorithms."""
    rsa: Any = RSAKey.generate_key(2048, {"kid": "rsa"})
    host.bodies[SOUND] = key_set(SIGNER, rsa)
    party = replace(of_profile("fapi", "fapi2_security", jwks_uri=host.address(SOUND)), key=None)
    held, free = machine(host, profile="fapi2_security"), machine(host, "free")
    register(world, party, held, free)
    assert push(world, replace(party, key=SIGNER)).status_code == 201
    assert ask_by(world, free, rsa, alg="RS256").status_code == 200
    assert is_refused(ask_by(world, held, rsa, alg="RS256"), "invalid_client", 401)
    assert is_refused(ask_by(world, held, SIGNER), "invalid_request")  # its tokens are bound
