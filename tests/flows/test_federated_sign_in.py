"""Signing in with Google, which is one more OpenID provider (product.md S4)."""

from __future__ import annotations

import pytest

from tests.account.proving import mail_to
from tests.credentials.proving import code_of, enrol_app
from tests.federation.known import upstream
from tests.federation.signing_in import come_back, leave, link, register, sign_in
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.second_factors import demand_a_second_factor, require_of_staff
from tests.world import AMARA, Visitor, World, claims_of, sent_back

__all__ = ["upstream"]

BUTTON = 'value="google"'
DAY = 86400.0


def linked(world: World) -> list[tuple[str, str]]:
    return [tuple(row) for row in world.run("SELECT subject, email FROM linked_accounts")]


@pytest.fixture
def amara(either_world: World, upstream: UpstreamProvider) -> Visitor:
    """Has linked her account, in a browser that is not this one."""
    assert "code" in sent_back(link(either_world.browser(), AMARA))
    return either_world.browser()


def test_s4_the_button_is_on_the_sign_in_of_products_that_take_it_alone(
    either_world: World, upstream: UpstreamProvider
):
    visitor = either_world.browser()
    assert BUTTON in visitor.follow(visitor.authorize("lms")).text
    assert BUTTON not in visitor.follow(visitor.authorize("payments")).text
    page = visitor.follow(visitor.authorize("payments"))
    assert leave(visitor, page).status_code == 400, "and pressing it there all the same"
    assert upstream.asked["authorization"] == 0


def test_s4_the_first_time_takes_one_proof_and_links(
    either_world: World, upstream: UpstreamProvider
):
    visitor = either_world.browser()
    page = sign_in(visitor)
    assert "Prove once that this account is yours" in page.text
    assert f'value="{AMARA}"' in page.text
    assert BUTTON not in page.text, "it can't prove itself"
    assert linked(either_world) == []
    answer = visitor.follow(visitor.submit(page, email=AMARA, password="correct-horse-latchkey-9"))
    assert "code" in sent_back(answer)
    assert linked(either_world) == [("1001", AMARA)]
    assert either_world.audit("account.linked")[0]["provider"] == "google"
    assert mail_to(either_world, AMARA, "account/linked")


def test_s4_from_then_on_it_signs_in(amara: Visitor, either_world: World):
    code = sent_back(sign_in(amara))["code"]
    tokens = either_world.redeem(code).json or {}
    claims = claims_of(tokens["id_token"])
    assert (claims["acr"], claims["amr"]) == ("aal1", ["fed"])
    assert claims["auth_time"] == int(either_world.clock.now)
    last = either_world.audit("sign_in.succeeded")[-1]
    assert (last["methods"], last["provider"]) == (["federated"], "google")
    assert "provider" not in either_world.audit("sign_in.succeeded")[0]


def test_s4_it_asks_as_a_careful_client_does(amara: Visitor, upstream: UpstreamProvider):
    sign_in(amara)
    asked = upstream.authorizations[-1]
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"].split() == ["openid", "email", "profile"]
    assert len({each["state"] for each in upstream.authorizations}) == len(upstream.authorizations)
    assert len({each["nonce"] for each in upstream.authorizations}) == len(upstream.authorizations)
    assert len(asked["state"]) >= 43


def test_s4_another_product_opens_by_single_sign_on(amara: Visitor):
    sign_in(amara)
    assert "code" in sent_back(amara.follow(amara.authorize("connections")))


def test_s4_and_asks_the_second_factor_where_its_policy_says_so(
    amara: Visitor, either_world: World
):
    secret = enrol_app(either_world)
    demand_a_second_factor(either_world)
    sign_in(amara)
    page = amara.follow(amara.authorize("payments"))
    assert page.request.path == "/login/second_factor"
    either_world.clock.move(31)
    answer = amara.submit(page, code=code_of(secret, either_world.clock.now))
    assert "code" in sent_back(amara.follow(answer))


def test_s4_the_companys_second_factor_is_asked_for_before_there_is_a_session(
    amara: Visitor, either_world: World
):
    enrol_app(either_world)
    require_of_staff(either_world)
    assert sign_in(amara).request.path == "/login/second_factor"
    assert "/login/password" in amara.follow(amara.get("/account")).request.path


def test_s4_a_password_that_is_too_old_for_the_product_is_changed_first(
    amara: Visitor, either_world: World
):
    either_world.apply(products=[{"key": "lms", "name": "LMS", "password_max_age_days": 90}])
    either_world.clock.move(120 * DAY)
    page = sign_in(amara)
    assert page.request.path == "/login/password"
    page = amara.follow(amara.submit(page, email=AMARA, password="correct-horse-latchkey-9"))
    assert page.request.path == "/login/new_password"


def test_s4_a_product_may_refuse_sessions_that_began_there(amara: Visitor, either_world: World):
    refusing = {"key": "payments", "name": "Secure Payments", "refuses_federated": True}
    either_world.apply(products=[refusing])
    either_world.clock.move(2)
    sign_in(amara)
    page = amara.follow(amara.authorize("payments"))
    assert page.request.path == "/login/password"
    answer = amara.submit(page, email=AMARA, password="correct-horse-latchkey-9")
    code = sent_back(amara.follow(answer))["code"]
    tokens = either_world.redeem(code, "payments").json or {}
    assert "fed" not in claims_of(tokens["id_token"])["amr"]


def test_s4_unlinked_on_the_account_page_it_signs_in_no_more(amara: Visitor, either_world: World):
    sign_in(amara)
    page = amara.get("/account/security").text
    assert "Google" in page
    link_page = page.split('href="/account/security/linked/')[1].split('"')[0]
    asking = amara.enter(f"/account/security/linked/{link_page}")
    answer = amara.submit(asking, f"/account/security/linked/{link_page}")
    assert answer.headers["Location"] == "/account/security"
    assert linked(either_world) == []
    assert mail_to(either_world, AMARA, "account/unlinked")
    assert "Prove once" in sign_in(either_world.browser()).text


def test_s4_somebody_elses_link_is_not_there(amara: Visitor, either_world: World):
    [(linked_id,)] = either_world.run("SELECT id FROM linked_accounts")
    stranger = either_world.browser()
    stranger.enter("/account/security", "ben@northwind.example")
    address = f"/account/security/linked/{linked_id}"
    assert stranger.get(address).status_code == 404
    page = stranger.get("/account/security/app")
    assert stranger.submit(page, address).status_code == 404
    assert len(linked(either_world)) == 1


def test_s4_the_history_says_how_they_signed_in(amara: Visitor):
    sign_in(amara)
    assert "account at another provider" in amara.get("/account/history").text


def test_s4_a_visitor_who_picks_a_product_that_takes_it_gets_there(
    amara: Visitor, either_world: World
):
    page = amara.get("/")
    assert BUTTON in page.text
    assert "Choose the product" in leave(amara, page).text
    left = amara.submit(page, "/login/upstream", provider="google", product="lms")
    assert come_back(amara, left).headers["Location"].startswith("http://localhost:8001/login")


def test_s4_only_the_companys_accounts_are_taken_where_it_says_so(
    either_world: World, upstream: UpstreamProvider
):
    register(either_world, upstream, "lms", hosted_domain="northwind.example")
    visitor = either_world.browser()
    assert "could not be used" in sign_in(visitor).text
    assert upstream.authorizations[-1]["hd"] == "northwind.example"
