"""A real nginx, by a configuration that lies in a folder, or by the one that we deploy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.machine.processes import (
    LOOPBACK,
    MissingTool,
    listens,
    private_folder,
    start_server,
    stop_server,
    unprivileged_user,
    wait_until,
)

DEPLOYED = Path(__file__).parents[2] / "deploy" / "nginx.conf"


@contextmanager
def deployed_nginx(port: int, servers: Mapping[str, int]) -> Iterator[None]:
    """As deploy/nginx.conf has it, but for the addresses: `servers` are the ports of its names."""
    user = unprivileged_user()
    folder = private_folder("latchkey-nginx-", user)
    (folder / "nginx.conf").write_text(_deployed(folder, port, servers))
    (folder / "nginx.conf").chmod(0o644)
    nginx = run_nginx(folder, port, user)
    try:
        yield
    finally:
        stop_server(nginx, signal.SIGTERM)
        shutil.rmtree(folder)


def _deployed(folder: Path, port: int, servers: Mapping[str, int]) -> str:
    text = DEPLOYED.read_text().replace("listen 8000;", f"listen {LOOPBACK}:{port};")
    text = text.replace(" /tmp/", f" {folder}/")
    for name, its_port in servers.items():
        assert f"server {name}:8000 " in text
        text = text.replace(f"server {name}:8000 ", f"server {LOOPBACK}:{its_port} ")
    return text


def run_nginx(folder: Path, port: int, user: str | None) -> subprocess.Popen[bytes]:
    """By the `nginx.conf` there, once it listens on `port`; what it says is in `log`."""
    program = shutil.which("nginx", path=os.pathsep.join(["/usr/sbin", os.environ["PATH"]]))
    if program is None:
        raise MissingTool("nginx is missing: install Debian's package nginx.")
    log = folder / "log"
    command: list[str | Path] = [program, "-p", folder, "-e", "stderr", "-g", "daemon off;"]
    process = start_server([*command, "-c", folder / "nginx.conf"], log, user=user)
    try:
        wait_until(lambda: listens(port), process, log)
    except BaseException:
        stop_server(process, signal.SIGTERM)
        raise
    return process
