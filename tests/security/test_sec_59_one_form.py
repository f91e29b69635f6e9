"""S59: however an address is written, it is one; no spelling of another is taken for one's own."""

from __future__ import annotations

import pytest

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
