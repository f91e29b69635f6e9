"""Opening an account by oneself, from the sign-in page to the product (product.md S5)."""

from __future__ import annotations

import pytest

from idp.app import create_pages
from idp.directory import invitations
from idp.web import letters
from tests.console.administering import administering
from tests.founding import slug_of
from tests.mailed import NEW, mail_for
from tests.signing_up import (
    COMPANY,
    FREDA,
    NADIA,
    ask_for,
    asking_page,
    fill_in,
    is_somebody,
    link_for,
    memberships_of,
    requests_of,
    sign_up,
    state,
    verify_domain,
)
from tests.world import AMARA, BEN, DANA, OLU, PASSWORD, World, sent_back

MINUTE = 60.0


def test_only_products_that_allow_it_have_the_link(world: World) -> None:
    for client_id, has_it in (("payments", True), ("connections", True), ("lms", False)):
        browser = world.browser()
        page = browser.follow(browser.authorize(client_id))
        assert ("/login/sign_up?attempt=" in page.text) is has_it, client_id
    assert "/login/sign_up" not in world.browser().get("/").text
    assert "/login/sign_up" not in world.browser().enter("/manage/northwind", "x@y.example").text


def test_without_the_link_there_is_no_page_either(world: World) -> None:
    browser = world.browser()
    page = asking_page(browser, "lms")
    assert (page.status_code, page.headers["Location"][:10]) == (303, "/authorize")
    form = browser.follow(page)
    sent = browser.submit(form, "/login/sign_up", email=FREDA)
    assert sent.status_code == 303
    assert world.run("SELECT count(*) FROM outbox") == [(0,)]


def test_somebody_opens_an_account_and_a_company_and_signs_in(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    asked = ask_for(world, " Freda@FRESH.example ", browser)
    assert "A letter to this address says how to go on" in asked.text
    assert not is_somebody(world, FREDA)
    link = mail_for(world, FREDA)[0]["link"]
    page = browser.get(link)
    assert page.status_code == 200
    assert "No company here has verified the domain of your address." in page.text
    assert not is_somebody(world, FREDA)
    signing_in = browser.follow(fill_in(world, link, visitor=browser))
    assert signing_in.request.path == "/login/password"
    assert f'value="{FREDA}"' in signing_in.text
    assert 'value="payments" checked' in signing_in.text
    assert memberships_of(world, FREDA) == [(COMPANY, "staff", "active", "account_admin")]
    world.clock.move(1)
    done = browser.submit(signing_in, email=FREDA, password=NEW)
    launched = browser.follow(done)
    assert launched.headers["Location"].startswith("http://localhost:8002/login")
    code = sent_back(browser.authorize("payments"))["code"]
    access = (world.redeem(code, "payments").json or {})["access_token"]
    person = world.userinfo(access).json or {}
    assert (person["email"], person["email_verified"]) == (FREDA, True)
    [event] = world.audit("sign_up.done")
    assert event["way"] == "founder"
    [made] = world.audit("tenant.created")
    assert (made["slug"], "name" in made) == (slug_of(world), False)
    assert COMPANY not in str(world.run("SELECT * FROM audit_events")), (
        "a stranger's words stay out"
    )


def test_the_founder_administers_their_company_and_no_other(either_world: World) -> None:
    world = either_world
    sign_up(world, FREDA)
    [(slug,)] = world.run("SELECT slug FROM tenants WHERE name = :n", n=COMPANY)
    assert slug.startswith("fresh-fish-sons-")
    browser = world.browser()
    page = browser.follow(browser.get(f"/manage/{slug}/people"))
    people = browser.follow(browser.submit(page, email=FREDA, password=NEW))
    assert people.status_code == 200
    assert "Freda Fresh" in people.text
    assert AMARA not in people.text
    assert browser.follow(browser.get("/manage/northwind/people")).status_code == 404


def test_two_companies_may_be_called_alike_and_are_two(either_world: World) -> None:
    world = either_world
    [(before,)] = world.run("SELECT id FROM tenants WHERE slug = 'northwind'")
    sign_up(world, FREDA, company="Northwind Lending")
    named = world.run("SELECT id, slug FROM tenants WHERE name = 'Northwind Lending'")
    assert len(named) == 2
    assert {slug for id_, slug in named if id_ == before} == {"northwind"}
    assert [m[0] for m in memberships_of(world, FREDA)] == ["Northwind Lending"]
    assert world.run(
        "SELECT count(*) FROM memberships WHERE tenant_id = :t AND user_id ="
        " (SELECT id FROM users WHERE email = :e)",
        t=before,
        e=FREDA,
    ) == [(0,)]


@pytest.mark.parametrize("email", ["freda@gmail.com", "freda@outlook.com"])
def test_people_of_a_public_mailbox_share_nothing(either_world: World, email: str) -> None:
    world = either_world
    verify_domain(world, email.partition("@")[2])
    state(world, sign_up="admitted", sign_up_role="agent")
    for who in (email, "other." + email):
        sign_up(world, who, company=f"Company of {who}")
        assert memberships_of(world, who)[0][0] == f"Company of {who}"
        assert len(memberships_of(world, who)) == 1


def test_whose_domain_a_company_has_verified_waits_for_it(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    verify_domain(world)
    link = link_for(world, NADIA)
    page = browser.get(link)
    assert "has to let you in" in page.text
    assert 'name="company"' not in page.text
    browser.submit(page, name="Nadia New", company="Mine", password=NEW)
    assert memberships_of(world, NADIA) == []
    assert requests_of(world, NADIA) == ["waiting"]
    assert world.run("SELECT count(*) FROM tenants WHERE name = 'Mine'") == [(0,)]
    world.clock.move(1)
    waiting = browser.sign_in(NADIA, NEW, "payments")
    assert waiting.status_code == 403
    assert "Your company has to let you in first" in waiting.text
    assert "Northwind" not in waiting.text
    turned = browser.submit(waiting, decision="back")
    assert sent_back(browser.follow(turned))["error"] == "access_denied"
    elsewhere = world.browser()
    account = elsewhere.follow(elsewhere.get("/account"))
    assert elsewhere.follow(elsewhere.submit(account, email=NADIA, password=NEW)).status_code == 200
    assert "Your company has to let you in first" in elsewhere.get("/").text
    assert elsewhere.follow(elsewhere.get("/manage/northwind")).status_code == 404


def test_who_manages_people_there_is_told(either_world: World) -> None:
    world = either_world
    verify_domain(world)
    sign_up(world, NADIA)
    told = [each for each in mail_for(world, AMARA) if each["template"] == "join/asked"]
    assert len(told) == 1
    assert told[0]["url"].endswith("/manage/northwind/join-requests")
    assert not [each for each in mail_for(world, DANA) if each["template"] == "join/asked"]


def test_whom_their_company_admits_is_in_with_its_role(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    verify_domain(world)
    state(world, sign_up="admitted", sign_up_role="agent")
    assert "lets its people in by themselves" in browser.get(link_for(world, NADIA)).text
    sign_up(world, NADIA)
    assert memberships_of(world, NADIA) == [("Northwind Lending", "staff", "active", "agent")]
    assert requests_of(world, NADIA) == []
    assert world.audit("sign_up.done")[0]["way"] == "admitted"


@pytest.mark.parametrize("role", ["account_admin", "gone", "admin-of-people", None])
def test_nobody_is_admitted_with_a_role_that_administers_or_is_gone(
    either_world: World, role: str | None
) -> None:
    world = either_world
    verify_domain(world)
    form = {"key": "admin-of-people", "name": "Admin", "permissions": {"console": ["people.read"]}}
    world.apply(tenants=[{"slug": "northwind", "name": "Northwind Lending", "roles": [form]}])
    state(world, sign_up="admitted", **({"sign_up_role": role} if role else {}))
    sign_up(world, NADIA)
    assert (memberships_of(world, NADIA), requests_of(world, NADIA)) == ([], ["waiting"])


def test_a_closed_company_sends_people_to_itself(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    verify_domain(world)
    link = link_for(world, NADIA)
    state(world, sign_up="closed")
    page = browser.get(link)
    assert "Ask an admin there to invite you" in page.text
    assert "<form" not in page.text
    assert post(world, link) == 403
    assert not is_somebody(world, NADIA)
    world.clock.move(MINUTE)
    ask_for(world, NADIA)
    assert mail_for(world, NADIA)[-1]["template"] == "sign_up_closed"


def post(world: World, link: str, company: str = "C") -> int:
    """The form, where the page has none."""
    browser, token = world.browser(), link.partition("token=")[2]
    typed = {"token": token, "name": "N", "company": company, "password": NEW}
    form = browser.get("/login/forgot")
    return browser.submit(form, "/login/sign_up/open", **typed).status_code


def test_a_suspended_companys_people_found_no_other(either_world: World) -> None:
    world = either_world
    verify_domain(world)
    link = link_for(world, NADIA)
    world.run("UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'")
    page = world.browser().get(link)
    assert "<form" not in page.text
    assert "takes nobody in at the moment" in page.text
    assert "opens accounts for its people itself" not in page.text
    assert post(world, link, company="Mine") == 403
    assert not is_somebody(world, NADIA)
    assert world.run("SELECT count(*) FROM tenants WHERE name = 'Mine'") == [(0,)]
    world.clock.move(MINUTE)
    ask_for(world, NADIA)
    [letter] = [e for e in mail_for(world, NADIA) if e["template"] == "sign_up_closed"]
    written = letters.write(create_pages(world.held), letter)
    assert "takes nobody in at the moment" in written.body
    assert "opens accounts for its people itself" not in written.body


def test_the_letter_and_the_page_speak_the_persons_language(world: World) -> None:
    browser = world.browser(**{"Accept-Language": "es"})
    ask_for(world, FREDA, browser)
    assert mail_for(world, FREDA)[0]["locale"] == "es"
    fill_in(world, mail_for(world, FREDA)[0]["link"], visitor=browser)
    assert world.run("SELECT locale FROM users WHERE email = :e", e=FREDA) == [("es",)]


def test_of_two_companies_that_are_called_alike_the_short_names_are_told(
    either_world: World,
) -> None:
    """Where somebody chooses, and in the menu; others are shown without."""
    world = either_world
    sign_up(world, FREDA, company="NORTHWIND \uff2cending")
    [(slug,)] = world.run("SELECT slug FROM tenants WHERE slug LIKE 'northwind-%'")
    memberships = [{"tenant": each, "roles": ["account_admin"]} for each in ("northwind", slug)]
    world.apply(users=[{"email": BEN, "name": "Ben", "memberships": memberships}])
    browser = world.browser()
    choosing = browser.sign_in(BEN, PASSWORD, "payments")
    for each in ("northwind", slug):
        assert choosing.text.count(f"<code>{each}</code>") == 1
    browser.follow(browser.submit(choosing, tenant="northwind"))
    menu = browser.get("/").text
    assert [menu.count(named(each)) for each in ("northwind", slug)] == [1, 1]
    world.run("UPDATE tenants SET name = 'Southwind' WHERE slug = :s", s=slug)
    assert named("northwind") not in browser.get("/").text


def named(slug: str) -> str:
    return f'<small class="menu-step">{slug}</small>'


def test_an_invitation_tells_who_of_which_company_invites(either_world: World) -> None:
    world = either_world
    sign_up(world, FREDA, company="Northwind Lending")
    [(slug,)] = world.run("SELECT slug FROM tenants WHERE slug LIKE 'northwind-%'")
    with administering(world, FREDA, slug) as admin:
        invitations.invite(admin, world.held.secret_keys, "ivy@else.example", "staff", (), "en")
    [letter] = mail_for(world, "ivy@else.example")
    written = letters.write(create_pages(world.held), letter)
    assert f"{FREDA} invites you to Northwind Lending ({slug})." in written.body
    page = world.browser().get(letter["link"]).text
    assert FREDA in page
    assert slug in page


@pytest.mark.parametrize("source", ["visit", "operator", "file"])
def test_an_invitation_by_none_of_the_company_names_nobody(
    either_world: World, source: str
) -> None:
    world = either_world
    form = {"email": NADIA, "name": "Nadia", "invitation": True}
    world.apply(users=[form | {"memberships": [{"tenant": "northwind", "roles": []}]}])
    world.run(
        "UPDATE invitations SET source = :s, invited_by = (SELECT id FROM users WHERE email = :e)",
        s=source,
        e=OLU,
    )
    [letter] = [each for each in mail_for(world, NADIA) if each["template"] == "invitation"]
    assert "an admin of Northwind Lending (northwind) invites you." in (
        letters.write(create_pages(world.held), letter).body
    )
    assert OLU not in world.browser().get(letter["link"]).text


def test_somebody_who_has_an_account_is_told_how_to_sign_in(either_world: World) -> None:
    world = either_world
    ask_for(world, AMARA)
    [letter] = mail_for(world, AMARA)
    assert letter["template"] == "sign_up_known"
    assert "link" not in letter
    assert len(world.audit("sign_up.known")) == 1


def test_whoever_is_invited_may_still_accept(either_world: World) -> None:
    """An account of one's own takes nothing from an invitation."""
    world = either_world
    world.apply(
        users=[
            {
                "email": NADIA,
                "name": "Nadia",
                "invitation": True,
                "memberships": [{"tenant": "northwind", "roles": ["agent"]}],
            }
        ]
    )
    before = world.run("SELECT count(*) FROM users")
    ask_for(world, NADIA)
    assert mail_for(world, NADIA)[-1]["template"] == "sign_up_known"
    assert world.run("SELECT count(*) FROM users") == before
