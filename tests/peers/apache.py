"""Debian's Apache with mod_auth_openidc as a relying party, in a process and folder of its own."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.machine.processes import (
    LOOPBACK,
    MissingTool,
    private_folder,
    start_server,
    stop_server,
    wait_until,
)

MODULES = Path("/usr/lib/apache2/modules")
LOADED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "dir", "mime", "include"),
    *("env", "auth_openidc"),
)
USER = "www-data"
CALLBACK = "/protected/callback"
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
Listen {loopback}:{port}
ServerName localhost:{port}
UseCanonicalName On
StartServers 1
ServerLimit 1
ThreadsPerChild 8
MaxRequestWorkers 8
ThreadLimit 8
DocumentRoot "{folder}/site"
DirectoryIndex index.shtml
TypesConfig /dev/null
AddType text/html .shtml .html
AddOutputFilter INCLUDES .shtml

OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client_id}
OIDCClientSecret {secret}
OIDCRedirectURI {base_url}{callback}
OIDCCryptoPassphrase a-passphrase-of-this-test
OIDCScope "openid profile email"
OIDCPKCEMethod S256
OIDCRemoteUserClaim email
OIDCPassClaimsAs environment
OIDCCacheType shm
OIDCInfoHook iat access_token access_token_expires id_token userinfo refresh_token session
OIDCRedirectURLsAllowed ^{base_url}/

<Directory "{folder}/site">
    Options +Includes
    Require all granted
</Directory>
<Location /protected>
    AuthType openid-connect
    Require valid-user
</Location>
"""


@dataclass
class Apache:
    base_url: str
    folder: Path
    process: subprocess.Popen[bytes]

    def url(self, path: str) -> str:
        return self.base_url + path

    @property
    def complaints(self) -> str:
        return (self.folder / "log").read_text()

    def stop(self) -> None:
        stop_server(self.process, signal.SIGTERM)
        shutil.rmtree(self.folder)


def start_apache(port: int, issuer: str, client_id: str, secret: str) -> Apache:
    user = USER if os.geteuid() == 0 else None
    folder = private_folder("latchkey-apache-", user)
    base_url = f"http://localhost:{port}"
    (folder / "site" / "protected").mkdir(parents=True)
    (folder / "site" / "signed-out.html").write_text(SIGNED_OUT_PAGE)
    (folder / "site" / "protected" / "index.shtml").write_text(ENVIRONMENT_PAGE)
    (folder / "apache.conf").write_text(
        CONFIGURATION.format(
            folder=folder,
            modules=_modules(),
            identity=f"User {user}\nGroup {user}" if user else "",
            loopback=LOOPBACK,
            port=port,
            issuer=issuer,
            client_id=client_id,
            secret=secret,
            base_url=base_url,
            callback=CALLBACK,
        )
    )
    try:
        return Apache(base_url, folder, _run(folder, base_url))
    except BaseException:
        shutil.rmtree(folder)
        raise


def _modules() -> str:
    missing = [name for name in LOADED if not (MODULES / f"mod_{name}.so").exists()]
    if missing:
        raise MissingTool(
            f"Apache has no {', '.join(missing)}:"
            " install Debian's packages apache2 and libapache2-mod-auth-openidc."
        )
    return "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in LOADED)


def _run(folder: Path, base_url: str) -> subprocess.Popen[bytes]:
    program = shutil.which("apache2", path=os.pathsep.join(["/usr/sbin", os.environ["PATH"]]))
    if program is None:
        raise MissingTool("Apache is missing: install Debian's package apache2.")
    log = folder / "log"
    process = start_server([program, "-f", folder / "apache.conf", "-D", "FOREGROUND"], log)
    try:
        wait_until(lambda: _answers(base_url), process, log)
    except BaseException:
        stop_server(process, signal.SIGTERM)
        raise
    return process


def _answers(base_url: str) -> bool:
    try:
        return requests.get(f"{base_url}/signed-out.html", timeout=5).ok
    except requests.RequestException:
        return False
