"""What Prometheus is told: what was asked and how it ended, and never by whom or with what."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import Client

from idp import measures as module
from idp import worker
from idp.credentials import hashing
from idp.endpoints.measured import measured
from idp.errors import Busy
from idp.measures import BOUNDS, MEASURES, Measures
from idp.operations.metrics import exposition, told_in
from idp.operations.probes import Probes
from tests.world import AMARA, DANA, World

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Measures()
    for name in ("_counts", "_timings"):
        monkeypatch.setattr(MEASURES, name, getattr(fresh, name))


def figures(world: World, told: list[bytes] | None = None) -> Figures:
    probes = Probes(world.held, None)
    probes.look()
    text = exposition(world.held, probes, told or [MEASURES.told()]).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(found: Figures, name: str, **labels: str) -> float:
    return found["latchkey_" + name, tuple(sorted(labels.items()))]


def test_requests_are_counted_and_timed_by_endpoint_and_status(world: World) -> None:
    browser = Client(measured(world.app))
    for path in ("/jwks", "/jwks", "/token", "/nowhere", "/api/v1/nothing", "/register/somebody"):
        browser.get(path)
    found = figures(world)
    assert of(found, "requests_total", endpoint="/jwks", status="200") == 2
    assert of(found, "requests_total", endpoint="/token", status="405") == 1
    assert of(found, "requests_total", endpoint="/register/", status="401") == 1
    assert of(found, "requests_total", endpoint="/api/", status="404") == 1
    assert of(found, "requests_total", endpoint="pages", status="404") == 1
    assert of(found, "request_seconds_count", endpoint="/jwks") == 2
    assert of(found, "request_seconds_bucket", endpoint="/jwks", le="+Inf") == 2


def test_nothing_that_somebody_sends_is_a_label(world: World) -> None:
    browser = Client(measured(world.app))
    for number in range(50):
        browser.get(f"/secret-{number}?code=secret-{number}", headers={"X-Name": "secret"})
        browser.open(f"/jwks/secret-{number}", method=f"SECRET{number}")
    assert b"secret" not in MEASURES.told().lower()
    assert len(MEASURES.told()) < 1000


def test_events_of_the_audit_log_are_counted_by_their_tag(world: World) -> None:
    world.browser().tokens(AMARA)
    world.browser().sign_in(DANA, password="wrong")
    found = figures(world)
    assert of(found, "audit_events_total", tag="sign_in.succeeded") == 1
    assert of(found, "audit_events_total", tag="sign_in.failed") == 1
    assert of(found, "password_hash_seconds_count") == 2


def test_a_password_that_found_no_room_is_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "HASH_WAIT", 0.01)
    hasher = world.held.hasher
    with ExitStack() as taken:
        for _ in range(world.settings.argon2_slots):
            taken.enter_context(hasher.slot())
        with pytest.raises(Busy):
            hasher.hash("correct horse")
    assert of(figures(world), "passwords_refused_total") == 1


def test_what_waits_to_be_sent_and_the_age_of_keys_are_told(world: World) -> None:
    world.clock.move(100)
    found = figures(world)
    assert of(found, "signing_key_age_seconds", alg="ES256") >= 100
    assert of(found, "outbox_waiting") == 0
    assert ("latchkey_worker_silent_seconds", ()) not in found
    worker.sweep(world.held)
    world.clock.move(30)
    assert of(figures(world), "worker_silent_seconds") == 30


def test_what_several_processes_have_counted_is_added_up(world: World, tmp_path: Path) -> None:
    one, other = Measures(), Measures()
    one.count("requests", "/jwks", "200")
    other.count("requests", "/jwks", "200")
    other.count("requests", "/token", "400")
    one.time(0.003, "request", "/jwks")
    other.time(BOUNDS[-1] + 1, "request", "/jwks")
    (tmp_path / "1.json").write_bytes(one.told())
    (tmp_path / "2.json").write_bytes(other.told())
    (tmp_path / "3.new").write_bytes(b"half of")
    found = figures(world, told_in(tmp_path))
    assert of(found, "requests_total", endpoint="/jwks", status="200") == 2
    assert of(found, "requests_total", endpoint="/token", status="400") == 1
    assert of(found, "request_seconds_bucket", endpoint="/jwks", le="0.0025") == 0
    assert of(found, "request_seconds_bucket", endpoint="/jwks", le="0.005") == 1
    assert of(found, "request_seconds_bucket", endpoint="/jwks", le="10.0") == 1
    assert of(found, "request_seconds_bucket", endpoint="/jwks", le="+Inf") == 2
    assert of(found, "request_seconds_sum", endpoint="/jwks") == BOUNDS[-1] + 1.003


def test_a_process_tells_what_it_has_in_one_piece(tmp_path: Path) -> None:
    measures = Measures()
    measures.count("passwords_refused")
    measures.tell(tmp_path)
    measures.count("passwords_refused")
    measures.tell(tmp_path)
    assert told_in(tmp_path) == [measures.told()]
    assert not list(tmp_path.glob("*.new"))


def test_a_process_that_could_not_write_for_a_while_goes_on_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measures, folder = Measures(), tmp_path / "gone"

    def sleep(_: float) -> None:
        folder.mkdir()  # the second time it is there, which ends this

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep))
    with pytest.raises(FileExistsError):
        measures._tell_for_ever(folder)
    assert told_in(folder) == [measures.told()]


def test_counters_are_still_told_while_a_store_is_away(world: World) -> None:
    MEASURES.count("requests", "/jwks", "200")
    world.run("ALTER TABLE alembic_version RENAME TO elsewhere")
    found = figures(world)
    assert of(found, "ready") == 0
    assert of(found, "requests_total", endpoint="/jwks", status="200") == 1
    assert ("latchkey_outbox_waiting", ()) not in found
