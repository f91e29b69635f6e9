"""The provider that other people's clients meet: several processes that answer as one."""

from pathlib import Path

import requests

from tests.machine.provider_process import start_provider


def test_a_provider_of_several_processes_answers_as_one_and_ends_as_one(tmp_path: Path) -> None:
    running = start_provider(tmp_path, workers=2, outbox_workers=1, jwks_max_age=7)
    try:
        pids = running.pids
        answers = [requests.get(f"{running.issuer}/jwks", timeout=10) for _ in range(8)]
    finally:
        running.stop()
    assert len(pids) == 4  # the server, its two workers, and one for the outbox
    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].headers["Cache-Control"] == "public, max-age=7"
    assert all("Date" in answer.headers for answer in answers), "FAPI 2.0 clients look for it"
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
