"""What the server says of a request has nothing of the process's own environment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SAID_OF_A_REQUEST = """
from types import SimpleNamespace

from granian.wsgi import _callback_wrapper
from idp import app

app.create_app = app.provider = lambda held: None
app.serve_app()
said = {}
runner = _callback_wrapper(lambda environ, start_response: said.update(environ) or [], {})
runner(SimpleNamespace(response_bytes=lambda *answer: None), {"PATH_INFO": "/jwks"})
assert said["PATH_INFO"] == "/jwks"
print(*said)
"""


def test_a_request_carries_nothing_of_the_environment(tmp_path: Path) -> None:
    told = {**os.environ, "LATCHKEY_SMTP_URL": "smtp://who:secret@localhost"}
    asked = [sys.executable, "-c", SAID_OF_A_REQUEST]
    done = subprocess.run(asked, env=told, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert not set(told) & set(done.stdout.split())
