"""`idp demo` as a command: what stops it, and what it leaves behind."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from idp import migrations
from idp.commands import demo as commands_demo
from idp.commands.serve import prepare
from idp.errors import SetupMistake
from idp.provider import provider
from idp.settings import Settings
from idp.setup import apply, parse
from tests.machine.demo_process import Demo, begin_demo, start_demo
from tests.machine.processes import SECONDS_TO_START, wait_until

NOW = 1_800_000_000.0
STRANGER = "users: [{email: somebody@elsewhere.example, name: Somebody}]\n"


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [process for child in found for process in (int(child), *children(int(child)))]


def is_running(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def left_by(demo: Demo, processes: list[int]) -> list[int]:
    """What of it still runs, once it has ended."""
    demo.process.wait(SECONDS_TO_START)
    assert not demo.listens()
    return [pid for pid in processes if is_running(pid)]


def test_a_database_with_people_of_its_own_is_not_for_the_demo(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'data' / 'latchkey.db'}", keys_dir=tmp_path / "keys"
    )
    held = provider(settings)
    migrations.upgrade(held.database)
    prepare(held)
    (tmp_path / "stranger.yaml").write_text(STRANGER)
    apply(held, parse(tmp_path / "stranger.yaml"), NOW, base_dir=tmp_path)
    held.database.close()

    demo = begin_demo(tmp_path)
    assert demo.process.wait(SECONDS_TO_START) == 2
    assert "holds 1 people of its own: the demo, whose passwords" in demo.words()
    assert "Traceback" not in demo.words()
    assert "is running" not in demo.words()
    assert not demo.listens()
    with closing(sqlite3.connect(tmp_path / "data" / "latchkey.db")) as database:
        assert list(database.execute("SELECT email FROM users")) == [
            ("somebody@elsewhere.example",)
        ]


def test_it_may_only_furnish_a_provider_that_is_started_otherwise(tmp_path: Path) -> None:
    environment = {
        "LATCHKEY_DATABASE_URL": f"sqlite:///{tmp_path / 'latchkey.db'}",
        "LATCHKEY_KEYS_DIR": str(tmp_path / "keys"),
        "LATCHKEY_ARGON2_MEMORY_KIB": "64",
    }
    for _ in range(2):
        said = CliRunner().invoke(commands_demo.demo, ["--furnish"], env=environment)
        assert said.exit_code == 0, said.output
        assert "amara@northwind.example" in said.output
    with closing(sqlite3.connect(tmp_path / "latchkey.db")) as database, database:
        [people] = database.execute("SELECT count(*) FROM users").fetchone()
        assert people == 9
        database.execute("UPDATE users SET email = 'renamed@elsewhere.example' LIMIT 1")
    said = CliRunner().invoke(commands_demo.demo, ["--furnish"], env=environment)
    assert isinstance(said.exception, SetupMistake)


def test_people_who_were_added_while_it_ran_keep_it_from_starting_again(tmp_path: Path) -> None:
    assert start_demo(tmp_path).stop() == 0
    with closing(sqlite3.connect(tmp_path / "data" / "latchkey.db")) as database, database:
        database.execute("UPDATE users SET email = 'renamed@elsewhere.example' LIMIT 1")
    demo = begin_demo(tmp_path)
    assert demo.process.wait(SECONDS_TO_START) == 2
    assert "holds 1 people of its own" in demo.words()


def test_a_machine_that_does_not_know_itself_is_told_how_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands_demo, "HOST", "no name")
    answer = CliRunner().invoke(commands_demo.demo)
    assert isinstance(answer.exception, SetupMistake)
    assert str(answer.exception).endswith("Add this line to /etc/hosts: 127.0.0.1 no name")


def test_an_answer_that_is_none_is_waited_past() -> None:
    """A connection to a port that nobody listens on may have been given that port itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def repeat() -> None:
            heard, _ = listening.accept()
            with heard:
                heard.sendall(heard.recv(1024))

        echo = threading.Thread(target=repeat)
        echo.start()
        assert not commands_demo._answers(f"http://127.0.0.1:{listening.getsockname()[1]}/healthz")
        echo.join()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whatever_ends_it_it_leaves_no_process_behind(tmp_path: Path, sent: signal.Signals) -> None:
    demo = start_demo(tmp_path)
    everybody = 4  # the provider, its worker, the products, the outbox's worker
    wait_until(lambda: len(children(demo.process.pid)) >= everybody, demo.process, demo.log)
    processes = children(demo.process.pid)
    demo.process.send_signal(sent)
    assert left_by(demo, processes) == []
    assert demo.process.returncode == 0


def test_ctrl_c_while_it_starts_stops_what_has_started(tmp_path: Path) -> None:
    demo = begin_demo(tmp_path)
    wait_until(lambda: bool(children(demo.process.pid)), demo.process, demo.log)
    processes = children(demo.process.pid)
    demo.process.send_signal(signal.SIGINT)
    assert left_by(demo, processes) == []
    assert "is running" not in demo.words()
    assert demo.process.returncode == 0


def test_when_one_process_dies_the_others_are_stopped(tmp_path: Path) -> None:
    demo = start_demo(tmp_path)
    first, *others = children(demo.process.pid)
    os.kill(first, signal.SIGKILL)
    assert left_by(demo, others) == []
    assert demo.process.returncode == 1
    assert "A process has stopped" in demo.words()
