"""What a company says about second factors, as people meet it at the sign-in (product.md M1, M3 to
M9, N4)."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from idp.policies.mfa import Mode
from idp.policies.second_factor_policy import Proposal
from idp.policies.second_factor_selection import Pick
from tests.console.people_of import letters, member_id
from tests.console.test_factor_reset import reset
from tests.console.test_multi_factor import proposed, save
from tests.credentials.proving import code_of, enrol_app, factors_of, new_codes
from tests.flows.test_second_factor_pages import choose, enter
from tests.flows.test_skipping import skipped
from tests.mailed import link_for, mail_for
from tests.security.second_factors import demand_a_second_factor, require_of_staff
from tests.world import AMARA, BEN, DANA, PASSWORD, PRIYA, Visitor, World, claims_of, sent_back

KINDS = ("staff", "customer", "organization")
IN = "/callback"  # of the product


def place_of(answer: TestResponse) -> str:
    """The step that is asked for, or IN."""
    return IN if "code=" in answer.headers.get("Location", "") else str(answer.request.path)


def sign_in(world: World, email: str, **asked: str | None) -> tuple[Visitor, TestResponse]:
    browser = world.browser()
    return browser, browser.sign_in(email, PASSWORD, "lms", **asked)


def asked_for(world: World, email: str, **asked: str | None) -> str:
    return place_of(sign_in(world, email, **asked)[1])


def say(world: World, mode: str, kind: str = "staff", slug: str = "northwind", **more: Any) -> None:
    policy = orjson.dumps({"second_factor": {kind: {"mode": mode}}, **more}).decode()
    world.run("UPDATE tenants SET policy = :p WHERE slug = :s", p=policy, s=slug)


def set_up_an_app(world: World, browser: Visitor, page: TestResponse) -> tuple[str, TestResponse]:
    """The secret, and what comes after the recovery codes."""
    page = choose(browser, page, "totp")
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    shown = browser.follow(enter(browser, page, code=code_of(secret, world.clock())))
    assert "Save your recovery codes" in shown.text
    return secret, browser.follow(enter(browser, shown))


def test_m1_staff_are_not_forced_and_who_is_checked_enrols_at_the_next_sign_in(
    either_world: World,
) -> None:
    assert asked_for(either_world, BEN) == IN
    save(either_world, Proposal(picks=(Pick(True, ids=(member_id(either_world, BEN),)),)))
    assert asked_for(either_world, BEN) == "/login/enrol"
    assert asked_for(either_world, DANA) == IN
    save(either_world, Proposal(picks=(Pick(False, ids=(member_id(either_world, BEN),)),)))
    assert asked_for(either_world, BEN) == IN


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mode", "is_selected", "place", "may_skip"),
    [
        ("off", True, IN, False),
        ("selected", False, IN, False),
        ("selected", True, "/login/enrol", False),
        ("optional", False, "/login/enrol", True),
        ("required", False, "/login/enrol", False),
    ],
)
def test_m3_each_mode_of_each_kind_asks_what_it_says_of_that_kind_alone(
    world: World, kind: str, mode: str, is_selected: bool, place: str, may_skip: bool
) -> None:
    say(world, mode, kind)
    bens = member_id(world, BEN)
    world.run(
        "UPDATE memberships SET kind = :k, second_factor_selected = :s WHERE id = :m",
        k=kind,
        s=is_selected,
        m=bens,
    )
    _, page = sign_in(world, BEN)
    assert place_of(page) == place
    assert ("Skip for now" in page.text) == may_skip
    for other in set(KINDS) - {kind}:
        world.run("UPDATE memberships SET kind = :k WHERE id = :m", k=other, m=bens)
        if not (is_selected and other == "staff"):
            assert asked_for(world, BEN) == IN, other


def test_m3_what_one_skips_is_remembered_for_that_person_in_that_company(
    either_world: World,
) -> None:
    for slug in ("northwind", "harbor"):
        say(either_world, "optional", slug=slug)
    browser, page = sign_in(either_world, PRIYA, tenant="harbor")
    assert place_of(page) == "/login/enrol"
    assert place_of(browser.follow(enter(browser, page, action="skip"))) == IN
    assert skipped(either_world, PRIYA) == {"northwind": None, "harbor": either_world.clock()}
    assert asked_for(either_world, PRIYA, tenant="harbor") == IN
    assert asked_for(either_world, PRIYA, tenant="northwind") == "/login/enrol"
    assert asked_for(either_world, BEN, tenant="northwind") == "/login/enrol"


def test_m3_who_skipped_where_it_was_free_is_asked_once_it_is_required(
    either_world: World,
) -> None:
    say(either_world, "optional")
    browser, page = sign_in(either_world, BEN)
    browser.follow(enter(browser, page, action="skip"))
    assert asked_for(either_world, BEN) == IN
    say(either_world, "required")
    assert asked_for(either_world, BEN) == "/login/enrol"


def test_m4_enabling_it_confirms_first_signs_out_and_enrols_at_the_next_sign_in(
    either_world: World,
) -> None:
    say(either_world, "optional")
    browser, page = sign_in(either_world, BEN)
    tokens = either_world.redeem(
        sent_back(browser.follow(enter(browser, page, action="skip")))["code"]
    ).json
    assert "Enable MFA" in browser.get("/account").text
    confirming = browser.get("/account/enable")
    assert skipped(either_world, BEN) == {"northwind": either_world.clock()}, "nothing is done yet"
    done = browser.follow(browser.submit(confirming, "/account/enable"))
    assert done.request.path == "/logout/done"
    assert either_world.introspect((tokens or {})["access_token"]) == {"active": False}
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"
    either_world.clock.move(1)
    page = browser.sign_in(BEN)
    assert place_of(page) == "/login/enrol"
    _, after = set_up_an_app(either_world, browser, page)
    assert place_of(after) == IN
    assert "Enable MFA" not in browser.get("/account").text


def test_m5_off_and_on_again_makes_everybody_enrol_afresh(either_world: World) -> None:
    required = {"staff": Mode.REQUIRED}
    save(either_world, proposed(either_world, modes=required))
    browser, page = sign_in(either_world, DANA)
    old, after = set_up_an_app(either_world, browser, page)
    assert place_of(after) == IN
    either_world.clock.move(60)
    assert asked_for(either_world, DANA) == "/login/second_factor"
    save(either_world, proposed(either_world, modes={"staff": Mode.OFF}))
    assert asked_for(either_world, DANA) == IN
    either_world.clock.move(60)
    save(either_world, proposed(either_world, modes=required))
    browser, page = sign_in(either_world, DANA)
    assert place_of(page) == "/login/enrol"
    assert "Skip for now" not in page.text
    new, after = set_up_an_app(either_world, browser, page)
    assert place_of(after) == IN
    assert new != old
    either_world.clock.move(60)
    browser, page = sign_in(either_world, DANA)
    refused = enter(browser, page, code=code_of(old, either_world.clock()))
    assert refused.status_code == 400
    answer = browser.follow(enter(browser, refused, code=code_of(new, either_world.clock())))
    assert place_of(answer) == IN
    assert asked_for(either_world, BEN) == "/login/enrol", "who had none is asked as before"


def test_m5_what_counts_in_another_company_is_proven_before_another_is_added(
    either_world: World,
) -> None:
    say(either_world, "required", slug="harbor")
    secret = enrol_app(either_world, PRIYA)
    for mode in (Mode.REQUIRED, Mode.OFF, Mode.REQUIRED):
        save(either_world, proposed(either_world, modes={"staff": mode}))
        either_world.clock.move(60)
    browser, page = sign_in(either_world, PRIYA, tenant="northwind")
    assert place_of(page) == "/login/second_factor"
    page = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    assert place_of(page) == "/login/enrol"


def test_m5_turning_it_on_for_the_first_time_counts_what_people_have(either_world: World) -> None:
    secret = enrol_app(either_world, DANA)
    save(either_world, proposed(either_world, modes={"staff": Mode.REQUIRED}))
    browser, page = sign_in(either_world, DANA)
    assert place_of(page) == "/login/second_factor"
    answer = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    assert place_of(answer) == IN


@pytest.mark.parametrize(("kind", "is_asked_again"), [("customer", True), ("staff", False)])
def test_m6_after_a_customers_first_enrolment_the_password_is_asked_again(
    either_world: World, kind: str, is_asked_again: bool
) -> None:
    say(either_world, "required", kind, password_after_enrolment=True)
    ben = member_id(either_world, BEN)
    either_world.run("UPDATE memberships SET kind = :k WHERE id = :m", k=kind, m=ben)
    browser, page = sign_in(either_world, BEN)
    either_world.clock.move(1)
    secret, after = set_up_an_app(either_world, browser, page)
    assert (place_of(after) == IN) is not is_asked_again
    if is_asked_again:
        assert 'name="password"' in after.text
        assert browser.client.get_cookie("latchkey-session") is None
        wrong = browser.submit(after, email=BEN, password="not-the-password-at-all")
        assert wrong.status_code == 400
        either_world.clock.move(1)
        again = browser.follow(browser.submit(wrong, email=BEN, password=PASSWORD))
        assert place_of(again) == IN
    either_world.clock.move(60)
    browser, page = sign_in(either_world, BEN)
    answer = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    assert place_of(answer) == IN, "and never again"


def test_m7_a_company_demands_it_for_one_product_alone(either_world: World) -> None:
    say(either_world, "off", second_factor_products={"payments": None})
    secret = enrol_app(either_world, DANA)
    browser, answer = sign_in(either_world, DANA, tenant="northwind")
    assert place_of(answer) == IN
    assert place_of(browser.follow(browser.authorize("connections", tenant="northwind"))) == IN
    page = browser.follow(browser.authorize("payments", tenant="northwind"))
    assert place_of(page) == "/login/second_factor"
    assert 'name="password"' not in page.text
    answer = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    assert place_of(answer) == IN


def test_m7_a_product_demands_it_of_all_companies(either_world: World) -> None:
    demand_a_second_factor(either_world, "lms")
    for slug in ("northwind", "harbor"):
        say(either_world, "off", slug=slug)
        assert asked_for(either_world, PRIYA, tenant=slug) == "/login/enrol", slug


ESSENTIAL = {"id_token": {"acr": {"essential": True, "values": ["aal2"]}}}


@pytest.mark.parametrize(
    "request_says",
    [{"acr_values": "aal2"}, {"claims": orjson.dumps(ESSENTIAL).decode()}],
    ids=["acr_values", "claims"],
)
def test_m8_a_product_asks_for_a_step_up_and_is_told_in_both_tokens(
    either_world: World, request_says: dict[str, str]
) -> None:
    secret = enrol_app(either_world, DANA)
    browser = either_world.browser()
    before = claims_of(browser.tokens(DANA)["id_token"])
    assert (before["acr"], before["amr"]) == ("aal1", ["pwd"])
    either_world.clock.move(30)
    page = browser.follow(browser.authorize(**request_says))
    assert place_of(page) == "/login/second_factor"
    assert 'name="password"' not in page.text
    answer = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    tokens = either_world.redeem(sent_back(answer)["code"]).json or {}
    for name in ("id_token", "access_token"):
        told = claims_of(tokens[name])
        assert (told["acr"], told["amr"]) == ("aal2", ["mfa", "otp", "pwd"]), name
        assert told["auth_time"] == before["auth_time"], "a second factor makes it no younger"


def test_m8_max_age_asks_for_the_first_factor_again(either_world: World) -> None:
    browser = either_world.browser()
    before = claims_of(browser.tokens(DANA)["id_token"])["auth_time"]
    either_world.clock.move(61)
    page = browser.follow(browser.authorize(max_age="60"))
    assert 'name="password"' in page.text
    answer = browser.follow(browser.submit(page, email=DANA, password=PASSWORD))
    tokens = either_world.redeem(sent_back(answer)["code"]).json or {}
    assert claims_of(tokens["access_token"])["auth_time"] == before + 61


def test_m9_after_a_reset_the_next_sign_in_enrols_a_new_secret(either_world: World) -> None:
    say(either_world, "required")
    old, danas = enrol_app(either_world, BEN), enrol_app(either_world, DANA)
    codes = new_codes(either_world, BEN)
    reset(either_world, BEN)
    assert {each["to"] for each in letters(either_world) if "reset" in each["template"]} == {BEN}
    either_world.clock.move(60)
    browser, page = sign_in(either_world, BEN)
    assert place_of(page) == "/login/enrol"
    new, after = set_up_an_app(either_world, browser, page)
    assert place_of(after) == IN
    assert new != old
    either_world.clock.move(60)
    browser, page = sign_in(either_world, BEN)
    for dead in (code_of(old, either_world.clock()), codes[0]):
        assert enter(browser, page, code=dead).status_code == 400
    page = choose(browser, page, "recovery")
    assert enter(browser, page, code=codes[1]).status_code == 400
    browser, page = sign_in(either_world, DANA)
    answer = browser.follow(enter(browser, page, code=code_of(danas, either_world.clock())))
    assert place_of(answer) == IN, "nobody else is touched"


def test_m9_a_reset_forgets_that_it_was_skipped(either_world: World) -> None:
    say(either_world, "optional")
    for email in (BEN, DANA):
        browser, page = sign_in(either_world, email)
        browser.follow(enter(browser, page, action="skip"))
    reset(either_world, BEN)
    either_world.clock.move(1)
    assert asked_for(either_world, BEN) == "/login/enrol"
    assert asked_for(either_world, DANA) == IN


def test_m9_who_has_lost_everything_has_no_other_way_round_it(either_world: World) -> None:
    """Not by another password, nor by the page that sets one up."""
    say(either_world, "required")
    enrol_app(either_world, AMARA)
    browser = either_world.browser()
    confirm = browser.get(link_for(either_world, AMARA))
    browser.submit(confirm)
    temporary = mail_for(either_world, AMARA)[-1]["code"]
    either_world.clock.move(5)
    page = browser.sign_in(AMARA, temporary)
    assert place_of(page) == "/login/second_factor"
    assert re.findall(r"method=(\w+)", page.text) == []
    attempt = re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]
    for path in ("/login/enrol", "/login/recovery_codes", "/login/new_password"):
        back = browser.follow(browser.get(f"{path}?attempt={attempt}"))
        assert place_of(back) == "/login/second_factor", path
    assert [each.method for each in factors_of(either_world, AMARA)] == ["totp"]


def test_n4_switching_company_runs_its_policy_and_asks_what_is_missing_alone(
    either_world: World,
) -> None:
    say(either_world, "required", slug="harbor")
    secret = enrol_app(either_world, PRIYA)
    browser, answer = sign_in(either_world, PRIYA, tenant="northwind")
    assert place_of(answer) == IN
    page = browser.follow(browser.authorize(tenant="harbor"))
    assert place_of(page) == "/login/second_factor"
    assert 'name="password"' not in page.text
    answer = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    tokens = either_world.redeem(sent_back(answer)["code"]).json or {}
    assert claims_of(tokens["access_token"])["tenant"] == "harbor"
    for slug in ("northwind", "harbor"):
        assert place_of(browser.authorize(tenant=slug, prompt="none")) == IN, slug


def test_m4_who_skipped_and_enrols_for_a_product_has_not_skipped_any_more(
    either_world: World,
) -> None:
    say(either_world, "optional")
    browser, page = sign_in(either_world, DANA)
    browser.follow(enter(browser, page, action="skip"))
    assert skipped(either_world, DANA) == {"northwind": either_world.clock()}
    demand_a_second_factor(either_world)
    page = browser.follow(browser.authorize("payments"))
    _, after = set_up_an_app(either_world, browser, page)
    assert place_of(after) == IN
    assert skipped(either_world, DANA) == {"northwind": None}


def test_m5_what_was_proven_here_is_too_old_where_it_was_turned_on_since(
    either_world: World,
) -> None:
    """Switching company brings the proof along, and when its authenticator was enrolled."""
    say(either_world, "required")
    secret = enrol_app(either_world, PRIYA)
    require_of_staff(either_world, "harbor", since=either_world.clock())
    browser, page = sign_in(either_world, PRIYA, tenant="northwind")
    answer = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    assert place_of(answer) == IN
    assert place_of(browser.follow(browser.authorize(tenant="harbor"))) == "/login/enrol"


def test_m2_recovery_codes_are_shown_to_the_browser_that_made_them_alone(
    either_world: World,
) -> None:
    """And to that one until they are saved."""
    say(either_world, "required", "customer", password_after_enrolment=True)
    ben = member_id(either_world, BEN)
    either_world.run("UPDATE memberships SET kind = 'customer' WHERE id = :m", m=ben)
    (browser, page), (other, theirs) = (sign_in(either_world, BEN) for _ in range(2))
    page = choose(browser, page, "totp")
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    shown = browser.follow(enter(browser, page, code=code_of(secret, either_world.clock())))
    code = re.findall(r"<code>([0-9A-Z-]{19})</code>", shown.text)[0]
    attempt = re.findall(r"attempt=([\w-]+)", theirs.text)[0]
    assert code not in other.follow(other.get(f"/login/recovery_codes?attempt={attempt}")).text
    own = shown.request.args["attempt"]
    assert code in browser.get(f"/login/recovery_codes?attempt={own}").text
    assert 'name="password"' in browser.follow(enter(browser, shown)).text
    assert code not in browser.follow(browser.get(f"/login/recovery_codes?attempt={own}")).text


def test_m8_a_class_that_is_not_essential_may_be_skipped_for_this_sign_in(
    either_world: World,
) -> None:
    browser, page = sign_in(either_world, BEN, acr_values="aal2")
    assert "Skip for now" in page.text
    answer = browser.follow(enter(browser, page, action="skip"))
    tokens = either_world.redeem(sent_back(answer)["code"]).json or {}
    assert claims_of(tokens["id_token"])["acr"] == "aal1"
    assert skipped(either_world, BEN) == {"northwind": None}, "no company left it free"
