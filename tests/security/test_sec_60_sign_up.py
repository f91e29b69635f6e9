"""S59, S60: nobody opens an account with an address that is not theirs, nor before it is proven."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from markupsafe import escape

from idp.app import create_pages
from idp.web import letters
from tests.mailed import NEW, mail_for
from tests.security.browsing import dump
from tests.signing_up import (
    COMPANY,
    FREDA,
    NADIA,
    ask_for,
    fill_in,
    is_somebody,
    link_for,
    memberships_of,
    requests_of,
    sign_up,
    state,
    verify_domain,
)
from tests.world import AMARA, BEN, PASSWORD, Visitor, World

MINUTE = 60.0
KEPT = ("users", "passwords", "memberships", "tenants", "sign_up_links", "join_requests")
TYPED = {"name": "Mallory", "company": "Mallory & Co", "password": NEW}


def kept(world: World) -> list[list[str]]:
    return [sorted(map(str, world.run(f"SELECT * FROM {table}"))) for table in KEPT]


def status_of(world: World, link: str, visitor: Visitor | None = None) -> int:
    """Of the answer to the form; sent without its page where there is none."""
    browser = visitor or world.browser()
    page = browser.get(link)
    if page.status_code == 200:
        return browser.submit(page, **TYPED).status_code
    form, token = browser.get("/login/forgot"), link.partition("token=")[2]
    assert browser.submit(form, "/login/sign_up/open", token=token, **TYPED).status_code == 404
    return page.status_code


def test_sec_60_nobody_is_made_before_the_address_is_proven(either_world: World) -> None:
    world = either_world
    before = [world.run(f"SELECT count(*) FROM {table}") for table in KEPT[:4]]
    ask_for(world, FREDA)
    mail_for(world, FREDA)
    assert [world.run(f"SELECT count(*) FROM {table}") for table in KEPT[:4]] == before


def test_sec_60_who_asks_for_anothers_address_waits_for_nothing(either_world: World) -> None:
    """The attacker asks first; whoever reads the mail chooses the password, and it is theirs."""
    world = either_world
    ask_for(world, FREDA)
    stolen_nothing = world.browser()
    form = stolen_nothing.get("/login/forgot")
    stolen_nothing.submit(form, "/login/sign_up/open", email=FREDA, token="", **TYPED)
    assert not is_somebody(world, FREDA)
    sign_up(world, FREDA)
    assert stolen_nothing.sign_in(FREDA, PASSWORD).status_code == 400
    assert world.browser().sign_in(FREDA, NEW).status_code != 400
    [(verified,)] = world.run("SELECT email_verified_at FROM users WHERE email = :e", e=FREDA)
    assert verified is not None


def test_sec_60_a_link_is_for_the_address_that_it_was_sent_to(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    page = browser.get(link_for(world, FREDA))
    fields = {"email": AMARA, "email_canonical": AMARA, "tenant_id": "x", "role": "account_admin"}
    assert browser.submit(page, **TYPED, **fields, user_id="x", way="admitted").status_code == 303
    assert [row[0] for row in memberships_of(world, FREDA)] == ["Mallory & Co"]
    assert len(memberships_of(world, AMARA)) == 1


def test_sec_60_a_link_is_dead_once_the_address_has_an_account(either_world: World) -> None:
    world = either_world
    link = link_for(world, NADIA)
    world.apply(users=[{"email": NADIA, "name": "Nadia", "password": PASSWORD}])
    before = kept(world)
    assert status_of(world, link) == 404
    assert kept(world) == before


def test_sec_60_whoever_is_signed_in_keeps_their_own_account(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    browser.enter("/account", BEN)
    after = browser.follow(fill_in(world, link_for(world, FREDA), visitor=browser))
    assert after.request.path == "/login/password"
    assert BEN not in after.text
    assert len(memberships_of(world, BEN)) == 1


def test_sec_60_nobody_is_signed_in_by_a_link(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    fill_in(world, link_for(world, FREDA), visitor=browser)
    assert browser.client.get_cookie("latchkey-session") is None
    assert world.run("SELECT count(*) FROM sessions") == [(0,)]


@pytest.mark.parametrize(
    "spelling",
    [
        "FREDA@fresh.example",
        "\uff46reda@fresh.example",  # full-width
        "freda@fresh.example.",
        "freda@fresh\u3002example",
    ],
)
def test_sec_59_every_spelling_is_one_person_and_one_mailbox(
    either_world: World, spelling: str
) -> None:
    """A letter to another spelling could prove another mailbox."""
    world = either_world
    ask_for(world, spelling)
    [letter] = mail_for(world, FREDA)
    fill_in(world, letter["link"])
    assert world.run("SELECT email, email_canonical FROM users WHERE email LIKE 'freda%'") == [
        (FREDA, FREDA)
    ]
    world.clock.move(MINUTE)
    ask_for(world, spelling)
    assert mail_for(world, FREDA)[-1]["template"] == "sign_up_known"


@pytest.mark.parametrize(
    ("email", "status"),
    [
        ("eve@northwind.example.", 200),
        ("eve@NORTHWIND.example", 200),
        ("eve@northwind\uff0eexample", 200),
        ("eve@north\u00adwind.example", 422),
    ],
)
def test_sec_59_no_spelling_gets_round_the_company_of_the_domain(
    either_world: World, email: str, status: int
) -> None:
    world = either_world
    verify_domain(world)
    state(world, sign_up="closed")
    assert ask_for(world, email).status_code == status
    letters = mail_for(world, "eve@northwind.example")
    assert [each["template"] for each in letters] == ["sign_up_closed"] * (status == 200)
    assert world.run("SELECT count(*) FROM sign_up_links") == [(0,)]


def test_sec_59_a_spelling_with_what_nobody_sees_is_no_address(either_world: World) -> None:
    assert ask_for(either_world, "eve@north\u00adwind.example").status_code == 422
    assert either_world.run("SELECT count(*) FROM outbox") == [(0,)]


@pytest.mark.parametrize(
    "email", ["eve@b\u00fccher.example", "eve@B\u00dcCHER.example.", "eve@xn--bcher-kva.example"]
)
def test_sec_59_a_domain_in_its_own_letters_is_the_companys(
    either_world: World, email: str
) -> None:
    world = either_world
    verify_domain(world, "xn--bcher-kva.example")
    ask_for(world, email)
    [letter] = mail_for(world, "eve@xn--bcher-kva.example")
    assert fill_in(world, letter["link"]).status_code == 303
    assert requests_of(world, "eve@xn--bcher-kva.example") == ["waiting"]


def test_sec_59_a_domain_that_folds_into_the_companys_is_another(either_world: World) -> None:
    """Whoever has straße.example reads no mail of strasse.example."""
    world = either_world
    verify_domain(world, "strasse.example")
    state(world, sign_up="admitted", sign_up_role="agent")
    ask_for(world, "eve@stra\u00dfe.example")
    [letter] = mail_for(world, "eve@xn--strae-oqa.example")
    fill_in(world, letter["link"])
    assert [row[0] for row in memberships_of(world, "eve@xn--strae-oqa.example")] == [COMPANY]


@pytest.mark.parametrize(
    "email", ["eve@sub.northwind.example", "eve@northwind.example.evil.example"]
)
def test_sec_59_another_domain_is_not_the_companys(either_world: World, email: str) -> None:
    world = either_world
    verify_domain(world)
    state(world, sign_up="admitted", sign_up_role="agent")
    sign_up(world, email)
    assert (requests_of(world, email), len(memberships_of(world, email))) == ([], 1)
    assert memberships_of(world, email)[0][0] != "Northwind Lending"


def test_sec_60_a_domain_that_is_not_verified_gives_nothing(either_world: World) -> None:
    world = either_world
    verify_domain(world)
    world.run("UPDATE domains SET verified_at = NULL")
    state(world, sign_up="admitted", sign_up_role="agent")
    sign_up(world, NADIA, company=TYPED["company"])
    assert [row[0] for row in memberships_of(world, NADIA)] == [TYPED["company"]]
    assert requests_of(world, NADIA) == []


def test_sec_56_a_sign_up_link_is_good_once(either_world: World) -> None:
    link = link_for(either_world, FREDA)
    assert status_of(either_world, link) == 303
    before = kept(either_world)
    assert status_of(either_world, link) == 404
    assert kept(either_world) == before


def test_sec_56_a_sign_up_link_is_good_for_an_hour(either_world: World) -> None:
    link = link_for(either_world, FREDA)
    either_world.clock.move(60 * MINUTE)
    assert status_of(either_world, link) == 404
    another = link_for(either_world, FREDA)
    either_world.clock.move(60 * MINUTE - 1)
    assert status_of(either_world, another) == 303


def test_sec_56_looking_at_a_sign_up_link_changes_nothing(either_world: World) -> None:
    link = link_for(either_world, FREDA)
    before = kept(either_world)
    for _ in range(3):
        assert either_world.browser().get(link).status_code == 200
        either_world.browser().client.head(link)
        either_world.browser().client.options(link)
    assert kept(either_world) == before


def test_sec_56_without_a_sign_up_link_nobody_is_made(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    link_for(world, FREDA)
    before, form = kept(world), browser.get("/login/forgot")
    for token in ("", "0" * 64, "x", "é" * 200, "null", FREDA):
        sent = browser.submit(form, "/login/sign_up/open", token=token, email=FREDA, **TYPED)
        assert sent.status_code == 404, token
        where = "/login/sign_up/open?" + urlencode({"token": token})
        assert browser.get(where).status_code == 404
    assert kept(world) == before


def test_sec_56_links_of_other_kinds_open_no_account(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    browser.submit(browser.get("/login/forgot"), email=AMARA)
    reset = mail_for(world, AMARA)[-1]["link"].partition("token=")[2]
    opening = link_for(world, FREDA).partition("token=")[2]
    assert browser.get(f"/login/sign_up/open?token={reset}").status_code == 404
    assert browser.get(f"/login/reset?token={opening}").status_code == 404
    assert browser.get(f"/invitation?token={opening}").status_code == 404


def test_sec_56_a_sign_up_token_is_told_to_nobody(either_world: World) -> None:
    world = either_world
    link = link_for(world, FREDA)
    token = link.partition("token=")[2]
    page = world.browser().get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page.headers["Cache-Control"]
    assert page.text.count(token) == page.text.count(f'name="token" value="{token}"') == 1
    assert len(bytes.fromhex(token)) == 32
    assert token not in dump(world)


def test_sec_64_a_form_of_another_site_opens_no_account(either_world: World) -> None:
    world = either_world
    token = link_for(world, FREDA).partition("token=")[2]
    before = kept(world)
    assert world.post("/login/sign_up/open", None, token=token, **TYPED).status_code == 403
    assert world.post("/login/sign_up", email=FREDA).status_code == 403
    assert kept(world) == before


@pytest.mark.parametrize(
    "name",
    ["<b>Eve</b>", "Eve {{ 7*7 }}", "Eve %(company)s %s", "=1+1", "Eve\r\nBcc: eve@evil.example"],
)
def test_sec_70_a_hostile_name_is_text_everywhere(either_world: World, name: str) -> None:
    world, line = either_world, " ".join(name.split())
    verify_domain(world)
    sign_up(world, NADIA, name=name)
    payload = next(e for e in mail_for(world, AMARA) if e["template"] == "join/asked")
    letter = letters.write(create_pages(world.held), payload)
    assert letter.subject == f"{NADIA} waits to be let into Northwind Lending"
    assert line not in letter.body
    browser = world.browser()
    queue = browser.enter("/manage/northwind/join-requests")
    assert str(escape(line)) in queue.text
    assert "<b>Eve" not in queue.text
    [(request_id,)] = world.run("SELECT id FROM join_requests")
    assert str(escape(line)) in browser.get(f"/manage/northwind/join-requests/{request_id}").text
