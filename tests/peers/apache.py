"""Debian's Apache with mod_auth_openidc, in a process and folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import requests
from joserfc.jwk import RSAKey

from tests.machine.processes import (
    LOOPBACK,
    MissingTool,
    private_folder,
    start_server,
    stop_server,
    wait_until,
)
from tests.peers.apache_sites import CALLBACK, REGISTERED_AS, TOLD, request_object
from tests.peers.registrations import secret_of

MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "mime", "include"),
    *("env", "auth_openidc"),
)
USER = "www-data"
ENVIRONMENT_PAGE = "<!doctype html><title>Inside</title><pre>\n<!--#printenv -->\n</pre>\n"
SIGNED_OUT_PAGE = "<!doctype html><title>Outside</title><h1>Signed out at Apache</h1>\n"

CONFIGURATION = """\
ServerRoot "{folder}"
DefaultRuntimeDir "{folder}"
PidFile "{folder}/apache.pid"
Mutex "file:{folder}" default
ErrorLog "{folder}/log"
LogLevel warn
{modules}
{identity}
ServerName localhost
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
ThreadLimit 8
DirectoryIndex index.shtml
TypesConfig /dev/null
AddType text/html .shtml .html
AddOutputFilter INCLUDES .shtml
<Directory "{folder}/site">
    Options +Includes
    Require all granted
</Directory>
OIDCCryptoPassphrase a-passphrase-of-this-test
OIDCPassClaimsAs environment
OIDCCacheType shm
{sites}
"""
SITE = """
Listen {loopback}:{port}
<VirtualHost {loopback}:{port}>
ServerName localhost:{port}
UseCanonicalName On
DocumentRoot "{folder}/site"
{told}
</VirtualHost>
"""


@dataclass
class Apache:
    """`ports` are those of its sites."""

    ports: dict[str, int]
    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, path: str, site: str = "plain") -> str:
        return f"http://localhost:{self.ports[site]}{path}"

    def hook(self, site: str = "plain", **asked: str) -> str:
        """Where the module itself answers."""
        return self.url(f"{CALLBACK}?{urlencode(asked)}", site)

    @property
    def complaints(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> None:
        stop_server(self.process, signal.SIGTERM)
        shutil.rmtree(self.folder)


def start_apache(
    ports: dict[str, int], issuer: str, key: dict[str, Any], initial_token: str
) -> Apache:
    """`key` is the one that it signs by, and `initial_token` lets one client register."""
    user = USER if os.geteuid() == 0 else None
    folder = private_folder("latchkey-apache-", user)
    try:
        provider_key = _signing_key_of(issuer)
        kids = {"kid": key["kid"], "provider_kid": provider_key.kid}
        files = {
            **_keys(RSAKey.import_key(key), provider_key),
            **_provider_files(issuer, initial_token),
            "apache.conf": _configuration(folder, ports, issuer, kids, user),
            "site/signed-out.html": SIGNED_OUT_PAGE,
            "site/protected/index.shtml": ENVIRONMENT_PAGE,
        }
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        if user:
            shutil.chown(folder / "providers", user)
        return Apache(ports, folder, _run(folder, ports))
    except BaseException:
        shutil.rmtree(folder)
        raise


def _signing_key_of(issuer: str) -> RSAKey:
    """The key of access tokens that it checks by itself: without TLS it would fetch none."""
    known = requests.get(f"{issuer}/jwks", timeout=10).json()["keys"]
    return RSAKey.import_key(next(each for each in known if each["alg"] == "RS256"))


def _keys(own: RSAKey, provider: RSAKey) -> dict[str, str]:
    return {
        "private.pem": own.as_pem(private=True).decode(),
        "public.pem": own.as_pem(private=False).decode(),
        "provider.pem": provider.as_pem(private=False).decode(),
    }


def _provider_files(issuer: str, initial_token: str) -> dict[str, str]:
    """What it knows of the provider where it registers itself."""
    discovered = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10)
    name = f"providers/{quote(issuer.removeprefix('http://'), safe='')}"
    registering = {
        "registration_token": initial_token,
        "registration_endpoint_json": json.dumps(REGISTERED_AS),
    }
    return {f"{name}.provider": discovered.text, f"{name}.conf": json.dumps(registering)}


def _configuration(
    folder: Path, ports: dict[str, int], issuer: str, kids: dict[str, Any], user: str | None
) -> str:
    asked = json.dumps(request_object(issuer, "peer-apache-signs"))
    known = {
        "folder": folder,
        "issuer": issuer,
        "callback": CALLBACK,
        "secret": secret_of("peer-apache"),
        "machine_secret": secret_of("peer-machine"),
        **kids,
        "request_object": asked.replace('"', '\\"'),
    }
    sites = [
        SITE.format(
            folder=folder,
            loopback=LOOPBACK,
            port=port,
            told=TOLD[site].format(base_url=f"http://localhost:{port}", **known),
        )
        for site, port in ports.items()
    ]
    return CONFIGURATION.format(
        folder=folder,
        modules=_modules(),
        identity=f"User {user}\nGroup {user}" if user else "",
        sites="".join(sites),
    )


def _modules() -> str:
    missing = [name for name in LOADED if not (MODULES / f"mod_{name}.so").exists()]
    if missing:
        raise MissingTool(
            f"Apache has no {', '.join(missing)}:"
            " install Debian's packages apache2 and libapache2-mod-auth-openidc."
        )
    return "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)


def _run(folder: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    program = shutil.which("apache2", path=os.pathsep.join(["/usr/sbin", os.environ["PATH"]]))
    if program is None:
        raise MissingTool("Apache is missing: install Debian's package apache2.")
    log = folder / "log"
    process = start_server([program, "-f", folder / "apache.conf", "-D", "FOREGROUND"], log)
    try:
        wait_until(lambda: _answers(ports["plain"]), process, log)
    except BaseException:
        stop_server(process, signal.SIGTERM)
        raise
    return process


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://localhost:{port}/signed-out.html", timeout=5).ok
    except requests.RequestException:
        return False
