"""What people find in their mail about passwords, and what they do with it."""

from __future__ import annotations

from typing import Any

import orjson
from werkzeug.test import TestResponse

from idp import delivery, outbox
from idp.secret_values import LETTER_SECRET
from idp.worker import senders_of, watch
from tests.world import AMARA, Visitor, World

NEW = "Quiet otters paint 57 barges"


def run_errands(world: World) -> None:
    """The worker's part between a request and its letters."""
    lanes, senders = [outbox.errands], senders_of(world.held)
    while delivery.deliver_due(world.held.database, senders, watch, world.clock(), lanes):
        pass


def mail_for(world: World, email: str) -> list[dict[str, Any]]:
    """Letters with a secret, the oldest first; `link` and `code` are what the reader sees."""
    run_errands(world)
    rows = world.run(
        "SELECT payload FROM outbox WHERE kind IN ('code', 'mail') ORDER BY created_at"
    )
    letters = [orjson.loads(payload) for (payload,) in rows]
    return [_opened(world, each) for each in letters if each["to"] == email]


def _opened(world: World, letter: dict[str, Any]) -> dict[str, Any]:
    opened = {
        name: world.held.secret_keys.decrypt(letter[f"sealed_{name}"], LETTER_SECRET).decode()
        for name in ("link", "code")
        if f"sealed_{name}" in letter
    }
    return {**letter, **opened}


def ask(visitor: Visitor, email: str) -> TestResponse:
    return visitor.submit(visitor.get("/login/forgot"), email=email)


def link_for(world: World, email: str = AMARA) -> str:
    """Of the newest letter that has one, which somebody asks for."""
    world.clock.move(61.0)
    assert ask(world.browser(), email).status_code == 200
    return newest_link(world, email)


def newest_link(world: World, email: str = AMARA) -> str:
    return str([each for each in mail_for(world, email) if "link" in each][-1]["link"])


def temporary_for(world: World, email: str = AMARA) -> str:
    """A temporary password, by a link that is confirmed."""
    browser = world.browser()
    sent = browser.submit(browser.get(link_for(world, email)))
    assert sent.headers["Location"] == "/login/reset/sent"
    return newest_code(world, email)


def newest_code(world: World, email: str) -> str:
    return str([each for each in mail_for(world, email) if "code" in each][-1]["code"])


def state_policy(world: World, slug: str = "northwind", **policy: Any) -> None:
    """A tenant's whole policy, straight in the database."""
    text = orjson.dumps(policy).decode()
    world.run("UPDATE tenants SET policy = :p WHERE slug = :s", p=text, s=slug)


def by_link(world: World) -> None:
    """The shorter form, in the companies of the demo."""
    for slug in ("northwind", "harbor"):
        state_policy(world, slug, password_reset="link")
