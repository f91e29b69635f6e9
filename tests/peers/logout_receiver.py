"""Where a product that is written with a plain library takes back-channel logout."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread

from tests.machine.processes import LOOPBACK

SECONDS_TO_BE_TOLD = 30.0


class LogoutReceiver:
    """Answers 200 to whatever it is sent, and keeps the bodies in order."""

    def __init__(self, port: int) -> None:
        self._bodies: Queue[str] = Queue()
        self._server = ThreadingHTTPServer((LOOPBACK, port), _handler(self._bodies))
        serving = {"poll_interval": 0.02}
        self._thread = Thread(target=self._server.serve_forever, kwargs=serving)
        self._thread.start()

    def next_body(self) -> str:
        """The next form that was sent, waited for."""
        return self._bodies.get(timeout=SECONDS_TO_BE_TOLD)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _handler(bodies: Queue[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            bodies.put(body)

        def log_message(self, *arguments: object) -> None:
            """Quiet: the body holds a token."""

    return Handler
