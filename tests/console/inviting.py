"""Invitations, as the one who sends them and the one who gets them see them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from idp.app import create_pages
from idp.audit import NOWHERE
from idp.directory import invitations
from idp.login import invitation, new_password
from idp.login.new_password import Owner, Prepared
from idp.web import letters as writing
from tests.console.administering import administering
from tests.console.people_of import letters
from tests.world import World

NADIA = "nadia@northwind.example"
CHOSEN = "violet-harmonica-27"


def invite(
    world: World, email: str = NADIA, roles: tuple[str, ...] = ("agent",), kind: str = "staff"
) -> str:
    with administering(world) as admin:
        return invitations.invite(admin, world.held.secret_keys, email, kind, roles, "en")


def token_in(letter: dict[str, Any], world: World) -> str:
    """As the mailbox's owner reads it."""
    body = writing.write(create_pages(world.held), letter).body
    link: str = re.findall(r"http://localhost:8000/invitation\S+", body)[0]
    return parse_qs(urlsplit(link).query)["token"][0]


def newest_token(world: World) -> str:
    """Letters about events may have been written in the same moment."""
    return token_in(
        [each for each in letters(world) if each["template"] == "invitation"][-1], world
    )


def accept(world: World, token: str, *, name: str = "Nadia Petrova") -> None:
    given = (world.held.secret_keys, *prepared(world, token, name))
    invitation.accept_as_new(world.held.database, token, *given, world.clock(), NOWHERE)


def prepared(world: World, token: str, name: str) -> tuple[Owner, Prepared]:
    """Whoever accepts has chosen a name and a password."""
    held = world.held
    found, _ = invitation.look(held.database, token, world.clock())
    owner = invitation.owner_of(held.database, found, name)
    given = (held.database, held.hasher, held.settings, owner, ["LMS"], CHOSEN)
    return owner, new_password.prepare(*given)


def members(world: World, email: str = NADIA) -> list[tuple[Any, ...]]:
    return list(
        world.run(
            "SELECT m.kind, m.status FROM memberships m JOIN users u ON u.id = m.user_id"
            " WHERE u.email_canonical = :e",
            e=email,
        )
    )
