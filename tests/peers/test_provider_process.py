"""The provider that other people's clients meet: several processes that answer as one."""

from pathlib import Path

import requests

from tests.machine.provider_process import start_provider


def test_a_provider_of_several_processes_answers_as_one_and_ends_as_one(tmp_path: Path) -> None:
    running = start_provider(tmp_path, workers=2, outbox_workers=1)
    try:
        pids = running.pids
        assert len(pids) == 4  # the server, its two workers, and one for the outbox
        answers = [requests.get(f"{running.issuer}/jwks", timeout=10).json() for _ in range(8)]
        assert all(answer == answers[0] for answer in answers)
    finally:
        running.stop()
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []


def test_a_provider_is_told_its_settings(tmp_path: Path) -> None:
    running = start_provider(tmp_path, jwks_max_age=7)
    try:
        answer = requests.get(f"{running.issuer}/jwks", timeout=10)
    finally:
        running.stop()
    assert answer.headers["Cache-Control"] == "public, max-age=7"
