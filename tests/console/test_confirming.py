"""Operators confirm a company that somebody founded by opening an account (security.md S79;
docs/decisions/0030)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import Forbidden, Mistake, RecentSignInNeeded
from idp.operators import tenants
from idp.operators.tenants import Wanted
from tests.console.operations import operation, operator, send, user_id
from tests.console.operators_tokens import operators_app
from tests.founding import confirm, is_confirmed, slug_of
from tests.mailed import NEW, mail_for
from tests.signing_up import COMPANY, FREDA, move_address, sign_up, state, verify_domain
from tests.storage.crew import threads_at_once
from tests.world import AMARA, OLU, PASSWORD, World


@pytest.fixture
def founded(either_world: World) -> World:
    sign_up(either_world, FREDA)
    return either_world


def test_what_operators_and_files_make_is_confirmed(either_world: World) -> None:
    with operation(either_world) as opened:
        tenants.create(opened, "acme", "Acme Loans")
    for slug in ("acme", "northwind", "harbor"):
        assert is_confirmed(either_world, slug), slug


def test_what_somebody_founds_is_not(founded: World) -> None:
    assert not is_confirmed(founded, slug_of(founded))
    with operation(founded) as opened:
        wanted = Wanted("", tenants.UNCONFIRMED)
        page = tenants.find_tenants(opened, founded.held.secret_keys, wanted)
        everything = tenants.find_tenants(opened, founded.held.secret_keys, Wanted())
    assert [(each.name, each.confirmed_at) for each in page.tenants] == [(COMPANY, None)]
    assert len(everything.tenants) == 3


def test_an_operator_confirms_it_at_its_page(founded: World) -> None:
    slug = slug_of(founded)
    browser = operator(founded)
    assert "Not confirmed" in browser.get("/operate/tenants").text
    assert "Not confirmed" in browser.get(f"/operate/tenants/{slug}").text
    path = f"/operate/tenants/{slug}/confirm"
    assert send(browser, path).status_code == 303
    assert is_confirmed(founded, slug)
    after = browser.get(f"/operate/tenants/{slug}").text
    assert f"{COMPANY.replace('&', '&amp;')} is confirmed." in after
    assert "/confirm" not in after
    [event] = founded.audit("tenant.confirmed")
    assert event["actor"] == user_id(founded, OLU)
    assert (event["slug"], event["name"]) == (slug, COMPANY)
    assert [each["template"] for each in mail_for(founded, FREDA)][-1] == "tenant/confirmed"
    assert browser.submit(browser.get("/operate/tenants/new"), path).status_code == 303
    assert len(founded.audit("tenant.confirmed")) == 1


def test_an_operator_confirms_it_at_the_api(founded: World) -> None:
    slug, app = slug_of(founded), operators_app(founded)
    waiting = app.get("/platform/tenants?status=unconfirmed").json or {}
    assert [(each["slug"], each["confirmed_at"]) for each in waiting["items"]] == [(slug, None)]
    done = app.post(f"/platform/tenants/{slug}/confirm")
    assert done.status_code == 200, done.text
    assert (done.json or {})["confirmed_at"] is not None
    assert app.post(f"/platform/tenants/{slug}/confirm").status_code == 422
    assert app.get("/platform/tenants?status=unconfirmed").json == {**waiting, "items": []}
    assert len(founded.audit("tenant.confirmed")) == 1


MOVED_TO = "helpdesk@northwind.example"


def test_it_shows_with_which_address_it_was_founded_and_whose_domain_it_has_now(
    founded: World,
) -> None:
    """Who may not open an account by a domain founds a company beside it, and moves there."""
    slug, app = slug_of(founded), operators_app(founded)
    verify_domain(founded)
    state(founded, sign_up="closed")
    page = operator(founded).get(f"/operate/tenants/{slug}/confirm").text
    assert FREDA in page
    assert "This domain is verified by" not in page
    move_address(founded, FREDA, MOVED_TO)
    page = operator(founded).get(f"/operate/tenants/{slug}/confirm").text
    assert FREDA in page
    assert page.count("This domain is verified by Northwind Lending (northwind).") == 1
    assert page.index(FREDA) < page.index(MOVED_TO) < page.index("This domain is verified by")
    told = app.get(f"/platform/tenants/{slug}").json or {}
    northwind = {"slug": "northwind", "name": "Northwind Lending"}
    assert told["founded_with"] == {"email": FREDA, "verified_by": None}
    assert told["account_admins"] == [{"email": MOVED_TO, "verified_by": northwind}]


def test_a_domain_of_its_own_is_no_other_companys(founded: World) -> None:
    slug, app = slug_of(founded), operators_app(founded)
    verify_domain(founded, "fresh.example", slug)
    told = app.get(f"/platform/tenants/{slug}").json or {}
    assert told["founded_with"] == {"email": FREDA, "verified_by": None}
    founded.run(
        "UPDATE domains SET verified_at = NULL, tenant_id = (SELECT id FROM tenants"
        " WHERE slug = 'northwind')"
    )
    told = app.get(f"/platform/tenants/{slug}").json or {}
    assert told["founded_with"] == {"email": FREDA, "verified_by": None}, "claimed, and not proven"


def test_what_operators_make_was_founded_with_no_address(founded: World) -> None:
    told = operators_app(founded).get("/platform/tenants/northwind").json or {}
    assert told["founded_with"] is None
    assert AMARA in {each["email"] for each in told["account_admins"]}
    founded.run("UPDATE tenants SET founded_email = NULL")
    page = operator(founded).get(f"/operate/tenants/{slug_of(founded)}/confirm").text
    assert "Not known" in page


def test_its_network_is_kept_no_longer_than_it_is_asked_for(founded: World) -> None:
    [(kept,)] = founded.run("SELECT founded_from FROM tenants WHERE name = :n", n=COMPANY)
    assert "127.0.0.1" not in kept
    confirm(founded)
    assert founded.run("SELECT founded_from FROM tenants WHERE name = :n", n=COMPANY) == [(None,)]


def test_an_operator_confirms_it_by_a_recent_sign_in(founded: World) -> None:
    slug, late = slug_of(founded), founded.clock() - 901
    with operation(founded, auth_time=late) as opened, pytest.raises(RecentSignInNeeded):
        tenants.confirm(opened, tenants.get_tenant(opened, slug))
    with operation(founded, permissions=frozenset()) as opened, pytest.raises(Forbidden):
        tenants.confirm(opened, tenants.get_tenant(opened, slug))
    assert not is_confirmed(founded, slug)


@pytest.mark.parametrize("status", ["active", "disabled", "ended"])
def test_nobody_confirms_a_company_of_their_own(founded: World, status: str) -> None:
    """Nor do they by leaving it first."""
    slug, freda = slug_of(founded), user_id(founded, FREDA)
    founded.apply(users=[{"email": FREDA, "name": "Freda", "operator": True}])
    founded.run("UPDATE memberships SET status = :s WHERE user_id = :u", s=status, u=freda)
    with operation(founded, user_id=freda) as opened, pytest.raises(Forbidden):
        tenants.confirm(opened, tenants.get_tenant(opened, slug))
    assert not is_confirmed(founded, slug)


@pytest.mark.parametrize("email", [FREDA, AMARA])
def test_nobody_but_an_operator_confirms(founded: World, email: str) -> None:
    slug = slug_of(founded)
    browser = founded.browser()
    password = NEW if email == FREDA else PASSWORD
    browser.sign_in(email, password, "payments")
    form = browser.get("/account/email")
    sent = browser.submit(form, f"/operate/tenants/{slug}/confirm")
    assert sent.status_code in (303, 404)
    assert not is_confirmed(founded, slug)


def test_of_many_who_confirm_at_once_one_does(founded: World) -> None:
    slug = slug_of(founded)

    def one(_number: int) -> bool:
        try:
            confirm(founded, slug)
        except Mistake:
            return False
        return True

    assert sorted(threads_at_once(one, 8)) == [False] * 7 + [True]
    assert len(founded.audit("tenant.confirmed")) == 1


def test_one_that_has_ended_is_never_confirmed(founded: World) -> None:
    slug = slug_of(founded)
    founded.run("UPDATE tenants SET status = 'ended' WHERE slug = :s", s=slug)
    with operation(founded) as opened, pytest.raises(Mistake):
        tenants.confirm(opened, tenants.get_tenant(opened, slug))
    with operation(founded) as opened:
        page = tenants.find_tenants(
            opened, founded.held.secret_keys, Wanted("", tenants.UNCONFIRMED)
        )
    assert page.tenants == []


def forms_of(world: World, **form: Any) -> None:
    world.apply(tenants=[{"slug": slug_of(world), "name": COMPANY, **form}])


def test_a_file_confirms_it_where_it_says_so_and_takes_it_back_nowhere(founded: World) -> None:
    slug = slug_of(founded)
    forms_of(founded)
    assert not is_confirmed(founded, slug)
    forms_of(founded, confirmed=True)
    assert is_confirmed(founded, slug)
    with pytest.raises(Exception, match="confirmed already"):
        forms_of(founded, confirmed=False)
    assert is_confirmed(founded, slug)
