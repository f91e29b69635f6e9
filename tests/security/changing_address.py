"""Whoever changes their address, by the page and the letters."""

from __future__ import annotations

from typing import Any

from tests.account.proving import link_in, mail_to
from tests.console.people_of import letters
from tests.world import AMARA, Visitor, World

NEW = "amara.new@northwind.example"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def at_the_page(world: World) -> Visitor:
    browser = world.browser()
    browser.enter("/account/email")
    return browser


def ask(visitor: Visitor, email: str = NEW) -> Any:
    return visitor.submit(visitor.get("/account/email"), "/account/email", email=email)


def asked_link(world: World, visitor: Visitor, email: str = NEW) -> str:
    assert ask(visitor, email).status_code == 303
    wanted = (email.lower(), "email_link")
    sent = [each for each in letters(world) if (each["to"], each["template"]) == wanted]
    return link_in(world, sent[-1])


def open_link(visitor: Visitor, link: str) -> Any:
    page = visitor.get(link)
    return visitor.submit(page, link.partition("?")[0]) if page.status_code == 200 else page


def undo_link(world: World, old: str) -> str:
    return link_in(world, mail_to(world, old, "email_changed"))


def changed(world: World, visitor: Visitor, email: str = NEW) -> None:
    assert open_link(visitor, asked_link(world, visitor, email)).status_code == 303


def address_of(world: World, user: str) -> Any:
    query = "SELECT email, email_canonical, email_verified_at FROM users WHERE id = :u"
    return world.run(query, u=user)[0]


def signs_in(world: World, email: str) -> bool:
    browser = world.browser()
    page = browser.enter("/account", email)
    return "Sign-in and security" in page.text


def given_back(world: World) -> None:
    """By the old mailbox, a moment later."""
    world.clock.move(1)
    assert open_link(world.browser(), undo_link(world, AMARA)).status_code == 200
