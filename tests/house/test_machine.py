"""The servers that every other test relies on."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis
from playwright.sync_api import Page, Route

from tests.machine.axe import barriers
from tests.machine.postgres import Postgres, find_postgres_program, start_postgres
from tests.machine.redis_server import RedisServer, find_redis_program, start_redis
from tests.world import World


def test_each_postgres_database_is_empty_and_owned_by_no_superuser(
    postgres_url: Callable[..., str],
) -> None:
    first, second = postgres_url(), postgres_url()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE people (name text)")
    with psycopg.connect(second) as connection:
        assert connection.execute("SELECT to_regclass('people')").fetchone() == (None,)
        assert connection.execute(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone() == (False,)


def test_a_postgres_database_can_be_copied(postgres_url: Callable[..., str]) -> None:
    original = postgres_url()
    with psycopg.connect(original) as connection:
        connection.execute("CREATE TABLE people AS SELECT 'Ada' AS name")
    with psycopg.connect(postgres_url(copy_of=original)) as connection:
        assert connection.execute("SELECT name FROM people").fetchone() == ("Ada",)


def test_a_durable_postgres_keeps_its_promises(durable_postgres: Postgres) -> None:
    with psycopg.connect(durable_postgres.new_database()) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_machine_without_postgresql_or_redis_uses_the_wheels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tests.machine.postgres.DEBIAN", tmp_path)
    (tmp_path / "setpriv").symlink_to(shutil.which("setpriv") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ".venv" in find_postgres_program("postgres").parts
    assert ".venv" in find_redis_program().parts
    start_postgres().stop()
    start_redis().remove()


def test_processes_that_ask_for_ports_at_once_are_never_given_the_same_one() -> None:
    asking = (
        "import sys; from tests.machine.processes import free_port;"
        "print(*[free_port() for _ in range(400)], flush=True); sys.stdin.read()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", asking], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    try:
        given = [each.stdout.readline().split() for each in started if each.stdout]
    finally:
        for each in started:
            each.communicate("")
    ports = {port for ports in given for port in ports}
    assert (len(given), len(ports)) == (4, 1600)


def test_redis_starts_empty_and_can_be_taken_away(own_redis: RedisServer) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("somebody", "else's")
        own_redis.stop()
        with pytest.raises(redis.ConnectionError):
            client.get("somebody")
        own_redis.start()
        assert client.get("somebody") is None


def test_a_shared_redis_is_emptied_for_each_test(
    redis_server: RedisServer, request: pytest.FixtureRequest
) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.set("left", "over")
        assert request.getfixturevalue("redis_url") == redis_server.url
        assert client.keys() == []


def test_a_page_is_a_real_browser(page: Page, tmp_path: Path) -> None:
    document = tmp_path / "page.html"
    document.write_text("<title>Latchkey</title>")
    page.goto(document.as_uri())
    assert page.title() == "Latchkey"
    assert page.evaluate("typeof PublicKeyCredential") == "function"


def test_nothing_beyond_this_machine_can_be_reached() -> None:
    with pytest.raises(UserWarning, match=r"192\.0\.2\.1"), socket.socket() as outward:
        outward.connect(("192.0.2.1", 443))


@pytest.mark.parametrize("time", ["once", "again"])
def test_what_a_copy_holds_is_loaded_once_for_all_until_somebody_writes(
    either_world: World, time: str
) -> None:
    load = either_world.held.catalog._load
    kept = load(None)
    assert kept.products["lms"].name == "LMS"
    if either_world.held.database.is_sqlite:  # a PostgreSQL has other databases, written to or not
        assert load(None) is kept
    either_world.run("UPDATE products SET name = 'Renamed' WHERE key = 'lms'")
    assert load(None).products["lms"].name == "Renamed"


def test_axe_looks_at_the_page_that_a_click_led_to_though_it_comes_late(page: Page) -> None:
    body = {"one": "<p>One of many." * 2000, "other": '<img src="data:,">'}

    def answer(route: Route) -> None:
        shown = body[route.request.url.rpartition("/")[2]]
        html = f'<html lang="en"><title>A page</title><main><h1>It</h1>{shown}</main>'
        route.fulfill(body=html, content_type="text/html")

    page.route("http://a.example/*", answer)
    page.goto("http://a.example/one")
    page.evaluate("setTimeout(() => { location = '/other' }, 10)")
    assert [rule for rule, _ in barriers(page)] == ["image-alt"]
