"""Debian's nginx before the provider, by the very lines that docs/operate.md prints: it ends TLS,
and tells of client certificates."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.machine.nginx import run_nginx
from tests.machine.processes import LOOPBACK, private_folder, stop_server, unprivileged_user
from tests.peers.certificates import MTLS, Certificate, Certificates

OPERATE = Path(__file__).parents[2] / "docs" / "operate.md"
SECONDS_TO_ANSWER = 10
AROUND = """\
master_process off;
pid {folder}/pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{printed}
}}
"""


@dataclass
class Nginx:
    """Both of its hosts are at `port` of this machine."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    trusted: ssl.SSLContext

    def stop(self) -> None:
        stop_server(self.process, signal.SIGTERM)
        shutil.rmtree(self.folder)

    def ask(
        self,
        path: str,
        form: dict[str, str] | None = None,
        *,
        host: str = MTLS,
        shown: Certificate | None = None,
        asked_for: str | None = None,
        **headers: str,
    ) -> tuple[int, Any]:
        """Status and JSON of the answer, over a connection of its own that was opened for `host`,
        with the certificate that is `shown`; `asked_for` is another host for the request itself."""
        connection = HTTPConnection(asked_for or host)
        connection.sock = self._connected(host, shown)
        method, body = ("GET", None) if form is None else ("POST", urlencode(form))
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request(method, path, body, kind | headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text) if text.startswith("{") else text

    def cipher_for(self, version: ssl.TLSVersion, ciphers: str) -> str | None:
        """What a client is given that knows this version of TLS alone, and of older versions than
        1.3 these ciphers; none if there is no connection."""
        context = _trusting(self.folder / "id.example.pem")
        context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        try:
            with self._secured(context, MTLS) as connection:
                given = connection.cipher()
        except ssl.SSLError:
            return None
        return given[0] if given else None

    def _connected(self, host: str, shown: Certificate | None) -> ssl.SSLSocket:
        context = self.trusted
        if shown:
            context = _trusting(self.folder / "id.example.pem")
            mine = self.folder / f"client-{shown.certificate.serial_number}.pem"
            mine.write_text(shown.key_pem + shown.pem)
            context.load_cert_chain(mine)
        return self._secured(context, host)

    def _secured(self, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        plain = socket.create_connection((LOOPBACK, self.port), SECONDS_TO_ANSWER)
        return context.wrap_socket(plain, server_hostname=host)


def start_nginx(port: int, upstream_port: int, certificates: Certificates) -> Nginx:
    user = unprivileged_user()
    folder = private_folder("latchkey-nginx-", user)
    files = {
        "id.example.pem": certificates.proxy.pem,
        "id.example.key": certificates.proxy.key_pem,
        "partners.pem": certificates.authority.pem,
        "nginx.conf": AROUND.format(folder=folder, printed=_printed(folder, port, upstream_port)),
        "log": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        shutil.chown(folder / name, user) if user else None
    try:
        process = run_nginx(folder, port, user)
    except BaseException:
        shutil.rmtree(folder)
        raise
    return Nginx(port, folder, process, _trusting(folder / "id.example.pem"))


def _printed(folder: Path, port: int, upstream_port: int) -> str:
    """What the page prints, with this machine's folder and ports for those of the page."""
    blocks = re.findall(r"^```nginx\n(.*?)^```", OPERATE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, "docs/operate.md prints one configuration"
    printed: str = blocks[0]
    for theirs, ours in (
        ("/etc/nginx", str(folder)),
        ("listen 443 ssl", f"listen {LOOPBACK}:{port} ssl"),
        ("http://127.0.0.1:8000", f"http://{LOOPBACK}:{upstream_port}"),
    ):
        assert theirs in printed, theirs
        printed = printed.replace(theirs, ours)
    return printed


def _trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))
