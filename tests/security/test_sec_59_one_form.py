"""S59: however an address is written, it is one; no spelling of another is taken for one's own."""

from __future__ import annotations

import pytest

from idp.directory import invitations
from tests.console.administering import administering
from tests.console.inviting import accept, invite, newest_token
from tests.console.people_of import letters
from tests.world import AMARA, HANA, Visitor, World


@pytest.fixture
def amara(either_world: World) -> Visitor:
    browser = either_world.browser()
    browser.enter("/account/email")
    return browser


def ask(visitor: Visitor, email: str):
    return visitor.submit(visitor.get("/account/email"), "/account/email", email=email)


@pytest.mark.parametrize(
    "spelling",
    [
        "HANA@HARBOR.EXAMPLE",
        " hana@harbor.example ",
        "ｈａｎａ@harbor.example",
        "hana@ｈａｒｂｏｒ.example",
        "hana@harbor。example",
    ],
)
def test_sec_59_another_spelling_of_somebodys_address_writes_to_the_address_they_gave(
    either_world: World, amara: Visitor, spelling: str
):
    assert ask(amara, spelling).status_code == 303
    sent = {(each["to"], each["template"]) for each in letters(either_world)}
    assert (HANA, "email_taken") in sent
    assert "email_link" not in {template for _, template in sent}


@pytest.mark.parametrize("spelling", ["Ａmy@fresh.example", "ａmy@ＦRESH。example"])
def test_sec_59_the_one_form_of_a_new_address_is_written_to_and_kept(
    either_world: World, amara: Visitor, spelling: str
):
    """A letter to what was typed could prove another mailbox."""
    assert ask(amara, spelling).status_code == 303
    [letter] = [each for each in letters(either_world) if each["template"] == "email_link"]
    assert letter["to"] == "amy@fresh.example"
    assert either_world.run("SELECT new_email FROM email_changes") == [("amy@fresh.example",)]


def test_sec_59_a_domain_that_folds_into_anothers_is_not_the_others(
    either_world: World, amara: Visitor
):
    assert ask(amara, "ceo@stra\u00dfe.example").status_code == 303
    [letter] = [each for each in letters(either_world) if each["template"] == "email_link"]
    assert letter["to"] == "ceo@xn--strae-oqa.example"


@pytest.mark.parametrize("spelling", ["Ａmy@fresh.example", "amy@FRESH.example."])
def test_sec_59_the_one_form_of_an_invited_address_is_written_to_and_kept(
    either_world: World, spelling: str
):
    made = invite(either_world, spelling)
    either_world.clock.move(1)
    with administering(either_world) as admin:
        invitations.send_again(admin, either_world.held.secret_keys, made)
    assert [each["to"] for each in letters(either_world)] == ["amy@fresh.example"] * 2
    accept(either_world, newest_token(either_world))
    assert either_world.run(
        "SELECT email FROM users WHERE email_canonical = 'amy@fresh.example'"
    ) == [("amy@fresh.example",)]


@pytest.mark.parametrize("spelling", ["AMARA@northwind.example", "amara@NORTHWIND.EXAMPLE "])
def test_sec_59_another_spelling_of_ones_own_is_no_change(amara: Visitor, spelling: str):
    refused = ask(amara, spelling)
    assert refused.status_code == 422
    assert "This is your address already." in refused.text


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "amara",
        "a@b@northwind.example",
        '"a b"@northwind.example',
        "a\u200bb@northwind.example",
        "a\u202eb@northwind.example",
        "a b@northwind.example",
        "a,b@northwind.example",
        "<a@northwind.example>",
        "a@northwind.example\r\nBcc: b@northwind.example",
        "a@localhost",
        "a" * 250 + "@northwind.example",
    ],
)
def test_sec_59_what_is_no_address_is_refused(either_world: World, amara: Visitor, spelling: str):
    assert ask(amara, spelling).status_code == 422
    assert letters(either_world) == []
    assert either_world.run("SELECT count(*) FROM email_changes") == [(0,)]


@pytest.mark.parametrize("lookalike", ["hаna@harbor.example", "hana@harbоr.example"])
def test_sec_59_a_lookalike_is_another_address_and_takes_nothing(
    either_world: World, amara: Visitor, lookalike: str
):
    """With a Cyrillic letter: its mail goes to nobody whom we know."""
    assert ask(amara, lookalike).status_code in (303, 422)
    assert HANA not in {each["to"] for each in letters(either_world)}
    assert either_world.run("SELECT count(*) FROM users WHERE email = :e", e=AMARA) == [(1,)]
