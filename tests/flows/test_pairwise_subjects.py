"""A pairwise client calls each person by a name of its sector, whatever it is told and by whom
(OpenID Connect Core section 8)."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from idp import delivery, worker
from idp.errors import MetadataRefusal
from idp.oidc.client_metadata import ClientMetadata
from idp.oidc.client_registration import check_client_metadata
from idp.sessions.logout import MESSAGE
from idp.tokens import subjects
from tests.security.protocol import (
    KEEPING,
    Party,
    answer_to,
    asked_by,
    of_people,
    post_as,
    redeem,
    refreshed,
    register,
    revoke,
)
from tests.world import AMARA, DANA, ISSUER, Visitor, World, claims_of, sent_back

SECTOR = "https://sector.example/uris.json"
APART = of_people(
    "apart",
    subject_type="pairwise",
    backchannel_logout_uri="https://apart.example/logout",
    post_logout_redirect_uris=["https://apart.example/bye"],
)
ELSEWHERE = of_people("elsewhere", subject_type="pairwise")
TOGETHER = [
    of_people(name, subject_type="pairwise", sector_identifier_uri=SECTOR)
    for name in ("left", "right")
]


def id_of(world: World, email: str = AMARA) -> str:
    return str(world.run("SELECT id FROM users WHERE email = :email", email=email)[0][0])


def tokens(visitor: Visitor, party: Party) -> dict[str, Any]:
    code = sent_back(answer_to(visitor, party))["code"]
    return dict(redeem(visitor.world, party, code).json or {})


def named(visitor: Visitor, party: Party) -> str:
    return str(claims_of(tokens(visitor, party)["id_token"])["sub"])


def test_everything_that_the_client_is_told_has_the_one_name(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = either_world
    register(world, APART, KEEPING)
    visitor, told = world.browser(), list[Any]()
    given = tokens(visitor, APART)
    later = refreshed(world, APART, given["refresh_token"])
    for each in (given, later):
        told += [claims_of(each["id_token"]), claims_of(each["access_token"])]
        told.append(world.userinfo(each["access_token"]).json)
        told.append(post_as(world, APART, "/introspect", token=each["access_token"]).json)
    told.append(post_as(world, KEEPING, "/introspect", token=later["access_token"]).json)
    told.append(post_as(world, APART, "/introspect", token=later["refresh_token"]).json)
    told.append(claims_of(logout_token(visitor, monkeypatch)))
    assert len(told) == 11
    (name,) = {each["sub"] for each in told}
    assert len(name) == 32
    assert name != id_of(world)
    assert id_of(world) not in json.dumps([told, given, later])


def logout_token(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> str:
    held, sent = visitor.world.held, list[str]()

    def post(_uri: str, fields: dict[str, str], _allowed: object) -> int:
        sent.append(fields["logout_token"])
        return 200

    monkeypatch.setattr(worker, "post_form", post)
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    senders = {MESSAGE: partial(worker.tell_product, held)}
    delivery.deliver_due(held.database, senders, worker.watch, held.clock())
    return sent[0]


def test_each_sector_has_another_name_and_everybody_in_it_another(world: World) -> None:
    register(world, APART, ELSEWHERE, *TOGETHER, KEEPING)
    visitor = world.browser()
    names = {party.client_id: named(visitor, party) for party in (APART, ELSEWHERE, *TOGETHER)}
    assert names["left"] == names["right"]
    assert len(set(names.values())) == 3
    assert named(visitor, KEEPING) == id_of(world) not in names.values()
    other = world.browser()
    answer_to(other, APART, DANA)
    assert named(other, APART) not in (names["apart"], id_of(world, DANA))


def test_what_the_client_says_of_a_person_is_read_by_its_own_names(world: World) -> None:
    register(world, APART, ELSEWHERE, KEEPING)
    visitor, other = world.browser(), world.browser()
    given, elsewhere = tokens(visitor, APART), tokens(visitor, ELSEWHERE)
    answer_to(other, APART, DANA)
    hint = {"id_token_hint": given["id_token"]}
    assert is_meant(visitor, hint)
    assert not is_meant(other, hint)
    assert is_meant(visitor, {"id_token_hint": elsewhere["id_token"]})
    name = claims_of(given["id_token"])["sub"]
    assert is_meant(visitor, asking_for(name))
    assert is_meant(visitor, {**hint, **asking_for(name)})
    for nobody in (id_of(world), claims_of(elsewhere["id_token"])["sub"], name.upper(), "x", "ä"):
        assert not is_meant(visitor, asking_for(nobody))
    assert not is_meant(other, asking_for(name))


def asking_for(name: str) -> dict[str, str]:
    return {"claims": json.dumps({"id_token": {"sub": {"value": name}}})}


def is_meant(visitor: Visitor, who: dict[str, str]) -> bool:
    sent = sent_back(answer_to(visitor, APART, prompt="none", **who))
    assert sent.get("error") in (None, "login_required")
    return "code" in sent


def test_its_own_hint_signs_out_without_a_question_and_the_audit_knows_the_person(
    world: World,
) -> None:
    register(world, APART)
    visitor = world.browser()
    given = tokens(visitor, APART)
    revoke(world, APART, given["access_token"])
    bye = "https://apart.example/bye"
    query = f"id_token_hint={given['id_token']}&post_logout_redirect_uri={bye}"
    assert visitor.get(f"/logout?{query}").headers["Location"] == bye
    for tag in ("token.revoked", "session.ended"):
        assert [event["actor"] for event in world.audit(tag)] == [id_of(world)]
    assert claims_of(given["id_token"])["sub"] not in json.dumps(world.audit())


def test_discovery_tells_of_both_types(world: World) -> None:
    told = world.get("/.well-known/openid-configuration").json or {}
    assert told["subject_types_supported"] == ["public", "pairwise"]


TWO_HOSTS = ["https://one.example/cb", "https://two.example/cb"]
NONE_OF_THEM: dict[str, Any] = {"redirect_uris": [], "grant_types": ["client_credentials"]}
PRIVATE: dict[str, Any] = {"redirect_uris": ["com.example.app:/cb"], "application_type": "native"}


@pytest.mark.parametrize(
    ("changed", "member"),
    [
        ({"redirect_uris": TWO_HOSTS}, "sector_identifier_uri"),
        (NONE_OF_THEM, "sector_identifier_uri"),
        (PRIVATE, "sector_identifier_uri"),
        ({"sector_identifier_uri": "http://sector.example/uris"}, "sector_identifier_uri"),
        ({"sector_identifier_uri": "com.example:/uris"}, "sector_identifier_uri"),
        ({"subject_type": "Pairwise"}, "subject_type"),
    ],
)
def test_a_pairwise_client_has_one_sector(changed: dict[str, Any], member: str) -> None:
    sound: dict[str, Any] = {"redirect_uris": TWO_HOSTS[:1], "subject_type": "pairwise"}
    check_client_metadata(ClientMetadata("one", **sound))
    check_client_metadata(
        ClientMetadata("one", **{**sound, **NONE_OF_THEM, "sector_identifier_uri": SECTOR})
    )
    with pytest.raises(MetadataRefusal) as refused:
        check_client_metadata(ClientMetadata("one", **{**sound, **changed}))
    assert refused.value.member == member


def test_a_name_leads_back_to_its_person_in_its_own_sector_alone(world: World) -> None:
    register(world, APART, ELSEWHERE)
    clients = world.held.catalog.current(world.clock()).clients
    keys, person = world.held.secret_keys, id_of(world)
    name = subjects.subject_of(keys, clients["apart"], person)
    assert subjects.person_of(keys, clients["apart"], name) == person
    assert subjects.person_of(keys, clients["elsewhere"], name) not in (person, name)
    clients["apart"].redirect_uris = TWO_HOSTS
    with pytest.raises(ValueError, match="no sector"):
        subjects.subject_of(keys, clients["apart"], person)


def test_a_pushed_request_is_about_the_same_person(world: World) -> None:
    register(world, APART)
    visitor = world.browser()
    about = asking_for(claims_of(tokens(visitor, APART)["id_token"])["sub"])
    pushed = post_as(world, APART, "/par", **asked_by(APART, prompt="none", **about)).json or {}
    query = f"client_id=apart&request_uri={pushed['request_uri']}"
    sent = sent_back(visitor.get(f"/authorize?{query}"))
    assert (sent["iss"], "code" in sent) == (ISSUER, True)
