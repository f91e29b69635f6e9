"""A real nginx, by a configuration that lies in a folder."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from tests.machine.processes import MissingTool, listens, start_server, stop_server, wait_until


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
