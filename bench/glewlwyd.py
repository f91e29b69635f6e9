"""glewlwyd, Debian's provider in C, on SQLite, set up by its own administration API."""

from __future__ import annotations

import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import requests

from bench.registry import CLIENTS, PASSWORD, REDIRECT_URI, SCOPE, BenchClient, email, rsa_key
from bench.systems import System
from bench.targets import GLEWLWYD
from bench.workloads import CONNECTIONS, Visit
from tests.machine.processes import LOOPBACK, free_port, start_server, stop_server, wait_until

SCHEMA = Path("/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3")
COOKIE = "GLEWLWYD2_SESSION_ID"
SCOPES = ("profile", "email", "work")  # and openid, which is there
LIFETIME = 6 * 3600
FIRST_PASSWORD = {"username": "admin", "password": "password"}
LACKS = {  # one algorithm for all that it signs; a refresh token is answered once
    *("machine-es256", "sso-es256"),
    *("userinfo-new", "introspection-new"),
}
OURS_TO_THEIRS = {
    b" /authorize?": b" /api/oidc/auth?g_continue&",
    b" /.well-known/": b" /api/oidc/.well-known/",
    **{
        b" /%s " % path: b" /api/oidc/%s " % path
        for path in (b"token", b"userinfo", b"introspect", b"jwks")
    },
    b"Content-Length: 29\r\n\r\ngrant_type=client_credentials": (
        b"Content-Length: 40\r\n\r\ngrant_type=client_credentials&scope=work"
    ),
    b"&prompt=none": b"",  # it wants an ID token beside it
}


def glewlwyd(folder: Path, core: int) -> list[System]:
    """Furnished, not started; none where the package is not installed."""
    program = shutil.which("glewlwyd")
    if program is None:
        print("glewlwyd is left out: apt-get install glewlwyd")
        return []
    port = free_port()
    settings, database = folder / "glewlwyd.conf", folder / "glewlwyd.db"
    settings.write_text(_settings(port, database))
    with sqlite3.connect(database) as connection:
        connection.executescript("PRAGMA journal_mode = WAL;" + SCHEMA.read_text())
    _furnish(program, settings, folder, port)
    return [
        System(
            *("glewlwyd, SQLite", {}, [program, f"--config-file={settings}"], port, core, folder),
            kind=GLEWLWYD,
            lacks=frozenset(LACKS),
            visit=Visit(cookie_of=_signed_in, asked=_in_its_words),
        )
    ]


def _settings(port: int, database: Path) -> str:
    modules = ("user", "client", "user_auth_scheme", "plugin")
    folders = {"user_auth_scheme": "scheme"}
    paths = [
        f'{each}_module_path="/usr/lib/glewlwyd/{folders.get(each, each)}"' for each in modules
    ]
    lines = [
        f"port={port}",
        f'bind_address="{LOOPBACK}"',
        f'external_url="http://{LOOPBACK}:{port}/"',
        *('login_url="login.html"', 'api_prefix="api"', "login_api_enabled=true"),
        *('log_mode="console"', 'log_level="ERROR"'),
        *("cookie_secure=0", "session_expiration=2419200", f'session_key="{COOKIE}"'),
        *('admin_session_authentication="cookie"', 'profile_session_authentication="cookie"'),
        *('admin_scope="g_admin"', 'profile_scope="g_profile"', 'hash_algorithm="SHA512"'),
        *paths,
        f'database = {{ type = "sqlite3"; path = "{database}"; }};',
    ]
    return "\n".join([*lines, ""])


def _furnish(program: str, settings: Path, folder: Path, port: int) -> None:
    process = start_server([program, f"--config-file={settings}"], folder / "furnishing.log")
    try:
        wait_until(lambda: _answers(port), process, folder / "furnishing.log")
        with _session(port, FIRST_PASSWORD) as admin:
            _send(admin, port, "mod/plugin", _plugin(port))
            for name in SCOPES:
                described = {"display_name": name, "password_required": False, "scheme": {}}
                _send(admin, port, "scope", {"name": name, **described})
            for client in CLIENTS:
                _send(admin, port, "client", _client(client))
            for number in range(CONNECTIONS):
                _send(admin, port, "user", _person(number))
    finally:
        stop_server(process, signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        requests.get(_api(port), timeout=5)
    except requests.ConnectionError:
        return False
    return True


def _session(port: int, who: dict[str, str]) -> requests.Session:
    session = requests.Session()
    session.post(f"{_api(port)}/auth/", json=who, timeout=5).raise_for_status()
    return session


def _send(admin: requests.Session, port: int, what: str, described: dict[str, Any]) -> None:
    admin.post(f"{_api(port)}/{what}/", json=described, timeout=5).raise_for_status()


def _plugin(port: int) -> dict[str, Any]:
    private, public = rsa_key()
    enabled = ("code", "client", "refresh", "id-token")
    parameters = {
        "iss": f"http://{LOOPBACK}:{port}",
        "jwt-type": "rsa",
        "jwt-key-size": "256",
        "key": private,
        "cert": public,
        "access-token-duration": LIFETIME,
        "refresh-token-duration": LIFETIME,
        "code-duration": 60,
        "refresh-token-one-use": "always",
        "refresh-token-rolling": True,
        **{f"auth-type-{each}-enabled": True for each in enabled},
        "allow-non-oidc": True,
        "pkce-allowed": True,
        "subject-type": "public",
        "introspection-revocation-allowed": True,
        "introspection-revocation-allow-target-client": True,
        "name-claim": "on-demand",
        "name-claim-scope": ["profile"],
        "email-claim": "on-demand",
        "email-claim-scope": ["email"],
    }
    return {"module": "oidc", "name": "oidc", "display_name": "oidc", "parameters": parameters}


def _client(client: BenchClient) -> dict[str, Any]:
    """It takes the secret to authenticate by as a password."""
    return {
        "client_id": client.client_id,
        "name": client.client_id,
        "enabled": True,
        "confidential": bool(client.secret),
        "redirect_uri": [REDIRECT_URI],
        "authorization_type": ["client_credentials"]
        if client.is_machine
        else ["code", "refresh_token"],
        "scope": ["work"] if client.is_machine else [],
        "token_endpoint_auth_method": ["client_secret_basic" if client.secret else "none"],
        **({"password": client.secret} if client.secret else {}),
    }


def _person(number: int) -> dict[str, Any]:
    return {
        "username": f"person{number}",
        "name": f"Person {number}",
        "email": email(number),
        "password": PASSWORD,
        "enabled": True,
        "scope": SCOPE.split(),
    }


def _signed_in(port: int, number: int) -> str:
    """With consent, which it asks of everybody."""
    with _session(port, {"username": f"person{number}", "password": PASSWORD}) as person:
        for client in CLIENTS:
            if not client.is_machine:
                granted = f"{_api(port)}/auth/grant/{client.client_id}"
                person.put(granted, json={"scope": SCOPE}, timeout=5).raise_for_status()
        return f"{COOKIE}={person.cookies[COOKIE]}"


def _in_its_words(request: bytes) -> bytes:
    for ours, theirs in OURS_TO_THEIRS.items():
        request = request.replace(ours, theirs, 1)
    return request


def _api(port: int) -> str:
    return f"http://{LOOPBACK}:{port}/api"
