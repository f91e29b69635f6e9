"""S10: each client gets what it is registered for, and a running sign-in can't be turned."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.security.protocol import (
    CODE_ONLY,
    KEEPING,
    MACHINE,
    SPA,
    answer_to,
    ask,
    is_page_of_ours,
    is_refused,
    of_people,
    post_as,
    redeem,
    refresh,
    register,
    tokens_for,
)
from tests.world import AMARA, PASSWORD, PRIYA, World, claims_of, sent_back

RESPONSE_TYPES = (
    *("token", "id_token", "id_token token", "token id_token", "code token", "code id_token"),
    *("code id_token token", "none", "CODE", "code code", "code\n", "password"),
)
GRANT_TYPES = (
    *("password", "implicit", "none", "token", "Authorization_Code", "authorization_code "),
    "urn:ietf:params:oauth:grant-type:jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
)


def test_sec_10_only_codes_leave_by_the_front_channel(world: World):
    register(world, KEEPING, SPA)
    visitor = world.browser()
    visitor.sign_in()
    for party in (KEEPING, SPA):
        for response_type in RESPONSE_TYPES:
            for mode in ("query", "fragment"):
                answer = ask(visitor, party, response_type=response_type, response_mode=mode)
                told = sent_back(answer)
                assert told["error"] == "unsupported_response_type", response_type
                assert not {"code", "access_token", "id_token"} & set(told), response_type


def test_sec_10_a_response_mode_that_scripts_could_listen_to_is_refused(world: World):
    visitor = world.browser()
    visitor.sign_in()
    for mode in ("web_message", "id_token", "FORM_POST", "x"):
        told = sent_back(visitor.authorize(response_mode=mode))
        assert (told["error"], "code" in told) == ("invalid_request", False), mode


def test_sec_10_no_other_grant_type_is_served(world: World):
    register(world, KEEPING)
    form = {"username": AMARA, "password": PASSWORD, "assertion": "x"}
    for grant_type in GRANT_TYPES:
        answer = post_as(world, KEEPING, "/token", grant_type=grant_type, **form)
        assert is_refused(answer, "unsupported_grant_type"), grant_type
    assert is_refused(post_as(world, KEEPING, "/token"), "invalid_request")
    assert is_refused(post_as(world, KEEPING, "/token", grant_type=""), "invalid_request")


def test_sec_10_a_grant_type_is_for_the_clients_that_registered_it(world: World):
    register(world, KEEPING, CODE_ONLY, MACHINE)
    given = tokens_for(world, CODE_ONLY)
    assert "refresh_token" not in given
    another = tokens_for(world, KEEPING)["refresh_token"]
    assert is_refused(refresh(world, CODE_ONLY, another), "unauthorized_client")
    asked = post_as(world, KEEPING, "/token", grant_type="client_credentials")
    assert is_refused(asked, "unauthorized_client")
    for grant_type in ("authorization_code", "refresh_token"):
        form = {"code": "x", "refresh_token": another}
        machine = post_as(world, MACHINE, "/token", grant_type=grant_type, **form)
        assert is_refused(machine, "unauthorized_client")


def test_sec_10_a_machine_signs_nobody_in(world: World):
    """Not even one that has an address registered by mistake."""
    mixed = of_people("mixed", grant_types=["client_credentials"], scope="openid loans.read")
    register(world, MACHINE, mixed)
    visitor = world.browser()
    visitor.sign_in()
    assert is_page_of_ours(visitor.authorize("machine", redirect_uri="https://evil.example/"))
    assert is_page_of_ours(visitor.authorize("machine", redirect_uri=None))
    assert sent_back(ask(visitor, mixed))["error"] == "unauthorized_client"


def test_sec_10_a_client_of_one_company_signs_in_nobody_of_another(world: World):
    northwinds = of_people("northwinds", tenant="northwind")
    register(world, northwinds)
    assert "code" in sent_back(answer_to(world.browser(), northwinds, AMARA))
    assert answer_to(world.browser(), northwinds, "hana@harbor.example").status_code == 403
    in_both = answer_to(world.browser(), northwinds, PRIYA)
    claims = claims_of(
        (redeem(world, northwinds, sent_back(in_both)["code"]).json or {})["id_token"]
    )
    assert claims["tenant"] == "northwind"
    named = answer_to(world.browser(), northwinds, PRIYA, tenant="harbor")
    assert named.status_code == 403


def test_sec_10_nothing_on_the_way_changes_what_was_asked(world: World):
    """Parameters added to any address of a running sign-in are as good as not sent."""
    register(world, KEEPING)
    tampering = {
        "client_id": "spa",
        "redirect_uri": "https://evil.example/",
        "response_type": "token",
        "response_mode": "fragment",
        "scope": "openid offline_access admin",
        "state": "evil",
        "nonce": "evil",
        "code_challenge": "A" * 43,
        "acr_values": "evil",
        "prompt": "none",
        "max_age": "0",
        "user_id": "evil",
    }
    visitor = world.browser()
    page = visitor.get(ask(visitor, KEEPING, scope="openid").headers["Location"])
    tampered = page.request.url + "&" + urlencode(tampering)
    page = visitor.get(tampered)
    answer = visitor.submit(page, email=AMARA, password=PASSWORD, **tampering)
    answer = visitor.get(answer.headers["Location"] + "&" + urlencode(tampering))
    told = sent_back(answer)
    assert answer.headers["Location"].startswith(KEEPING.redirect_uri + "?code=")
    assert told["state"] == "a-state"
    given = redeem(world, KEEPING, told["code"]).json or {}
    assert given["scope"] == "openid"


def test_sec_10_a_finished_sign_in_is_not_gone_back_to(world: World):
    register(world, KEEPING)
    visitor = world.browser()
    page = visitor.follow(ask(visitor, KEEPING))
    resume = visitor.submit(page, email=AMARA, password=PASSWORD).headers["Location"]
    assert "code" in sent_back(visitor.get(resume))
    for again in (visitor.get(resume), visitor.submit(page, email=AMARA, password=PASSWORD)):
        assert again.status_code == 400
        assert "Location" not in again.headers


def test_sec_10_a_sign_in_that_another_browser_began_is_not_finished_in_this_one(world: World):
    register(world, KEEPING)
    attacker, victim = world.browser(), world.browser()
    page = attacker.follow(ask(attacker, KEEPING))
    resume = attacker.submit(page, email=AMARA, password=PASSWORD).headers["Location"]
    for path in (resume, ask(attacker, KEEPING).headers["Location"]):
        answer = victim.get(path)
        assert answer.status_code == 400
        assert "session" not in answer.headers.get("Set-Cookie", "")
