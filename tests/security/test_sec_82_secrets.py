"""S82 and S83: a secret is given once and told to nobody again; a fresh provider knows nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from werkzeug.test import Client

from idp import migrations, setup
from idp.app import serve_app
from idp.commands.serve import prepare
from tests.security.browsing import SignInForm, add_third_party, dump, every_address, reopened
from tests.world import AMARA, ISSUER, PASSWORD, World, make_world, sqlite_settings

SESSION = "latchkey-session"


class Given:
    """Every secret of a whole visit, by name."""

    def __init__(self, world: World) -> None:
        self.guest = add_third_party(world)
        browser = world.browser()
        page = browser.follow(browser.authorize())
        attempt = re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]
        answer = browser.follow(browser.submit(page, email=AMARA, password=PASSWORD))
        code = re.findall(r"code=([\w-]+)", answer.headers["Location"])[0]
        tokens = world.redeem(code).json or {}
        self.browser, self.tokens = browser, tokens
        cookies = {cookie.key: cookie.value for cookie in (browser.client._cookies or {}).values()}
        self.secrets = {
            "password": PASSWORD,
            "guest's secret": self.guest,
            **{f"secret of {each}": world.secret(each) for each in ("lms", "payments")},
            "attempt": attempt,
            "code": code,
            "session cookie": cookies[SESSION],
            "browser cookie": cookies["latchkey-browser"],
            "access token": tokens["access_token"],
            "ID token": tokens["id_token"],
            "refresh token": tokens["refresh_token"],
            "refresh token's handle": tokens["refresh_token"][:43],
            "unspent code": browser.code(),
            "master key": (world.settings.keys_dir / "master.key").read_text().strip(),
        }

    def found_in(self, text: str) -> set[str]:
        return {name for name, secret in self.secrets.items() if secret in text}


def test_sec_82_no_secret_lies_open_in_the_database(either_world: World) -> None:
    given = Given(either_world)
    form = SignInForm(either_world)
    form.send(AMARA, "a-wrong-" + PASSWORD)
    assert given.found_in(dump(either_world)) == set()


def test_sec_82_no_secret_lies_open_in_the_databases_files(world: World) -> None:
    given = Given(world)
    raw = b"".join(path.read_bytes() for path in world.folder.glob("latchkey.db*"))
    assert AMARA.encode() in raw
    assert given.found_in(raw.decode("latin-1")) == set()


def test_sec_82_an_export_holds_no_secret_and_no_hash(world: World) -> None:
    given = Given(world)
    exported = setup.to_yaml(setup.export(world.held))
    assert "guest-books" in exported
    assert given.found_in(exported) == set()
    hashes = world.run("SELECT hash FROM passwords") + world.run(
        "SELECT secret_hash FROM client_secrets"
    )
    assert len(hashes) > 5
    assert not any(row[0] in exported for row in hashes)
    for word in ("argon2", "BEGIN", '"d"', "private"):
        assert word not in exported


def test_sec_82_what_pages_and_menus_show_holds_no_secret(world: World) -> None:
    """But for the form's own attempt, which is the person's to send back."""
    given = Given(world)
    bearer = {"Authorization": f"Bearer {given.tokens['access_token']}"}
    for path in ("/", "/account", "/logout", "/logout/done"):
        assert given.found_in(given.browser.get(path).text) == set(), path
    for path in ("/switcher", "/userinfo"):
        assert given.found_in(world.get(path, **bearer).text) == set(), path
    told = world.post("/introspect", world.basic("lms"), token=given.tokens["refresh_token"])
    assert given.found_in(told.text) == set()
    sessions = [row[0] for row in world.run("SELECT id FROM sessions")]
    assert not any(each in world.get("/userinfo", **bearer).text for each in sessions)


def test_sec_82_the_audit_log_holds_no_secret(world: World) -> None:
    given = Given(world)
    SignInForm(world).send(AMARA, "x" + PASSWORD)
    world.redeem(given.secrets["code"])
    world.post("/token", world.basic("lms", "wrong-secret-canary"), grant_type="x")
    world.post("/token", client_assertion="canary", client_assertion_type="x")
    world.apply(
        clients=[
            {
                "client_id": "guest-books",
                "client_name": "G",
                "product": "lms",
                "client_secret": "another-secret-of-more-than-32-characters",
            }
        ]
    )
    events = repr(world.audit())
    assert {"code.replayed", "client.refused", "setup.applied"} <= {e["tag"] for e in world.audit()}
    assert given.found_in(events) == set()
    assert "canary" not in events
    assert "another-secret" not in events


def test_sec_82_a_change_of_a_secret_is_told_without_it(world: World) -> None:
    add_third_party(world)
    new = "another-secret-of-more-than-32-characters"
    described = {"client_id": "guest-books", "client_name": "Guest books", "product": "lms"}
    applied = world.apply(clients=[{**described, "client_secret": new}])
    assert new not in repr(applied)
    assert new not in "".join(map(str, applied.changes))


def test_sec_82_secrets_do_not_show_in_what_is_logged_of_objects(world: World) -> None:
    given = Given(world)
    held = world.held
    shown = repr((held, held.catalog.current(world.clock()), held.key_ring.current(world.clock())))
    assert given.found_in(shown) == set()
    for key in ("sealing", "first_sealing", "cookies", "identifiers", "refresh_tokens"):
        raw: bytes = getattr(held.secret_keys, key)
        assert repr(raw) not in shown
        assert raw.hex() not in shown


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """As `idp serve` finds it after `idp db upgrade`, and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    made = make_world(sqlite_settings(folder), folder)
    migrations.upgrade(made.held.database)
    prepare(made.held)
    yield made
    made.held.database.close()


def test_sec_83_a_fresh_provider_knows_nobody_and_no_client(fresh: World) -> None:
    for table in ("users", "clients", "client_secrets", "tenants", "passwords", "memberships"):
        assert fresh.run(f"SELECT count(*) FROM {table}") == [(0,)], table


GUESSES = ("admin", "admin@localhost", "admin@example.com", "root@localhost.local", AMARA)


def test_sec_83_no_default_credentials_open_anything(fresh: World) -> None:
    """Not even the demo's, whose password all the world knows."""
    token = re.findall(r'name="csrf_token" value="([^"]+)"', fresh.browser().get("/").text)
    assert token
    browser = fresh.browser()
    page = browser.get("/")
    for email in GUESSES:
        for password in ("admin", "password", "changeme", PASSWORD):
            answer = browser.submit(page, email=email, password=password, product="lms")
            assert answer.status_code == 400
    for client in ("admin", "admin-cli", "lms", "lms-batch"):
        basic = fresh.basic(client, "secret")
        assert fresh.post("/token", basic, grant_type="client_credentials").status_code == 401


DEBUG = (
    *("/debug", "/console", "/__debug__", "/?__debugger__=yes&cmd=resource&f=debugger.js"),
    *("/metrics", "/admin", "/setup", "/install", "/init", "/registration", "/actuator", "/status"),
    *("/.env", "/.git/config", "/server-status", "/static/../app.py", "/static/%2e%2e/app.py"),
    *("/static/..%2fapp.py", "/static//etc/passwd", "/keys/master.key", "/latchkey.db", "/docs"),
    *("/swagger.json", "/openapi.json", "/graphql", "/phpinfo.php", "/inbox"),
)


@pytest.mark.parametrize("path", DEBUG)
def test_sec_83_there_is_nothing_to_find_at_an_operators_address(fresh: World, path: str) -> None:
    with Client(fresh.app).get(path) as answer:
        assert answer.status_code == (200 if path.startswith("/?") else 404), path
        for word in (b"Traceback", b"Werkzeug", b"debugger", b"SECRET", b"root:", b"import "):
            assert word not in answer.data


def test_sec_83_the_inbox_is_the_demos_alone(world: World) -> None:
    assert world.get("/inbox").status_code == 404
    demo = reopened(world, replace(world.settings, demo_inbox=True))
    assert demo.get("/inbox").status_code == 200
    demo.held.database.close()


def test_sec_83_every_address_is_one_that_is_meant_to_be_there(fresh: World) -> None:
    """A new one has to be thought of here."""
    found = {path for _, path in every_address(fresh.held)}
    known = re.compile(
        r"/(|account(/[a-z0-9_/]+)?|authorize|bc-authorize|check_session|device(/\w+)?|device_authorization|inbox|invitation|introspect|jwks|logout(/done)?|par|register|request/\w+|revoke"
        r"|login/[\w/]+|colors/\w+\.css|logos/\w+\.png|product-colors\.css|static/theme\.css|switcher|token|unlock|userinfo"
        r"|(manage/[^/]+|operate|api/v1)(/.*)?"  # docs/console.md names them all
        r"|healthz|livez|readyz|\.well-known/(openid-configuration|oauth-authorization-server))"
    )
    assert {path for path in found if not known.fullmatch(path)} == set()


def test_sec_83_an_accident_is_told_without_its_trace(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("canary of the accident")

    for place, path in (
        ("idp.web.home.sign_in_page", "/"),
        ("idp.endpoints.token.authenticated_client", "/token"),
        ("idp.endpoints.authorize.parameters.parse", "/authorize"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, fail)
            answer = world.post(path, x="y") if path == "/token" else world.get(path)
        assert answer.status_code == 500, path
        for word in ("canary", "Traceback", "RuntimeError", ".py", "idp."):
            assert word not in answer.text, (path, word)


def test_sec_83_the_served_application_is_in_no_debug_mode(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever Flask's own variables say."""
    monkeypatch.setattr("idp.app.logs.configure", lambda *_: None)
    monkeypatch.setenv("FLASK_DEBUG", "1")
    monkeypatch.setenv("LATCHKEY_ISSUER", ISSUER)
    monkeypatch.setenv("LATCHKEY_DATABASE_URL", world.settings.database_url)
    monkeypatch.setenv("LATCHKEY_KEYS_DIR", str(world.settings.keys_dir))

    def fail() -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr("idp.web.home.current_session", fail)
    answer = Client(serve_app()).get("/")
    assert answer.status_code == 500
    assert "canary" not in answer.text
