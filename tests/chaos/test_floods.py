"""What the scenarios of floods look at, of forged histories that they must not be content with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from chaos import waits
from chaos.crowd import FIRST, run_alone
from chaos.flood import Flood
from chaos.history import FAIL, Fault, Operation
from chaos.person import Person
from chaos.registry import NOISY
from chaos.scenario import Run, Size
from chaos.scenarios import r11_mail as r11
from chaos.scenarios import r18_argon2_flood as r18
from chaos.scenarios import r19_noisy_tenant as r19
from tests.chaos.forged import operation, seen

BROKEN = (Fault("forged", 100.0, 200.0),)


def number_of(sentences: Iterator[str]) -> int:
    return len(list(sentences))


def lasting(first: float, seconds: float, **said: Any) -> list[Operation]:
    """Ten, one a second."""
    return [operation(first + at, first + at + seconds, **said) for at in range(10)]


@pytest.mark.parametrize(("seconds", "wrong"), [(0.19, 0), (0.21, 1)])
def test_others_who_wait_longer_than_before_are_seen(seconds: float, wrong: int) -> None:
    told = [*lasting(0, 9.0), *lasting(50, 0.1), *lasting(150, seconds), *lasting(300, 9.0)]
    for is_short in (False, True):
        run = Run(cast(Any, None), Size(1.0, 300.0), cast(Any, None), 340.0, is_short)
        assert number_of(waits.slowed("others", told, BROKEN, 2.0, run)) == wrong * (not is_short)
        assert number_of(waits.slowed("others", told, (), 2.0, run)) == 0


@pytest.mark.parametrize(
    ("after", "wrong"),
    [({1: 175.0, 2: 100.0}, 0), ({1: 190.0, 2: 100.0}, 1), ({1: 175.0, 3: 100.0}, 1)],
)
def test_r18_a_process_that_grows_or_ends_is_seen(after: dict[int, float], wrong: int) -> None:
    assert number_of(r18.grown({1: 100.0, 2: 100.0}, after, hashes=38.0)) == wrong


def sent(status: int, seconds: float = 0.05) -> Operation:
    about: dict[str, Any] = {"user": FIRST, "kind": "password", "meant": True, "status": status}
    return operation(1, 1 + seconds, FAIL, **about)


@pytest.mark.parametrize(
    ("more", "wrong"),
    [
        ([], 0),
        ([sent(429)] * 9, 0),
        ([sent(400, 5.0)] * 9, 0),
        ([sent(503, 0.2)] * 9, 1),
        ([sent(500)], 1),
        ([sent(0)], 1),
    ],
)
def test_r18_a_flood_that_is_not_refused_at_once_is_seen(more: list[Operation], wrong: int) -> None:
    flood = [sent(400), sent(413), sent(503)]
    assert number_of(r18.answered(seen(*flood, *more), is_short=False)) == wrong


@pytest.mark.parametrize(
    ("looked_at", "waited", "wrong"), [(0.5, 0.4, 0), (0.3, 0.4, 1), (9.0, 4.9, 0), (9.0, 5.1, 1)]
)
def test_r18_to_a_test_at_once_is_sooner_than_looked_at(
    looked_at: float, waited: float, wrong: int
) -> None:
    flood = [sent(400, looked_at), sent(413, waited), sent(503, waited)]
    assert number_of(r18.answered(seen(*flood), is_short=True)) == wrong


def test_a_flood_that_stands_late_is_poured_nevertheless(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    async def form(password: str) -> None:
        sent.append(password)

    async def guess(person: Person, client_id: str) -> Any:
        return form

    async def pour() -> None:
        flood = Flood(run, [("nobody@chaos.example", NOISY)])
        await flood.stand()
        await flood.pour(10, run, str)

    monkeypatch.setattr(Person, "guess", guess)
    town = cast(Any, SimpleNamespace(ports=[1]))
    run = Run(town, Size(1.0, 2.0), cast(Any, None), until=time.time() - 1, is_short=True)
    run_alone(pour())
    assert sent == [str(place) for place in range(10)]


@pytest.mark.parametrize(
    ("lost", "error", "wrong"),
    [
        (1, "ConnectionResetError", 0),
        (1, "IncompleteReadError", 0),
        (2, "ConnectionResetError", 1),
        (1, "TimeoutError", 1),
    ],
)
def test_r18_only_whoever_sends_too_much_may_hear_nothing(
    lost: int, error: str, wrong: int
) -> None:
    unheard = replace(sent(0), error=error)
    flood = [sent(400), *[sent(413)] * 10, sent(503), *[unheard] * lost]
    assert number_of(r18.answered(seen(*flood), is_short=False)) == wrong


@pytest.mark.parametrize("is_short", [False, True])
@pytest.mark.parametrize("missing", [400, 413, 503])
def test_r18_a_flood_that_was_none_is_seen(missing: int, is_short: bool) -> None:
    flood = [sent(each) for each in (400, 413, 503) if each != missing]
    assert number_of(r18.answered(seen(*flood), is_short)) == 1


def noise(invited: int = 2, too_many: int = 10, **changed: Any) -> list[Operation]:
    """Of two people who were invited five times each, and five more in vain."""
    own: dict[str, Any] = {"user": FIRST, "tenant": NOISY, "meant": True}
    sent = {**own, "kind": "password", "status": 400, **changed}
    return [
        operation(1, outcome=FAIL, **sent),
        *(operation(1, **own, kind=r19.INVITE) for _ in range(invited)),
        *(operation(1, **own, kind=r19.AGAIN, status=204) for _ in range(8)),
        *(operation(1, outcome=FAIL, **own, kind=r19.AGAIN, status=429) for _ in range(too_many)),
    ]


def test_r19_what_is_refused_of_one_company_alone_is_right() -> None:
    assert number_of(r19.refused(seen(*noise()), {NOISY})) == 0


@pytest.mark.parametrize(
    ("operations", "held_up"),
    [
        (noise(), set()),
        (noise(), {NOISY, "amber"}),
        (noise(invited=1), {NOISY}),
        (noise(too_many=0), {NOISY}),
        (noise(status=500), {NOISY}),
        ([*noise(), operation(1, outcome=FAIL, status=429, tenant="amber")], {NOISY}),
    ],
)
def test_r19_what_is_refused_of_others_or_not_at_all_is_seen(
    operations: list[Operation], held_up: set[str]
) -> None:
    assert number_of(r19.refused(seen(*operations), held_up)) == 1


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [(["a", "b"], 0), (["a"], 1), (["a", "b", "b"], 1), (["a", "b", r11.EXPIRED], 1)],
)
def test_r11_a_letter_that_is_lost_sent_twice_or_too_late_is_seen(
    heard: list[str], wrong: int
) -> None:
    assert number_of(r11.sent_once(["a", "b"], heard)) == wrong


@pytest.mark.parametrize(
    ("tries", "seconds", "wrong"), [(1, 0.0, 0), (3, 6.1, 0), (3, 5.9, 1), (6, 396.0, 0)]
)
def test_r11_whoever_does_not_back_off_is_seen(tries: int, seconds: float, wrong: int) -> None:
    assert number_of(r11.backed_off([(tries, seconds)])) == wrong


@pytest.mark.parametrize(("seconds", "wrong"), [(0.119, 0), (0.121, 1), (0.079, 1)])
def test_r11_whoever_waits_for_the_mail_server_is_seen(seconds: float, wrong: int) -> None:
    told = [*lasting(0, 0.1), *lasting(150, seconds)]
    assert number_of(r11.unmoved(told, 100.0, 20.0)) == wrong


@pytest.mark.parametrize(("seconds", "wrong"), [(0.104, 0), (0.106, 1)])
def test_r11_whoever_tells_who_is_known_by_time_is_seen(seconds: float, wrong: int) -> None:
    known, unknown = r11.ASKED
    told = [*lasting(0, 0.1, kind=unknown), *lasting(150, seconds, kind=known)]
    assert number_of(r11.alike(told, 5.0)) == wrong
