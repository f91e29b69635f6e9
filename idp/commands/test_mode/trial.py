"""A provider under test, and all that is kept beside it: what was declared, who was made, and how
it was at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from idp import setup, worker
from idp.commands.test_mode import declared
from idp.commands.test_mode.captured import FOR_PEOPLE, Post
from idp.commands.test_mode.clock import MovableClock
from idp.commands.test_mode.declared import Declared
from idp.commands.test_mode.gate import Refused
from idp.commands.test_mode.people import Account, People
from idp.commands.test_mode.pristine import Pristine
from idp.commands.test_mode.sign_in import SignInForm, Visit, request_of, sign_in
from idp.directory import users
from idp.provider import Provider


@dataclass
class Trial:
    held: Provider
    clock: MovableClock
    post: Post
    folder: Path
    clients: dict[str, Declared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.people = People(self.held, self.post)

    def keep_as_it_is(self) -> None:
        """What a reset comes back to."""
        self._pristine, self._first_clients = Pristine(self.held), dict(self.clients)

    def reset(self) -> None:
        self.clock.put_back()
        with self.post.none_on_its_way():
            self._pristine.put_back(self.held, self.clock())
        self.clients = dict(self._first_clients)
        self.people.forget()

    def advance(self, seconds: float) -> None:
        """And what the worker does as time goes by is done. Raises SetupMistake."""
        self.clock.advance(seconds)
        worker.sweep(self.held)
        self.post.deliver(FOR_PEOPLE)
        self.post.look()

    def apply(
        self, content: object, name: str = "the body", base_dir: Path | None = None
    ) -> dict[str, Declared]:
        """What a set-up file holds. Raises SetupMistake."""
        described = setup.read(content, {"issuer": self.held.settings.issuer}, name)
        made = declared.apply(self.held, described, self.clock(), base_dir or self.folder)
        self.held.catalog.newest(self.clock())
        self.clients |= made
        return made

    def declare_client(self, brief: Mapping[str, Any]) -> Declared:
        """Raises Refused, SetupMistake."""
        name = brief.get("client_id")
        if name in self.clients:
            raise Refused(409, f"There is a client {name} already.")
        [client] = self.apply(declared.in_full(self.held, brief, self.clock())).values()
        return client

    def sign_in(self, form: SignInForm) -> Visit:
        """Raises Refused."""
        if users.canonical_email(form.email) is None and not form.cookies:
            raise Refused(400, "Say who: email.")
        person = self.people.find(form.email) or Account("", form.email)
        asked = request_of(self.held, form, self.clients)
        return sign_in(self.held, self.post, form, person, asked)

    def told(self) -> dict[str, Any]:
        return {
            "issuer": self.held.settings.issuer,
            "now": self.clock(),
            "clients": {name: asdict(client) for name, client in self.clients.items()},
        }
