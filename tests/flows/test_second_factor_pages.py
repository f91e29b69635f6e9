"""The pages of a second factor: proving one, and setting one up (product.md M2, M3, M7)."""

from __future__ import annotations

import html
import re
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from idp.web.login import second_factor
from tests.credentials.proving import (
    PHONE,
    another_code,
    code_of,
    enrol_app,
    enrol_code,
    factors_of,
    new_codes,
    newest_code,
    sent,
    user_id,
    wrong_code,
)
from tests.flows.test_skipping import skipped
from tests.security.second_factors import demand_a_second_factor
from tests.world import AMARA, BEN, DANA, Visitor, World, claims_of, sent_back


@pytest.fixture
def strict(either_world: World) -> World:
    """Secure Payments demands a second factor; texts go to the demo's inbox."""
    demand_a_second_factor(either_world)
    object.__setattr__(either_world.settings, "demo_inbox", True)
    return either_world


def to_the_step(world: World, email: str = DANA) -> tuple[Visitor, TestResponse]:
    """A browser at the page that comes after the password."""
    browser = world.browser()
    return browser, browser.sign_in(email, client_id="payments")


def enter(browser: Visitor, page: TestResponse, **fields: str) -> TestResponse:
    """The page's first form, which is the step's own."""
    form = page.text.partition("</form>")[0]
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    action = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]+)"', form)[0]
    return browser.post(action, **{**dict(hidden), **fields})


def choose(browser: Visitor, page: TestResponse, method: str) -> TestResponse:
    """By its link on the page."""
    links = re.findall(rf'href="(/login/[a-z_]+\?[^"]*method={method})"', page.text)
    return browser.get(html.unescape(links[0]))


def methods_offered(page: TestResponse) -> list[str]:
    return re.findall(r'class="row-link" href="[^"]*method=(\w+)"', page.text)


def claims(world: World, browser: Visitor, answer: TestResponse) -> dict[str, Any]:
    code = sent_back(browser.follow(answer))["code"]
    tokens = world.redeem(code, "payments").json or {}
    return claims_of(tokens["id_token"])


def test_m7_a_code_of_the_app_opens_the_product(strict: World) -> None:
    secret = enrol_app(strict, DANA)
    browser, page = to_the_step(strict)
    assert "Enter the code that your authenticator app shows." in page.text
    assert page.headers["Cache-Control"] == "no-store"
    answer = enter(browser, page, code=code_of(secret, strict.clock()))
    assert answer.status_code == 303
    told = claims(strict, browser, answer)
    assert (told["acr"], told["amr"]) == ("aal2", ["mfa", "otp", "pwd"])


def test_a_wrong_code_is_told_beside_the_field_and_lets_nobody_in(strict: World) -> None:
    secret = enrol_app(strict, DANA)
    browser, page = to_the_step(strict)
    again = enter(browser, page, code=wrong_code(secret, strict.clock()))
    assert again.status_code == 400
    assert 'id="code-error"' in again.text
    assert "After 5 wrong codes, codes pause for 30 minutes." in again.text
    empty = enter(browser, again, code=" ")
    assert empty.status_code == 400
    assert "Enter the code." in empty.text
    assert browser.client.get_cookie("latchkey-session") is None
    assert enter(browser, empty, code=code_of(secret, strict.clock())).status_code == 303


def test_sec_50_a_pause_counts_at_the_page_in_any_attempt(strict: World) -> None:
    secret = enrol_app(strict, DANA)
    codes = new_codes(strict, DANA)
    for _ in range(5):
        browser, page = to_the_step(strict)
        assert enter(browser, page, code="nonsense").status_code == 400
    browser, page = to_the_step(strict)
    right = code_of(secret, strict.clock())
    assert enter(browser, page, code=right).status_code == 400
    page = choose(browser, page, "recovery")
    assert enter(browser, page, code=codes[0]).status_code == 400
    assert factors_of(strict, DANA)[-1].label == "10"


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_m10_a_code_that_is_sent_opens_the_product_and_raises_nothing(
    strict: World, channel: str
) -> None:
    enrol_code(strict, channel, DANA)
    browser, page = to_the_step(strict)
    count = len(sent(strict))
    page = browser.follow(enter(browser, page, action="send"))
    assert len(sent(strict)) == count + 1
    where = "••••23" if channel == "sms" else DANA
    assert f"Enter the code that we sent to {where}." in page.text
    assert PHONE not in page.text
    wrong = enter(browser, page, code=another_code(newest_code(strict)))
    assert wrong.status_code == 400
    answer = enter(browser, wrong, code=newest_code(strict))
    told = claims(strict, browser, answer)
    assert told["acr"] == "aal1"
    assert "mfa" in told["amr"]


def test_sec_52_the_page_does_not_tell_whether_another_code_was_sent(strict: World) -> None:
    enrol_code(strict, "sms", DANA)
    browser, page = to_the_step(strict)
    answers = [enter(browser, page, action="send") for _ in range(3)]
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(sent(strict)) == 2  # one of them at the enrolment


def test_sec_51_a_code_of_another_browsers_sign_in_is_refused(strict: World) -> None:
    enrol_code(strict, "sms", DANA)
    first, page = to_the_step(strict)
    first.follow(enter(first, page, action="send"))
    second, other = to_the_step(strict)
    assert enter(second, other, code=newest_code(strict)).status_code == 400
    assert enter(first, page, code=newest_code(strict)).status_code == 303


def test_sec_53_a_recovery_code_opens_the_product_and_removes_nothing(strict: World) -> None:
    enrol_app(strict, DANA)
    codes = new_codes(strict, DANA)
    browser, page = to_the_step(strict)
    assert methods_offered(page) == ["recovery"]
    page = choose(browser, page, "recovery")
    answer = enter(browser, page, code=codes[3].lower().replace("-", " "))
    assert claims(strict, browser, answer)["acr"] == "aal2"
    assert [each.method for each in factors_of(strict, DANA)] == ["totp", "recovery"]


def test_the_factor_that_was_used_last_is_asked_for_first(strict: World) -> None:
    enrol_app(strict, DANA)
    enrol_code(strict, "sms", DANA)
    _, page = to_the_step(strict)
    assert "authenticator app shows" in page.text  # the stronger one, as long as none was used
    browser, page = to_the_step(strict)
    page = choose(browser, page, "sms")
    page = browser.follow(enter(browser, page, action="send"))
    assert enter(browser, page, code=newest_code(strict)).status_code == 303
    _, page = to_the_step(strict)
    assert "We send a code to ••••23." in page.text


def test_only_what_is_enrolled_and_would_do_can_be_tried(strict: World) -> None:
    enrol_app(strict, DANA)
    browser, page = to_the_step(strict)
    for method in ("sms", "email", "recovery", "password", "passkey", ""):
        answer = enter(browser, page, method=method, code="123456", action="send")
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/authorize?attempt=")
    assert sent(strict) == []
    assert strict.audit("second_factor.failed") == []


def test_another_persons_form_counts_for_nobody(strict: World) -> None:
    secret = enrol_app(strict, DANA)
    browser, page = to_the_step(strict)
    code = code_of(secret, strict.clock())
    answer = enter(browser, page, person=user_id(strict, BEN), code=code)
    assert answer.headers["Location"].startswith("/authorize?attempt=")
    assert enter(browser, page, code=code).status_code == 303


def test_m2_an_app_is_set_up_by_picture_or_key_and_ten_codes_are_shown_once(
    strict: World,
) -> None:
    browser, page = to_the_step(strict)
    assert "Set up a second step" in page.text
    assert [m for m in methods_offered(page) if m != "passkey"] == ["totp", "sms", "email"]
    page = choose(browser, page, "totp")
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    assert "<svg viewBox" in page.text or '<svg class="qr"' in page.text
    assert "style=" not in page.text
    wrong = enter(browser, page, code=wrong_code(secret, strict.clock()))
    assert wrong.status_code == 400
    assert secret in wrong.text.replace(" ", "")
    assert factors_of(strict, DANA) == []
    shown = browser.follow(enter(browser, wrong, code=code_of(secret, strict.clock())))
    codes = re.findall(r"<code>([0-9A-Z-]{19})</code>", shown.text)
    assert len(set(codes)) == 10
    assert [each.method for each in factors_of(strict, DANA)] == ["totp", "recovery"]
    told = claims(strict, browser, enter(browser, shown))
    assert told["acr"] == "aal2"
    again = browser.get(f"{shown.request.path}?{shown.request.query_string.decode()}")
    assert again.status_code in (303, 400)
    assert codes[0] not in again.text
    assert not any(code in str(strict.run("SELECT * FROM ephemeral_values")) for code in codes)


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_m2_codes_are_set_up_by_a_code(strict: World, channel: str) -> None:
    browser, page = to_the_step(strict)
    page = choose(browser, page, channel)
    number = {"number": "(201) 555-0123"} if channel == "sms" else {}
    page = browser.follow(enter(browser, page, action="send", **number))
    assert ("••••23" if channel == "sms" else DANA) in page.text
    assert sent(strict)[-1]["to"] == (PHONE if channel == "sms" else DANA)
    wrong = enter(browser, page, code=another_code(newest_code(strict)))
    assert wrong.status_code == 400
    shown = browser.follow(enter(browser, wrong, code=newest_code(strict)))
    assert "Save your recovery codes" in shown.text
    assert claims(strict, browser, enter(browser, shown))["acr"] == "aal1"
    assert [each.method for each in factors_of(strict, DANA)] == [channel, "recovery"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "Enter a mobile number"),
        ("+44 9012 345678", "Text messages can&#39;t be sent to this kind of number."),
        ("+371 21 234 567", "We do not send text messages to this country."),
    ],
)
def test_sec_52_a_number_that_is_not_written_to_is_told_so(
    strict: World, typed: str, sentence: str
) -> None:
    browser, page = to_the_step(strict)
    page = choose(browser, page, "sms")
    answer = enter(browser, page, action="send", number=typed)
    assert answer.status_code == 400
    assert sentence in answer.text
    assert f'value="{typed}"' in answer.text
    assert sent(strict) == []


def test_another_code_goes_to_the_number_that_was_typed(strict: World) -> None:
    browser, page = to_the_step(strict)
    page = choose(browser, page, "sms")
    page = browser.follow(enter(browser, page, action="send", number=PHONE))
    strict.clock.move(60)
    browser.submit(page, action="send")  # the last form of the page
    assert [letter["to"] for letter in sent(strict)] == [PHONE, PHONE]


def test_texts_are_not_offered_where_nobody_sends_them(either_world: World) -> None:
    demand_a_second_factor(either_world)
    browser, page = to_the_step(either_world)
    assert "sms" not in methods_offered(page)
    sms = enter(browser, choose(browser, page, "email"), method="sms", action="send", number=PHONE)
    assert sms.headers["Location"].startswith("/login/enrol?")
    assert sent(either_world) == []


def test_what_is_required_can_not_be_skipped(strict: World) -> None:
    browser, page = to_the_step(strict)
    assert "Skip for now" not in page.text
    page = choose(browser, page, "email")
    answer = browser.follow(enter(browser, page, action="skip"))
    assert "Set up a second step" in answer.text or "Set up codes by e-mail" in answer.text
    assert browser.client.get_cookie("latchkey-session") is None


def test_m3_what_is_optional_can_be_skipped_and_is_remembered(either_world: World) -> None:
    policy = {"second_factor": {"staff": {"mode": "optional", "since": 1.0}}}
    either_world.run(
        "UPDATE tenants SET policy = :p WHERE slug = 'northwind'", p=orjson.dumps(policy).decode()
    )
    browser, page = to_the_step(either_world, DANA)
    assert "Skip for now" in page.text
    answer = browser.follow(enter(browser, page, action="skip"))
    assert "code" in sent_back(answer)
    assert skipped(either_world, DANA) == {"northwind": either_world.clock()}
    _, again = to_the_step(either_world, DANA)
    assert "code" in sent_back(again)


def test_sec_54_a_password_alone_adds_no_second_factor_beside_one_that_is_there(
    strict: World,
) -> None:
    enrol_app(strict, DANA)
    browser, page = to_the_step(strict)
    attempt = re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    for path in ("/login/enrol", "/login/recovery_codes"):
        assert browser.get(f"{path}?attempt={attempt}").status_code == 303
        for method in ("totp", "sms", "email"):
            form = {**fields, "method": method, "action": "send", "number": PHONE, "code": "1"}
            answer = browser.post(path, **form)
            assert answer.headers["Location"].startswith("/authorize?attempt=")
    assert [each.method for each in factors_of(strict, DANA)] == ["totp"]
    assert sent(strict) == []


def test_a_step_up_asks_for_the_second_factor_alone(strict: World) -> None:
    """Whoever is signed in with a password opens the strict product (M7)."""
    secret = enrol_app(strict, DANA)
    browser = strict.browser()
    browser.tokens(DANA)
    page = browser.follow(browser.authorize("payments"))
    assert 'name="password"' not in page.text
    answer = enter(browser, page, code=code_of(secret, strict.clock()))
    assert claims(strict, browser, answer)["acr"] == "aal2"


def test_the_offer_of_one_attempt_is_of_no_use_in_another(strict: World) -> None:
    first, page = to_the_step(strict)
    page = choose(first, page, "totp")
    secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
    second, other = to_the_step(strict)
    other = choose(second, other, "totp")
    assert enter(second, other, code=code_of(secret, strict.clock())).status_code == 400


def test_n1_the_page_says_who_asks_for_it(strict: World) -> None:
    enrol_app(strict, DANA)
    _, proving = to_the_step(strict)
    _, enrolling = to_the_step(strict, AMARA)
    for page in (proving, enrolling):
        assert "Why is this asked?" in page.text
        assert "Secure Payments always asks for one." in page.text


def test_sec_52_codes_are_counted_for_the_company_that_is_entered(strict: World) -> None:
    enrol_code(strict, "email", DANA)
    browser, page = to_the_step(strict)
    enter(browser, page, action="send")
    ((northwind,),) = strict.run("SELECT id FROM tenants WHERE slug = 'northwind'")
    key = f"codes for:{northwind}"
    assert strict.run("SELECT failed FROM attempt_limits WHERE key = :k", k=key) == [(1,)]


def test_who_has_only_what_can_not_be_used_here_is_told_and_not_sent_in_circles(
    strict: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol_app(strict, DANA)
    monkeypatch.setattr(second_factor, "_is_possible", lambda method: False)
    _, page = to_the_step(strict)
    assert page.status_code == 403
    assert "What you have set up can&#39;t be used here." in page.text


def test_a_recovery_code_is_never_what_is_asked_for_first(strict: World) -> None:
    """It stands in for what is lost."""
    enrol_app(strict, DANA)
    codes = new_codes(strict, DANA)
    browser, page = to_the_step(strict)
    page = choose(browser, page, "recovery")
    assert enter(browser, page, code=codes[0]).status_code == 303
    _, again = to_the_step(strict)
    assert "authenticator app shows" in again.text
