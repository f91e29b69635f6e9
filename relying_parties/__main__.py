"""Serve the three sample products from one process: `python -m relying_parties --help`."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Event, Thread
from types import FrameType, ModuleType

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from relying_parties import connections, lms, payments
from relying_parties.base.configuration import Configuration, read_secret

PRODUCTS: tuple[ModuleType, ...] = (lms, payments, connections)


class QuietHandler(WSGIRequestHandler):
    """Query strings hold codes and tokens: requests are not logged."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # At DEBUG it writes code verifiers and tokens.
    logging.getLogger("authlib").setLevel(logging.INFO)
    try:
        servers = [_server(product, options) for product in PRODUCTS]
    except (OSError, SystemExit) as error:
        sys.stderr.write(f"The sample products cannot start: {error}\n")
        return 1
    _serve_until_told(servers)
    return 0


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m relying_parties", description=__doc__)
    options.add_argument("--issuer", default="http://localhost:8000")
    options.add_argument(
        "--secrets-dir", type=Path, required=True, help="holds <client_id>.secret per product"
    )
    options.add_argument("--host", default="localhost", help="the name in the products' URLs")
    options.add_argument("--bind", default="127.0.0.1", help="the address that they listen on")
    for product in PRODUCTS:
        options.add_argument(f"--{product.FACE.key}-port", type=int, default=product.PORT)
    return options


def _server(product: ModuleType, options: argparse.Namespace) -> BaseWSGIServer:
    key, port = product.FACE.key, getattr(options, f"{product.FACE.key}_port")
    configuration = Configuration(
        issuer=options.issuer,
        client_id=key,
        client_secret=read_secret(options.secrets_dir / f"{key}.secret"),
        base_url=f"http://{options.host}:{port}",
        resource=f"urn:product:{key}",
    )
    app = product.create_app(configuration)
    server = make_server(options.bind, port, app, threaded=True, request_handler=QuietHandler)
    sys.stdout.write(f"{product.FACE.name}: {configuration.base_url}\n")
    sys.stdout.flush()
    return server


def _serve_until_told(servers: list[BaseWSGIServer]) -> None:
    told = Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        told.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    threads = [Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    told.wait()
    for server in servers:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    sys.exit(main())
