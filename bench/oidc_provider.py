"""The npm package oidc-provider: the peer that most of our targets are ratios to."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
from pathlib import Path

import orjson

from bench.registry import CLIENTS, REDIRECT_URI, SCOPE
from bench.systems import System
from bench.targets import OIDC_PROVIDER
from tests.machine.node import find_node
from tests.machine.processes import free_port

FOLDER = Path(__file__).parent / "node_site"
_LOCK = FOLDER / "package-lock.json"
_INSTALLED = FOLDER / "node_modules" / "installed"


def oidc_provider(folder: Path, core: int, redis_url: str = "") -> System:
    """Not yet started."""
    install()
    port = free_port()
    described = {
        "port": port,
        "redisUrl": redis_url,
        "clients": [client._asdict() for client in CLIENTS],
        "redirectUri": REDIRECT_URI,
        "scope": SCOPE,
    }
    environment = {"BENCH_PEER": orjson.dumps(described).decode(), "NODE_ENV": "production"}
    command = [find_node(), FOLDER / "server.js"]
    name = f"oidc-provider, {'Redis' if redis_url else 'memory'}"
    return System(name, environment, command, port, core, folder, kind=OIDC_PROVIDER)


def install() -> None:
    """What the lock file names, when it has changed since the last time."""
    if _INSTALLED.exists() and filecmp.cmp(_LOCK, _INSTALLED, shallow=False):
        return
    node = find_node()
    npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    quiet = ["--ignore-scripts", "--silent", "--no-audit", "--no-fund"]
    path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    subprocess.run(
        [node, npm, "ci", "--prefix", FOLDER, *quiet], env={**os.environ, "PATH": path}, check=True
    )
    shutil.copy(_LOCK, _INSTALLED)
