"""A request with a name: done once, answered the same to everybody, forgotten after a day."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from idp import answered_once
from idp.answered_once import KEPT_FOR, ReusedName
from idp.database import Database
from idp.errors import SetupMistake
from idp.secret_values import SecretKeys, secret_keys
from tests.storage.crew import THREADS, threads_at_once

NOW = 1_795_000_000.0


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> SecretKeys:
    return secret_keys(tmp_path_factory.mktemp("keys"))


def ask(
    database: Database, keys: SecretKeys, answer: str, request: str = "a", now: float = NOW
) -> str:
    """What is answered: `answer` to the one who did the work."""
    with database.transaction() as db:
        kept = answered_once.claim(db, keys, "name", request, now)
        if kept is None:
            answered_once.keep(db, keys, "name", answer.encode())
        return (kept or answer.encode()).decode()


def test_asked_again_it_gives_the_first_answer(database: Database, keys: SecretKeys) -> None:
    assert [ask(database, keys, each) for each in ("first", "second")] == ["first", "first"]


def test_of_many_at_once_one_does_the_work(database: Database, keys: SecretKeys) -> None:
    answers = threads_at_once(lambda number: ask(database, keys, f"answer {number}"))
    assert list(Counter(answers).values()) == [THREADS]


def test_another_request_of_that_name_is_refused(database: Database, keys: SecretKeys) -> None:
    ask(database, keys, "first")
    with pytest.raises(ReusedName):
        ask(database, keys, "second", request="b")
    assert ask(database, keys, "third") == "first"


def test_after_a_day_the_name_is_free(database: Database, keys: SecretKeys) -> None:
    ask(database, keys, "first")
    assert ask(database, keys, "second", now=NOW + KEPT_FOR - 0.001) == "first"
    assert ask(database, keys, "second", request="b", now=NOW + KEPT_FOR) == "second"


def test_what_was_not_done_can_be_tried_again(database: Database, keys: SecretKeys) -> None:
    with database.transaction() as db:
        assert answered_once.claim(db, keys, "name", "a", NOW) is None
        answered_once.forget(db, "name")
    assert ask(database, keys, "second", request="b") == "second"


def test_a_kept_answer_can_only_be_read_by_us(
    database: Database, keys: SecretKeys, tmp_path: Path
) -> None:
    ask(database, keys, "a-new-client-secret")
    with database.engine.connect() as connection:
        [row] = connection.exec_driver_sql("SELECT * FROM answered_requests")
    assert "a-new-client-secret" not in str(row)
    with pytest.raises(SetupMistake):
        ask(database, secret_keys(tmp_path), "second")
