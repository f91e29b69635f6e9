"""S83: what controls a provider under test is there for whoever has started it, and for no page, no
stranger and no installation."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from dataclasses import fields
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from idp.settings import Settings
from idp.testing import Latchkey, LatchkeyError
from tests.machine.under_test import CALLBACK
from tests.world import World

PACKAGE = Path(__file__).parents[2] / "idp"
ADA = "ada@acme.example"
ROUTES = [
    *(("GET", path) for path in ("/", "/clock", "/mail", "/sms")),
    *(("POST", path) for path in ("/clock", "/users", "/passkeys", "/clients", "/setup")),
    *(("POST", path) for path in ("/sign-in", "/reset")),
]


def ask(
    address: str, method: str, path: str, body: str | None = None, **headers: str | None
) -> tuple[int, str]:
    """By headers as they are given; None leaves one out that would be sent."""
    parts = urlsplit(address)
    sent = {"Host": parts.netloc, **{n.replace("_", "-"): v for n, v in headers.items()}}
    connection = HTTPConnection(parts.netloc)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Content-Length": str(len(body or "")), **sent}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders((body or "").encode())
    answer = connection.getresponse()
    assert "Access-Control-Allow-Origin" not in dict(answer.getheaders())
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def as_controller(latchkey: Latchkey, **changed: str | None) -> dict[str, str | None]:
    token = f"Bearer {latchkey.token}"
    return {"Authorization": token, "Content_Type": "application/json", **changed}


def test_sec_83_every_route_is_for_whoever_holds_the_token(under_test: Latchkey) -> None:
    for method, path in ROUTES:
        for claimed in (None, "Bearer ", "Bearer wrong", f"Basic {under_test.token}"):
            headers = as_controller(under_test, Authorization=claimed)
            assert ask(under_test.control, method, path, "{}", **headers)[0] == 401, path


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (403, {"Origin": "http://localhost:9000"}),
        (403, {"Origin": "null"}),
        (403, {"Sec_Fetch_Site": "cross-site"}),
        (403, {"Sec_Fetch_Site": "same-origin"}),
        (421, {"Host": "rebound.example"}),
        (421, {"Host": "localhost"}),
        (421, {"Host": "localhost:1"}),
        (421, {"Host": None}),
    ],
)
def test_sec_83_no_page_controls_a_provider(
    under_test: Latchkey, status: int, headers: dict[str, str | None]
) -> None:
    """Neither by what it has sent across sites, nor by a name that it makes lead here."""
    for method in ("GET", "OPTIONS"):
        known = as_controller(under_test, **headers)
        assert ask(under_test.control, method, "/clock", **known)[0] == status


def test_sec_83_a_form_of_a_page_is_no_json(under_test: Latchkey) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        known = as_controller(under_test, Content_Type=kind)
        answer = ask(under_test.control, "POST", "/clock", '{"advance": 60}', **known)
        assert answer[0] == 415, kind


def test_sec_83_a_body_of_no_known_length_is_not_read(under_test: Latchkey) -> None:
    known = as_controller(under_test, Content_Length=None, Transfer_Encoding="chunked")
    assert ask(under_test.control, "POST", "/clock", "0\r\n\r\n", **known)[0] == 411


def test_sec_83_what_is_refused_is_the_last_on_its_connection(under_test: Latchkey) -> None:
    """Or what stood in its body would be read as another request, by a name of its own."""
    port = urlsplit(under_test.issuer).port
    within = f"GET /inbox HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"
    outer = f"POST / HTTP/1.1\r\nHost: rebound.example\r\nContent-Length: {len(within)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port or 0)) as connection:
        connection.sendall((outer + within).encode())
        answered = b"".join(iter(lambda: connection.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answered) == [b"421"]


def test_sec_83_the_pages_answer_to_names_of_this_machine_alone(under_test: Latchkey) -> None:
    """The inbox above all: it is open to whoever reaches it."""
    port = urlsplit(under_test.issuer).port
    for host, status in (
        *((f"localhost:{port}", 200), (f"127.0.0.1:{port}", 200), (f"[::1]:{port}", 200)),
        *((f"rebound.example:{port}", 421), ("localhost", 421), (None, 421)),
    ):
        assert ask(under_test.issuer, "GET", "/inbox", Host=host)[0] == status, host


def test_sec_83_both_listen_on_loopback_alone(under_test: Latchkey) -> None:
    listening = subprocess.run(["cat", "/proc/net/tcp"], capture_output=True, text=True, check=True)
    for address in (under_test.issuer, under_test.control):
        port = f"{urlsplit(address).port:04X}"
        assert re.findall(rf" ([0-9A-F]+):{port} 00000000:0000 0A", listening.stdout) == [
            "0100007F"
        ]


def test_sec_83_the_token_stands_in_no_answer_and_no_page(under_test: Latchkey) -> None:
    for method, path in (("GET", "/"), ("POST", "/reset"), ("GET", "/nowhere")):
        known = as_controller(under_test)
        assert under_test.token not in ask(under_test.control, method, path, "", **known)[1]
    assert under_test.token not in ask(under_test.issuer, "GET", "/")[1]


def test_sec_83_an_installation_has_none_of_it(world: World) -> None:
    """The provider that `idp serve` serves has no route of it, and does not as much as load it."""
    for method, path in ROUTES[1:]:
        if path in ("/clock", "/mail", "/sms", "/users", "/passkeys", "/setup", "/sign-in"):
            answer = world.get(path) if method == "GET" else world.post(path)
            assert answer.status_code == 404, path
    assert "test-band" not in world.get("/").text
    assert [field.name for field in fields(Settings) if "test" in field.name] == []


def test_sec_83_nothing_but_the_demo_leads_to_it() -> None:
    own = PACKAGE / "commands" / "test_mode"
    others = [path for path in PACKAGE.rglob("*.py") if own not in path.parents]
    known = [path.name for path in others if re.search(r"test_mode|is_test\b", path.read_text())]
    assert known == ["demo.py"]


@pytest.mark.parametrize(
    ("status", "method", "path", "body", "says"),
    [
        (404, "GET", "/nowhere", "", "There is no GET /nowhere"),
        (405, "GET", "/users", "", "There is no GET /users"),
        (405, "DELETE", "/clock", "", "There is no DELETE /clock"),
        (400, "POST", "/clock", "{", "no JSON"),
        (400, "POST", "/clock", "[]", "no JSON object"),
        (413, "POST", "/setup", " " * (1024 * 1024 + 1), "bytes at most"),
        (400, "POST", "/clock", "{}", "Give advance or now"),
        (400, "POST", "/clock", '{"advance": 1, "now": 1}', "Give advance or now"),
        (400, "POST", "/clock", '{"advance": -1}', "forward only"),
        (400, "POST", "/clock", '{"now": 0}', "forward only"),
        (400, "POST", "/clock", '{"advance": 1e300}', "a hundred years"),
        (400, "POST", "/clock", '{"advance": "1"}', "advance: Input should be"),
        (400, "POST", "/clock", '{"forward": 1}', "forward: Extra inputs"),
        (400, "POST", "/users", '{"email": "ada"}', "email: this is not an e-mail address"),
        (400, "POST", "/users", '{"password": "short"}', "password has at least"),
        (400, "POST", "/users", '{"password": "password1234"}', "list of stolen ones"),
        (400, "POST", "/users", '{"roles": ["nobody"]}', "there is no role nobody"),
        (400, "POST", "/users", '{"permissions": {"wiki": ["x"]}}', "wiki"),
        (400, "POST", "/users", '{"permissions": {"none": ["x"]}}', "none"),
        (400, "POST", "/users", '{"kind": "owner"}', "kind"),
        (400, "POST", "/users", '{"factors": ["voice"]}', "factors.0"),
        (400, "POST", "/users", '{"factors": ["sms"], "phone": "1"}', "phone: Enter a mobile"),
        (404, "POST", "/passkeys", f'{{"email": "{ADA}"}}', "was made by POST /users"),
        (409, "POST", "/clients", '{"client_id": "wiki"}', "There is a client wiki already"),
        (400, "POST", "/clients", '{"client_id": "notes"}', "redirect_uris"),
        (400, "POST", "/clients", '{"client_id": "n", "secret": 1}', "there is no such field"),
        (
            *(400, "POST", "/clients"),
            json.dumps({"client_id": "n", "product": "wiki", "nodes": ["x"]}),
            "There is a product wiki already",
        ),
        (400, "POST", "/setup", '{"users": 1}', "users"),
        (400, "POST", "/sign-in", "{}", "Say who: email"),
        (400, "POST", "/sign-in", f'{{"email": "{ADA}"}}', "Give url, or client_id: one of wiki"),
        (
            *(400, "POST", "/sign-in"),
            json.dumps({"email": ADA, "url": "http://169.254.169.254/"}),
            "url is an address of",
        ),
    ],
)
def test_what_can_not_be_is_refused_in_words(
    under_test: Latchkey, status: int, method: str, path: str, body: str, says: str
) -> None:
    answer = ask(under_test.control, method, path, body, **as_controller(under_test))
    assert (answer[0], says in answer[1]) == (status, True), answer


def test_somebody_who_is_there_is_not_made_again(under_test: Latchkey) -> None:
    under_test.user(ADA)
    with pytest.raises(LatchkeyError) as refused:
        under_test.user(ADA.upper())
    assert refused.value.status == 409
    assert under_test.client("notes", CALLBACK)
