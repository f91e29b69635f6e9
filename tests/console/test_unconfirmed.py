"""What a company that somebody founded by opening an account may do before an operator has
confirmed it (security.md S79; docs/decisions/0030)."""

from __future__ import annotations

import pytest

from idp.directory import asking, company_providers, deciding
from idp.directory.acting import Forbidden, Mistake
from idp.policies import second_factor_policy
from idp.policies.second_factor_policy import Proposal
from tests.console.access_story import Story
from tests.console.administering import administering, proven
from tests.console.company_providers_of import SOUND, add, known
from tests.console.operations import operation, operator, send
from tests.console.operators_tokens import operators_app
from tests.federation.companies import known_by_all
from tests.founding import confirm, freda, is_confirmed, slug_of
from tests.mailed import mail_for
from tests.signing_up import COMPANY, FREDA, sign_up
from tests.world import BEN, HANA, PASSWORD, World, sent_back

PRODUCTS = {"lms", "payments", "connections"}
OFFERED = {"payments", "connections"}  # those that let people open an account


@pytest.fixture
def founded(either_world: World) -> World:
    sign_up(either_world, FREDA)
    return either_world


def test_before_it_opens_the_products_that_let_people_open_an_account(founded: World) -> None:
    """Products, tokens, menu and switcher say the same."""
    browser = freda(founded)
    code = sent_back(browser.authorize("payments"))["code"]
    assert founded.redeem(code, "payments").status_code == 200
    refused = browser.follow(browser.authorize("lms"))
    assert (refused.status_code, "No access to LMS" in refused.text) == (403, True)
    assert "has not confirmed Fresh Fish &amp; Sons yet" in refused.text
    assert "Your roles" not in refused.text
    home = browser.get("/").text
    assert {key for key in PRODUCTS if f"product-{key}" in home} == OFFERED


def test_what_it_opened_is_closed_once_its_product_offers_no_account_any_more(
    founded: World,
) -> None:
    browser = freda(founded)
    code = sent_back(browser.authorize("payments"))["code"]
    tokens = founded.redeem(code, "payments").json or {}
    assert founded.userinfo(tokens["access_token"]).status_code == 200
    founded.apply(products=[{"key": "payments", "name": "Secure Payments", "sign_up": False}])
    founded.clock.move(60)
    assert founded.userinfo(tokens["access_token"]).status_code == 401


def test_once_it_is_confirmed_it_opens_everything(founded: World) -> None:
    confirm(founded)
    browser = freda(founded)
    assert "code" in sent_back(browser.authorize("lms"))
    home = browser.get("/").text
    assert {key for key in PRODUCTS if f"product-{key}" in home} == PRODUCTS


def test_its_roles_select_no_more_by_name_either(founded: World) -> None:
    """No role that the founder makes and gives opens more than the company may."""
    slug = slug_of(founded)
    role = {"key": "clerk", "name": "Clerk", "permissions": {"lms": ["loans.read"]}}
    founded.apply(
        tenants=[{"slug": slug, "name": COMPANY, "roles": [role]}],
        users=[
            {
                "email": "clerk@fresh.example",
                "name": "Clerk",
                "password": PASSWORD,
                "memberships": [{"tenant": slug, "roles": ["clerk"]}],
            }
        ],
    )
    founded.clock.move(1)
    browser = founded.browser()
    assert browser.sign_in("clerk@fresh.example", PASSWORD, "lms").status_code == 403
    assert not is_confirmed(founded, slug), "a file that says nothing of it confirms nothing"


def test_before_it_asks_for_no_access_to_other_companies(founded: World) -> None:
    slug = slug_of(founded)
    with administering(founded, FREDA, slug) as admin:
        assert admin.may("people.manage")
        assert not admin.may("access.request")
        with pytest.raises(Forbidden):
            asking.ask(admin, asking.Asked(FREDA, "Harbor", ("lms",), "Covers for them.", None))
    browser = freda(founded)
    assert f"/manage/{slug}/access" in browser.follow(browser.get(f"/manage/{slug}")).text
    assert browser.follow(browser.get(f"/manage/{slug}/access/new")).status_code == 403
    confirm(founded)
    with administering(founded, FREDA, slug) as admin:
        assert admin.may("access.request")


def test_nor_does_an_operator_who_acts_for_it(founded: World) -> None:
    slug = slug_of(founded)
    browser = operator(founded)
    visit = {"reason": "To look at what is asked.", "minutes": "15"}
    assert send(browser, f"/operate/tenants/{slug}/visit", **visit).status_code == 303
    assert browser.get(f"/manage/{slug}/people").status_code == 200
    assert browser.get(f"/manage/{slug}/access/new").status_code == 403


def test_nobody_is_let_into_it_from_another_company(founded: World) -> None:
    """Its name may be the one that is on the form: an operator sees whose it is."""
    sign_up(founded, "eve@evil.example", name="Eve", company="Riverside Bank")
    story = Story(founded).ask(company="Riverside Bank")
    story.submit()
    slug = slug_of(founded, "Riverside Bank")
    page = operator(founded).get(f"/operate/access/{story.id}").text
    assert f"Riverside Bank ({slug}), not confirmed" in page
    assert f'value="{slug}"' not in page, "it is not filled in"
    with operation(founded) as opened, pytest.raises(Mistake) as refused:
        deciding.approve(opened, story.id, slug, None)
    assert "company" in refused.value.errors
    confirm(founded, slug)
    assert f'value="{slug}"' in operator(founded).get(f"/operate/access/{story.id}").text
    with operation(founded) as opened:
        assert deciding.approve(opened, story.id, slug, None).status == "approved"


def test_of_many_companies_of_one_name_the_confirmed_ones_stand_first(founded: World) -> None:
    """Twenty at most, and that there are more: a thousand are founded in a day."""
    for number in range(19):
        founded.run(
            "INSERT INTO tenants (id, slug, name, status, policy, created_at)"
            " VALUES (:s, :s, 'Harbor Credit Union', 'active', '{}', 0)",
            s=f"a-harbor-{number}",
        )
    story = Story(founded).ask(company="Harbor Credit Union")
    story.submit()
    here, app = f"/operate/access/{story.id}", operators_app(founded)
    page, found = operator(founded).get(here).text, app.get(f"/platform/access-requests/{story.id}")
    assert page.count("Harbor Credit Union (") == 20
    assert first_named(page) == "Harbor Credit Union (harbor)"
    assert "There are more of this name" not in page
    assert (found.json or {})["are_more_named"] is False
    sign_up(founded, "eve@evil.example", name="Eve", company="Harbor Credit Union")
    page, found = operator(founded).get(here).text, app.get(f"/platform/access-requests/{story.id}")
    assert page.count("Harbor Credit Union (") == 20
    assert first_named(page) == "Harbor Credit Union (harbor)"
    assert "There are more of this name" in page
    told = found.json or {}
    assert (told["are_more_named"], len(told["named"])) == (True, 20)
    assert told["named"][0]["slug"] == "harbor"


def first_named(page: str) -> str:
    return page.partition('class="access-named"')[2].partition("<li>")[2].partition("</li>")[0]


def test_visitors_see_its_name_and_logo_once_it_is_confirmed(founded: World) -> None:
    slug = slug_of(founded)
    founded.run(
        "INSERT INTO branding (tenant_id, display_name, accent, product_names)"
        " SELECT id, 'Northwind Lending', '#0f6b5c', '{}' FROM tenants WHERE slug = :s",
        s=slug,
    )

    def seen_by_a_visitor() -> bool:
        browser = founded.browser()
        page = browser.follow(browser.authorize("payments", tenant=slug))
        assert page.request.path == "/login/password"
        return "Northwind Lending" in page.text or f"/colors/{slug}.css" in page.text

    assert not seen_by_a_visitor()
    browser = freda(founded)
    assert "Northwind Lending" in browser.follow(browser.get(f"/manage/{slug}")).text
    confirm(founded)
    assert seen_by_a_visitor()


def test_its_admins_read_what_is_not_open_yet(founded: World) -> None:
    slug = slug_of(founded)
    browser = freda(founded)
    before = browser.follow(browser.get(f"/manage/{slug}")).text
    assert "This company is not confirmed yet" in before
    assert "No identity provider of its own signs anybody in." in before
    assert "it opens Secure Payments, Connections." in before
    assert "LMS" not in before.partition("not confirmed yet")[2].partition("</ul>")[0]
    confirm(founded)
    assert "not confirmed yet" not in browser.get(f"/manage/{slug}").text
    northwind = founded.browser().enter("/manage/northwind").text
    assert "not confirmed yet" not in northwind


def test_whose_company_asks_is_read_with_its_slug(either_world: World) -> None:
    """Any other company may have the same name."""
    world = either_world
    story = Story(world).ask()
    story.submit()
    browser = operator(world)
    full = "Northwind Lending (northwind)"
    assert full in browser.get("/operate/access").text
    assert full in browser.get(f"/operate/access/{story.id}").text
    story.approve()
    told = [each for each in mail_for(world, HANA) if each["template"] == "access"]
    assert [(each["asking"], each["receiving"]) for each in told] == [
        (full, "Harbor Credit Union (harbor)")
    ]
    hana = world.browser()
    assert full in hana.enter(f"/manage/harbor/access/{story.id}", HANA).text
    assert full in hana.get("/manage/harbor/access?side=receiving").text
    assert full in hana.get(f"/manage/harbor/access/{story.id}/roles").text
    assert BEN in hana.get("/manage/harbor/access?side=receiving").text


def test_the_preview_of_a_policy_asks_nobody_for_a_product_that_does_not_open(
    founded: World,
) -> None:
    slug = slug_of(founded)

    def asked() -> int:
        with administering(founded, FREDA, slug) as admin:
            terms = second_factor_policy.terms(admin)
            strict = Proposal(terms._replace(products={"lms": None}))
            keys = founded.held.secret_keys
            return second_factor_policy.preview(admin, keys, strict).preview.then

    assert asked() == 0
    confirm(founded)
    assert asked() == 1


def test_before_it_has_no_identity_provider_and_none_that_it_had_counts(founded: World) -> None:
    """Its button would be on our own sign-in page, under any name."""
    slug = slug_of(founded)
    with (
        proven(founded, FREDA, slug=slug) as admin,
        pytest.raises(Forbidden, match=r"identity_providers\.manage"),
    ):
        company_providers.add(admin, founded.held.secret_keys, SOUND)
    confirm(founded, slug)
    key = add(founded, FREDA, slug, name="Northwind single sign-on")
    assert key in known(founded).by_key
    founded.run("UPDATE tenants SET confirmed_at = NULL WHERE slug = :s", s=slug)
    known_by_all(founded)
    assert key not in known(founded).by_key


def test_a_provider_that_no_domain_routes_to_is_offered_to_nobody(founded: World) -> None:
    confirm(founded, slug_of(founded))
    add(founded, FREDA, slug_of(founded), name="Northwind single sign-on")
    founded.clock.move(2)
    browser = founded.browser()
    page = browser.follow(browser.authorize("payments", tenant=slug_of(founded)))
    assert "Northwind single sign-on" not in page.text
