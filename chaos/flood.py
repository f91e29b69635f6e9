"""Passwords that many addresses send as fast as was meant, whatever they come to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from chaos.caller import Caller
from chaos.crowd import FIRST
from chaos.history import Pen
from chaos.person import Guess, Person
from chaos.registry import WEB
from chaos.town import Town

SENT = "password"  # the kind of its operations


class Flood:
    """A sender for each of the `people`, (e-mail address, tenant), with a network of its own. One
    that was not answered yet sends its next one late."""

    def __init__(self, town: Town, pen: Pen, people: Sequence[tuple[str, str]]) -> None:
        self._people = [
            Person(Caller(FIRST + place, tenant, town.ports, pen, _network(place)), email, "")
            for place, (email, tenant) in enumerate(people)
        ]
        self._forms: list[Guess] = []

    async def stand(self) -> None:
        """In front of the form, each of them."""
        for person in self._people:
            form = await person.guess(WEB)
            assert form is not None, "the flood found no form"
            self._forms.append(form)

    async def pour(self, number: int, until: float, password: Callable[[int], str]) -> None:
        """So many, evenly until then."""
        begun = time.time()
        each = (until - begun) / number
        dues = [(begun + place * each, password(place)) for place in range(number)]
        senders = len(self._forms)
        await asyncio.gather(
            *(_send(form, dues[place::senders], until) for place, form in enumerate(self._forms))
        )
        for person in self._people:
            person.close()


async def _send(form: Guess, dues: Sequence[tuple[float, str]], until: float) -> None:
    for due, password in dues:
        await asyncio.sleep(due - time.time())
        if time.time() < until:
            await form(password)


def _network(place: int) -> str:
    """For measurements (RFC 2544)."""
    return f"198.18.{place >> 8}.{place & 255}"
