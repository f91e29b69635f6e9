"""A person's keys, enrolled by the rules; what a test asks of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idp.audit import NOWHERE, Origin
from idp.credentials import assertions, challenges, passkeys
from idp.credentials.assertions import Proven
from idp.credentials.challenges import Errand
from idp.credentials.passkeys import Added, Enrolled
from idp.directory import users
from idp.directory.users import Person
from tests.authenticator import Authenticator
from tests.credentials.proving import unheld
from tests.world import AMARA, World

BROWSER, WITHIN = "a-browser", "a-sign-in"


@dataclass
class Keys:
    """What the pages would ask of the rules, for one person in one browser."""

    world: World
    email: str = AMARA
    browser: str = BROWSER
    within: str = WITHIN

    @property
    def person(self) -> Person:
        with self.world.held.database.connection() as db:
            found = users.find_by_email(db, self.email)
        assert found
        return found

    def errand(self, purpose: str, /, **changed: str) -> Errand:
        whose = "" if purpose == challenges.SIGN_IN else self.person.id
        return Errand(purpose, self.browser, self.within, whose)._replace(**changed)

    def ask(self, purpose: str, **changed: str) -> dict[str, Any]:
        held, errand, now = self.world.held, self.errand(purpose, **changed), self.world.clock()
        if purpose == challenges.SIGN_IN:
            return assertions.ask_sign_in(held.settings, held.ephemeral, errand, now)
        with held.database.connection() as db:
            if purpose == challenges.SECOND_FACTOR:
                theirs = frozenset(each.id for each in passkeys.of_user(db, errand.user_id))
                stores = (held.settings, held.ephemeral, db)
                return assertions.ask_second_factor(*stores, errand, theirs, now)
            return passkeys.ask_enrolment(held.settings, held.ephemeral, db, errand, now)

    def add(self, answer: str, label: str = "", **changed: str) -> Added:
        held, errand = self.world.held, self.errand(challenges.ENROL, **changed)
        given = (held.database, held.ephemeral, held.settings, unheld, errand, answer, label)
        return passkeys.enrol(*given, self.world.clock(), NOWHERE)

    def prove(self, purpose: str, answer: str, origin: Origin = NOWHERE, **changed: str) -> Proven:
        held, errand = self.world.held, self.errand(purpose, **changed)
        given = (held.database, held.ephemeral, held.settings, errand, answer)
        return assertions.prove(*given, self.world.clock(), origin)

    def enrol(self, authenticator: Authenticator | None = None, label: str = "") -> Authenticator:
        """A key of theirs, sound, and a second younger than the last."""
        self.world.clock.move(1.0)
        made = authenticator or Authenticator()
        here = {"origin": self.world.settings.issuer}
        self.add(made.create(self.ask(challenges.ENROL), client=here), label)
        return made

    def listed(self) -> list[Enrolled]:
        with self.world.held.database.connection() as db:
            return passkeys.of_user(db, self.person.id)
