"""S34: a token is good for what it was made for, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from idp.sessions import logout
from idp.sessions.clients import sid_of
from idp.tokens.signed_tokens import LOGOUT_TOKEN
from tests.security.browsing import claims_of, header_of, minted, shared_world, without
from tests.security.browsing_tokens import Stage
from tests.world import PRIYA, World

KINDS = {
    "an access token": Stage.BEARERS,
    "an ID token": Stage.HINTS,
    "a refresh token": ("introspect", "revoke"),
    "a logout token": (),
    "a code": (),
    "a machine's access token": (),
    "a client assertion": (Stage.ASSERTION,),
    "a request object": (Stage.REQUEST,),
}


@pytest.fixture(scope="module")
def stage(furnished_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with shared_world(furnished_folder, tmp_path_factory) as world:
        yield Stage(world)


def made(stage: Stage, kind: str) -> str:
    world = stage.world
    given = {
        "an access token": "access_token",
        "an ID token": "id_token",
        "a refresh token": "refresh_token",
    }
    if kind in given:
        return str(stage.given[given[kind]])
    if kind == "a code":
        return stage.browser.code()
    if kind == "a client assertion":
        return stage.assertion(stage.assertion_claims())
    if kind == "a request object":
        return stage.genuine(Stage.REQUEST)
    if kind == "a logout token":
        return minted(world, LOGOUT_TOKEN, logout_claims(stage), "RS256")
    answer = world.post("/token", world.basic("lms-batch"), grant_type="client_credentials")
    return str((answer.json or {})["access_token"])


def logout_claims(stage: Stage) -> dict[str, object]:
    claims = claims_of(stage.given["id_token"])
    payload = {"sub": claims["sub"], "sid": claims["sid"]}
    held, now = stage.world.held, stage.world.clock()
    lms = held.catalog.current(now).clients["lms"]
    return logout.logout_token_claims(held.settings.issuer, lms, payload, held.secret_keys, now)


@pytest.mark.parametrize(
    ("kind", "consumer"),
    [
        (kind, consumer)
        for kind, welcome in KINDS.items()
        for consumer in Stage.EVERYBODY
        if consumer not in welcome
    ],
)
def test_sec_34_a_token_of_another_kind_is_refused(stage: Stage, kind: str, consumer: str) -> None:
    assert not stage.takes(consumer, made(stage, kind))


@pytest.mark.parametrize("consumer", Stage.BEARERS)
@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", "application/at+jwt", "AT+JWT", ""])
def test_sec_34_an_access_tokens_claims_under_another_type_open_nothing(
    stage: Stage, consumer: str, typ: str
) -> None:
    assert not stage.takes(
        consumer, minted(stage.world, typ, claims_of(stage.given["access_token"]))
    )


@pytest.mark.parametrize("consumer", Stage.HINTS)
@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "jwt", ""])
def test_sec_34_an_id_tokens_claims_under_another_type_are_no_hint(
    stage: Stage, consumer: str, typ: str
) -> None:
    assert not stage.takes(
        consumer, minted(stage.world, typ, claims_of(stage.given["id_token"]), "RS256")
    )


@pytest.mark.parametrize("consumer", [*Stage.BEARERS, *Stage.HINTS])
@pytest.mark.parametrize(
    "issuer", ["https://localhost:8000", "http://localhost:8000/", "http://evil.example", "", None]
)
def test_sec_34_a_token_of_another_issuer_is_refused(
    stage: Stage, consumer: str, issuer: str | None
) -> None:
    """Even by our own key: two providers may come to share one by mistake."""
    genuine = stage.genuine(consumer)
    header = header_of(genuine)
    forged = minted(
        stage.world, header["typ"], {**claims_of(genuine), "iss": issuer}, header["alg"]
    )
    assert not stage.takes(consumer, forged)


@pytest.mark.parametrize(
    "audience",
    [
        "http://localhost:8000/token",
        ["http://localhost:8000", "http://localhost:8000"],
        "http://localhost:8000/",
        "http://localhost:8001",
        "",
        [],
        None,
        {"http://localhost:8000": 1},
    ],
)
def test_sec_34_an_assertion_names_us_and_nobody_beside_us(stage: Stage, audience: object) -> None:
    claims = {**stage.assertion_claims(), "aud": audience}
    taken = stage.takes(Stage.ASSERTION, stage.assertion(claims))
    assert taken == (audience == "http://localhost:8000/token")


@pytest.mark.parametrize(
    ("typ", "takers"),
    [
        ("", {*Stage.OF_CLIENTS}),
        ("JWT", {*Stage.OF_CLIENTS}),
        ("oauth-authz-req+jwt", {Stage.REQUEST}),
        ("application/OAuth-Authz-Req+JWT", {Stage.REQUEST}),
        ("client-authentication+jwt", {Stage.ASSERTION}),
        ("at+jwt", set()),
        ("dpop+jwt", set()),
        ("application/application/jwt", set()),
    ],
)
def test_sec_34_what_a_client_signs_is_for_what_its_type_says(
    stage: Stage, typ: str, takers: set[str]
) -> None:
    claims = {Stage.ASSERTION: stage.assertion_claims(), Stage.REQUEST: stage.request_claims()}
    for consumer, sound in claims.items():
        taken = stage.takes(consumer, stage.assertion(sound, typ=typ))
        assert taken == (consumer in takers), (consumer, typ)


def test_sec_34_a_request_object_that_could_be_an_assertion_is_neither(stage: Stage) -> None:
    """RFC 9101 section 10.8: without a type its claims have to tell."""
    both = {**stage.assertion_claims(), **stage.request_claims()}
    assert not stage.takes(Stage.REQUEST, stage.assertion(both))
    both.pop("sub")
    assert stage.takes(Stage.REQUEST, stage.assertion(both))
    assert not stage.takes(Stage.ASSERTION, stage.assertion(both))


def test_sec_34_a_token_for_a_resource_whose_name_begins_like_userinfo_is_not_for_userinfo(
    world: World,
) -> None:
    """A product's `resource` is free text: an audience is compared whole."""
    userinfo = f"{world.settings.issuer}/userinfo"
    world.apply(products=[{"key": "lms", "name": "LMS", "resource": f"{userinfo}/of-others"}])
    world.clock.move(2)
    tokens = world.browser().tokens(scope="profile")
    assert claims_of(tokens["access_token"])["aud"] == f"{userinfo}/of-others"
    assert world.userinfo(tokens["access_token"]).status_code == 403


def test_sec_34_one_products_token_says_nothing_to_another_product(world: World) -> None:
    token = world.browser().tokens(client_id="payments")["access_token"]
    assert world.introspect(token, "payments")["active"] is True
    assert world.introspect(token, "lms") == {"active": False}


def test_sec_34_a_token_says_the_tenant_it_was_made_for_and_cannot_be_moved(world: World) -> None:
    browser = world.browser()
    token = browser.tokens(PRIYA, tenant="northwind")["access_token"]
    claims = claims_of(token)
    assert claims["tenant"] == "northwind"
    other = claims_of(browser.tokens(PRIYA, tenant="harbor")["access_token"])
    moved = minted(world, "at+jwt", {**claims, "tenant": "harbor", "tenant_id": other["tenant_id"]})
    told = world.userinfo(moved).json or {}
    assert (told["tenant"], told["tenant_id"]) == ("northwind", claims["tenant_id"])


def test_sec_34_a_sid_is_not_the_sessions_id_and_differs_at_every_client(world: World) -> None:
    browser = world.browser()
    sids = {
        client: claims_of(browser.tokens(client_id=client)["id_token"])["sid"]
        for client in ("lms", "payments", "connections")
    }
    assert len(set(sids.values())) == 3
    ((session_id,),) = world.run("SELECT id FROM sessions")
    assert sids == {client: sid_of(session_id, client) for client in sids}
    assert session_id not in sids.values()


def test_sec_34_dropping_the_audience_does_not_widen_a_token(stage: Stage) -> None:
    claims = without(claims_of(stage.given["access_token"]), "aud")
    assert not stage.takes("userinfo", minted(stage.world, "at+jwt", claims))
