"""Asking a service for stolen passwords: what it is sent, and what if it does not answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha1
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
import structlog

from idp.credentials import blocklist
from idp.errors import SetupMistake
from idp.settings import Settings
from tests.machine.processes import free_port

STOLEN, UNKNOWN, PADDING = "amber-trombone-of-27", "violet-harmonica-27", "green-kettle-of-9-rows"
IN_SMALL_DIGITS, UNCOUNTED = "purple-cello-of-31-keys", "yellow-banjo-of-8-strings"


def suffix(text: str) -> str:
    return sha1(text.encode()).hexdigest().upper()[5:]


class Service(ThreadingHTTPServer):
    """Knows one password; pads its answers with others that were seen zero times."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.status, self.rows, self.begins_late = 200, 900, Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/range/"


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Add-Padding")))
        if self.server.begins_late.is_set():
            time.sleep(5)  # longer than anybody waits
        lines = [f"{'0' * 34}{n % 10}:0" for n in range(self.server.rows)]
        lines += [f"{suffix(STOLEN)}:12", f"{suffix(PADDING)}:0"]
        lines += [f"{suffix(IN_SMALL_DIGITS).lower()}:3", suffix(UNCOUNTED)]
        body = b"\xff:9\r\n" + "\r\n".join(lines).encode()
        self.send_response(self.server.status)
        self.send_header("Location", self.server.url + "elsewhere")
        self.send_header("Content-Length", str(len(body)))
        with suppress(ConnectionError):  # who waits no longer, or takes no more of it
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """It says nothing."""


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    thread = Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def test_p2_what_the_service_knows_is_refused(service: Service) -> None:
    assert not blocklist.is_compromised(STOLEN)
    assert blocklist.is_compromised(STOLEN, service.url)
    assert not blocklist.is_compromised(UNKNOWN, service.url)


def test_p2_it_learns_five_digits_and_is_asked_for_padding(service: Service) -> None:
    blocklist.is_compromised(UNKNOWN, service.url)
    prefix = sha1(UNKNOWN.encode()).hexdigest().upper()[:5]
    assert service.asked == [(f"/range/{prefix}", "true")]


def test_p2_padding_is_no_password(service: Service) -> None:
    assert not blocklist.is_compromised(PADDING, service.url)


def test_p2_digits_are_read_large_and_small_and_a_line_without_a_count_is_none(
    service: Service,
) -> None:
    assert blocklist.is_compromised(IN_SMALL_DIGITS, service.url)
    assert not blocklist.is_compromised(UNCOUNTED, service.url)


def test_p2_it_is_asked_about_the_form_that_is_hashed(service: Service) -> None:
    wide = STOLEN.translate({number: number + 0xFEE0 for number in range(0x21, 0x7F)})
    assert blocklist.is_compromised(wide, service.url)


def test_p2_what_is_on_our_own_list_is_asked_of_nobody(service: Service) -> None:
    assert blocklist.is_compromised("qwertyuiop", service.url)
    assert service.asked == []


@pytest.mark.parametrize("status", [301, 403, 429, 500, 503])
def test_p2_a_service_that_refuses_leaves_it_to_our_own_list(service: Service, status: int) -> None:
    service.status = status
    with structlog.testing.capture_logs() as logs:
        assert not blocklist.is_compromised(STOLEN, service.url)
    assert len(service.asked) == 1, "no redirect is followed"
    [line] = logs
    assert (line["event"], line["trouble"]) == ("compromised_range_unreachable", f"status {status}")
    assert STOLEN not in str(line)


def test_p2_no_more_is_read_than_an_answer_may_be(service: Service) -> None:
    """What it says after that is not heard, and nobody's memory is filled."""
    service.rows = 9000
    assert not blocklist.is_compromised(STOLEN, service.url)


def test_p2_a_service_that_is_away_leaves_it_to_our_own_list() -> None:
    with structlog.testing.capture_logs() as logs:
        nowhere = f"http://127.0.0.1:{free_port()}/range/"
        assert not blocklist.is_compromised(UNKNOWN, nowhere)
        assert blocklist.is_compromised("qwertyuiop", nowhere)
    assert [line["event"] for line in logs] == ["compromised_range_unreachable"]


def test_p2_nobody_waits_longer_than_two_seconds_for_it(service: Service) -> None:
    service.begins_late.set()
    started = time.monotonic()
    with structlog.testing.capture_logs() as logs:
        assert not blocklist.is_compromised(STOLEN, service.url)
    assert time.monotonic() - started < 3.5
    assert logs


@pytest.mark.parametrize(
    "url", ["http://list.example/range/", "ftp://list.example/", "https://", "list.example", "x"]
)
def test_a_service_is_asked_by_https_alone(url: str) -> None:
    with pytest.raises(SetupMistake, match="LATCHKEY_COMPROMISED_RANGE_URL"):
        Settings(compromised_range_url=url)
