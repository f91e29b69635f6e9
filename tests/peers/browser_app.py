"""An application of the browser's own: pages with npm's oidc-client-ts on them, and behind them no
server that knows of anybody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.machine.node import PEERS_FOLDER
from tests.machine.processes import LOOPBACK

LIBRARY = PEERS_FOLDER / "node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js"
PAGE = """<!doctype html><title>{path}</title><h1>{path}</h1>
<script src="/oidc-client-ts.js"></script>
<script>
  const manager = new oidc.UserManager({{
    authority: "{issuer}", client_id: "{client_id}", scope: "openid profile email",
    redirect_uri: location.origin + "/callback", silent_redirect_uri: location.origin + "/silent",
    post_logout_redirect_uri: location.origin + "/", automaticSilentRenew: false,
    monitorSession: true, checkSessionIntervalInSeconds: 1,
  }});
  const heard = [];
  manager.events.addUserSessionChanged(() => heard.push("changed"));
  manager.events.addUserSignedOut(() => heard.push("signed out"));
  if (location.pathname === "/callback") var signedIn = manager.signinRedirectCallback();
  if (location.pathname === "/silent") manager.signinSilentCallback();
</script>"""


class BrowserApp:
    """`gone` is what its front-channel address was asked with: query, and cookies."""

    def __init__(self, port: int, issuer: str, client_id: str) -> None:
        self.port, self.issuer, self.client_id = port, issuer, client_id
        self.gone: list[tuple[str, str]] = []

    def address(self, host: str = "localhost") -> str:
        return f"http://{host}:{self.port}"

    def page(self, path: str) -> str:
        return PAGE.format(path=path, issuer=self.issuer, client_id=self.client_id)


@contextmanager
def running_app(port: int, issuer: str, client_id: str) -> Iterator[BrowserApp]:
    app = BrowserApp(port, issuer, client_id)
    server = ThreadingHTTPServer((LOOPBACK, port), _handler(app))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield app
    server.shutdown()
    thread.join()
    server.server_close()


def _handler(app: BrowserApp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/gone":
                app.gone.append((query, self.headers.get("Cookie", "")))
            body = LIBRARY.read_bytes() if path.endswith(".js") else app.page(path).encode()
            kind = "text/javascript" if path.endswith(".js") else "text/html"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a frame that was taken away meanwhile
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    return Handler
