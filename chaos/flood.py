"""Passwords that many addresses send as fast as was meant, whatever they come to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from chaos.caller import Caller
from chaos.crowd import FIRST
from chaos.person import Guess, Person
from chaos.registry import WEB
from chaos.scenario import Run

SENT = "password"  # the kind of its operations


class Flood:
    """A sender for each of the `people`, (e-mail address, tenant), with a network of its own, who
    sends one when the one before was answered."""

    def __init__(self, run: Run, people: Sequence[tuple[str, str]]) -> None:
        ports, pen = run.town.ports, run.pen
        self._people = [
            Person(Caller(FIRST + place, tenant, ports, pen, _network(place)), email, "")
            for place, (email, tenant) in enumerate(people)
        ]
        self._forms: list[Guess] = []

    async def stand(self) -> None:
        """In front of the form, each of them."""
        for person in self._people:
            form = await person.guess(WEB)
            assert form is not None, "the flood found no form"
            self._forms.append(form)

    async def pour(self, number: int, run: Run, password: Callable[[int], str]) -> None:
        """So many, evenly in what is left of the run; those that are too late then are not sent."""
        begun, seconds = time.time(), run.left
        each, over = seconds / number, begun + seconds * run.patience
        dues = [(begun + place * each, password(place)) for place in range(number)]
        senders = len(self._forms)
        await asyncio.gather(
            *(_send(form, dues[place::senders], over) for place, form in enumerate(self._forms))
        )
        for person in self._people:
            person.close()


async def _send(form: Guess, dues: Sequence[tuple[float, str]], over: float) -> None:
    for due, password in dues:
        await asyncio.sleep(due - time.time())
        if time.time() < over:
            await form(password)


def _network(place: int) -> str:
    """For measurements (RFC 2544)."""
    return f"198.18.{place >> 8}.{place & 255}"
