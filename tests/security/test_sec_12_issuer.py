"""S12: every authorization response says who it is from (RFC 9207)."""

from __future__ import annotations

from html import unescape
from typing import Any

from tests.security.protocol import KEEPING, answer_to, ask, register, tokens_for
from tests.world import BEN, PRIYA, World, claims_of, sent_back


def issuer(world: World) -> str:
    return str(discovered(world)["issuer"])


def discovered(world: World) -> dict[str, Any]:
    return dict(world.get("/.well-known/openid-configuration").json or {})


def test_sec_12_success_and_failure_name_the_issuer_of_the_discovery(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    answers = [
        ask(visitor, KEEPING, prompt="none"),
        ask(visitor, KEEPING, response_type="token"),
        ask(visitor, KEEPING, scope="nothing"),
        answer_to(visitor, KEEPING),
        ask(visitor, KEEPING, response_mode="fragment"),
        ask(visitor, KEEPING, response_mode="nonsense"),
    ]
    for answer in answers:
        assert sent_back(answer)["iss"] == issuer(world), answer.headers["Location"]


def test_sec_12_so_does_an_answer_by_form(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    refused = ask(visitor, KEEPING, response_mode="form_post", prompt="none")
    visitor.sign_in()
    for page in (refused, ask(visitor, KEEPING, response_mode="form_post")):
        assert f'name="iss" value="{issuer(world)}"' in unescape(page.text)


def test_sec_12_so_does_the_refusal_of_a_person_who_turns_back(world: World):
    visitor = world.browser()
    page = visitor.sign_in(BEN, client_id="payments")
    told = sent_back(visitor.follow(visitor.submit(page, decision="back")))
    assert (told["error"], told["iss"]) == ("access_denied", issuer(world))


def test_sec_12_it_is_the_same_for_every_company(world: World):
    """One issuer, and the tenant is a claim of its tokens."""
    register(world, KEEPING)
    for tenant in ("northwind", "harbor"):
        given = tokens_for(world, KEEPING, PRIYA, tenant=tenant)
        for token in (given["id_token"], given["access_token"]):
            claims = claims_of(token)
            assert (claims["iss"], claims["tenant"]) == (issuer(world), tenant)


def test_sec_12_the_discovery_promises_it(world: World):
    assert discovered(world)["authorization_response_iss_parameter_supported"] is True
