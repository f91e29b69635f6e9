"""django-oauth-toolkit: the Python peer, in an environment of its own."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

import orjson

from bench.registry import CLIENTS, PEOPLE, REDIRECT_URI, email, rsa_key
from bench.systems import System
from bench.targets import DJANGO_OAUTH_TOOLKIT
from tests.machine.processes import LOOPBACK, free_port

FURNISH = "import directory; directory.furnish()"
FOLDER = Path(__file__).parent / "django_site"
LACKS = {  # it signs by RSA alone, and answers a refresh token once
    *("machine-es256", "sso-es256"),
    *("userinfo-new", "introspection-new"),
}
_PYTHON = FOLDER / ".venv" / "bin" / "python"
_LOCK = FOLDER / "requirements.txt"
_INSTALLED = FOLDER / ".venv" / "installed"


def django_oauth_toolkit(folder: Path, core: int, threads: int) -> System:
    """On SQLite, served as we are; furnished, not yet started."""
    install()
    port = free_port()
    described = {
        "port": port,
        "key": rsa_key()[0],
        "database": str(folder / "django.db"),
        "people": [email(number) for number in range(PEOPLE)],
        "clients": [client._asdict() for client in CLIENTS],
        "redirectUri": REDIRECT_URI,
    }
    environment = {
        "BENCH_PEER": orjson.dumps(described).decode(),
        "PYTHONPATH": str(FOLDER),
        "DJANGO_SETTINGS_MODULE": "settings",
    }
    furnish = [_PYTHON, "-m", "django", "shell", "--no-imports", "--command", FURNISH]
    subprocess.run(furnish, env={**os.environ, **environment}, check=True)
    command = [
        *(_PYTHON, "-m", "granian", "--interface", "wsgi", "--no-ws", "--http", "1"),
        *("--host", LOOPBACK, "--port", str(port), "--blocking-threads", str(threads)),
        *("--factory", "django.core.wsgi:get_wsgi_application"),
    ]
    return System(
        *("django-oauth-toolkit, SQLite", environment, command, port, core, folder),
        kind=DJANGO_OAUTH_TOOLKIT,
        lacks=frozenset(LACKS),
    )


def install() -> None:
    """What the lock file names, when it has changed since the last time."""
    if _INSTALLED.exists() and filecmp.cmp(_LOCK, _INSTALLED, shallow=False):
        return
    uv = Path(sys.executable).with_name("uv")
    shutil.rmtree(FOLDER / ".venv", ignore_errors=True)
    subprocess.run([uv, "venv", "--quiet", FOLDER / ".venv"], check=True)
    locked = ["pip", "install", "--quiet", "--require-hashes", "--requirement", _LOCK]
    subprocess.run([uv, *locked, "--python", _PYTHON], check=True)
    shutil.copy(_LOCK, _INSTALLED)
