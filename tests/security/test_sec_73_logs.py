"""S73: what the processes say at their most talkative holds no secret, and a line is an event."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock, call

import pyotp
import pytest
import requests
import sqlalchemy as sa

from idp import logs, setup, worker
from idp.directory.products import Product
from idp.outbox import PENDING, TEXT, OutboxMessage
from idp.provider import Provider
from tests.machine.collector import Collected, collector
from tests.machine.processes import wait_until
from tests.machine.provider_process import start_provider
from tests.world import (
    ADDRESSES,
    AMARA,
    PASSWORD,
    VERIFIER,
    request_for,
)

PHONE = "+12015550123"
CODE = "canary-of-a-code-that-is-wrong"
WRONG = "canary-wrong-password-0123456789"
FORGED = 'x\r\n{"event": "forged", "level": "info"}\r\n\x1b[31mred'
WHOLE = {"GET", "POST", "deliver"} | {errand.__name__.strip("_") for errand in worker.ERRANDS}
FORM_FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


@dataclass
class Story:
    """Everything that people and products do, with each secret that came along."""

    issuer: str
    keys_dir: Path
    secrets: dict[str, str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)

    def tell(self) -> None:
        self.sign_in()
        self.spend()
        self.prove_more()
        self.go_wrong()
        self.sign_out()

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.issuer + path, allow_redirects=False, timeout=10, **options)

    def post(self, path: str, form: dict[str, str], **options: Any) -> requests.Response:
        return self.session.post(
            self.issuer + path, data=form, allow_redirects=False, timeout=10, **options
        )

    def follow(self, answer: requests.Response) -> requests.Response:
        while answer.status_code == 303 and answer.headers["Location"].startswith("/"):
            answer = self.get(answer.headers["Location"])
        return answer

    def sign_in(self) -> None:
        page = self.follow(self.get("/authorize", params=request_for()))
        hidden = dict(FORM_FIELD.findall(page.text))
        self.secrets |= {"attempt": hidden["attempt"], "form token": hidden["csrf_token"]}
        for email in (AMARA, FORGED):
            self.post("/login/password", {**hidden, "email": email, "password": WRONG})
        form = {**hidden, "email": AMARA, "password": PASSWORD}
        back = self.follow(self.post("/login/password", form)).headers["Location"]
        self.secrets["code"] = re.findall(r"code=([\w-]+)", back)[0]
        self.secrets |= {f"cookie {c.name}": c.value or "" for c in self.session.cookies}

    def spend(self) -> None:
        secret = (self.keys_dir / "clients" / "lms.secret").read_text().strip()
        basic = ("lms", secret)
        form = {
            "grant_type": "authorization_code",
            "code": self.secrets["code"],
            "redirect_uri": f"{ADDRESSES['lms']}/callback",
            "code_verifier": VERIFIER,
        }
        tokens = self.post("/token", form, auth=basic).json()
        given = {name: tokens[name] for name in ("access_token", "id_token", "refresh_token")}
        self.secrets |= {**given, "client secret": secret, "verifier": VERIFIER}
        bearer = {"Authorization": f"Bearer {given['access_token']}"}
        for path in ("/userinfo", "/switcher"):
            assert self.get(path, headers=bearer).status_code == 200
        refresh = {"grant_type": "refresh_token", "refresh_token": given["refresh_token"]}
        assert self.post("/token", refresh, auth=basic).status_code == 200
        for token in (given["access_token"], given["refresh_token"]):
            assert self.post("/introspect", {"token": token}, auth=basic).json()["active"]
        assert self.post("/token", form, auth=basic).status_code == 400  # the code again
        self.post("/revoke", {"token": given["refresh_token"]}, auth=basic)

    def prove_more(self) -> None:
        """Sets up a phone and an app on the way into a product that demands it."""
        choice = self.follow(self.get("/authorize", params=request_for("payments")))
        path = choice.url.removeprefix(self.issuer)
        attempt = dict(FORM_FIELD.findall(self.get(f"{path}&method=sms").text))
        form = {**attempt, "number": PHONE, "action": "send"}
        self.follow(self.post("/login/enrol", form))
        self.post("/login/enrol", {**attempt, "code": CODE})
        page = self.get(f"{path}&method=totp")
        secret = re.findall(r"<code>([A-Z2-7 ]+)</code>", page.text)[0].replace(" ", "")
        code = pyotp.TOTP(secret).now()
        wrong = {**attempt, "method": "totp", "code": WRONG}
        assert self.post("/login/enrol", wrong).status_code == 400
        answer = self.post("/login/enrol", {**attempt, "method": "totp", "code": code})
        shown = self.follow(answer)
        codes = re.findall(r"<code>([0-9A-Z-]{19})</code>", shown.text)
        assert len(codes) == 10
        self.secrets |= {"app's secret": secret, "phone": PHONE, "sent code": CODE}
        self.secrets |= {f"recovery code {number}": each for number, each in enumerate(codes)}
        hidden = dict(FORM_FIELD.findall(shown.text))
        answer = self.follow(self.post("/login/recovery_codes", hidden))
        assert "code=" in answer.headers["Location"]

    def go_wrong(self) -> None:
        """Each way of being refused, with a secret in every place where one could stand."""
        canary = "canary-of-what-is-refused-01234567"
        self.secrets |= {"refused": canary, "wrong password": WRONG, "password": PASSWORD}
        bearer = {"Authorization": f"Bearer {canary}", "User-Agent": "x\tforged"}
        self.get("/userinfo", headers=bearer)
        for form in (
            {"client_secret": canary, "client_id": "lms"},
            {"client_assertion": canary, "client_assertion_type": canary},
            {"grant_type": "password", "username": AMARA, "password": canary},
            {"code": canary, "grant_type": "authorization_code"},
        ):
            self.post("/token", form)
            self.post("/token", form, auth=("lms", canary))
            self.post("/revoke", form)
        for query in (f"code={canary}", f"id_token_hint={canary}", f"state={canary}", "x=%00"):
            self.get(f"/authorize?client_id=lms&{query}")
            self.get(f"/logout?{query}")
        self.get(f"/authorize?attempt={canary}")
        self.get(f"/login/password?attempt={canary}")
        self.post("/login/password", {"password": canary, "email": AMARA, "csrf_token": canary})
        self.get("/", cookies={"latchkey-session": canary, "latchkey-form": canary})
        self.get(f"/nothing-here?token={canary}")

    def sign_out(self) -> None:
        page = self.get("/logout")
        hidden = dict(FORM_FIELD.findall(page.text))
        answer = self.post("/logout", {**hidden, "decision": "sign_out"})
        assert answer.headers["Location"] == "/logout/done"


@pytest.mark.parametrize("stores", ["sqlite", "postgresql and redis"])
def test_sec_73_at_its_most_talkative_a_provider_tells_no_secret_and_no_forged_line(
    stores: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: dict[str, Any] = {}
    if stores != "sqlite":
        chosen = {
            "database_url": request.getfixturevalue("postgres_url")(),
            "redis_url": request.getfixturevalue("redis_url"),
        }
    chosen |= {"log_level": "DEBUG", "traces": "own", "demo_inbox": True}
    with collector() as collected:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")  # so that it is sent at the end
        running = start_provider(tmp_path, demo, **chosen)
        story = Story(running.issuer, running.settings.keys_dir)
        try:
            running.start_outbox_worker()
            story.tell()
            wait_until(lambda: has_sent(running.held), running.outbox_workers[0], running.log)
        finally:
            running.stop()
    log = running.log.read_text()
    check_secrets(story, log)
    check_lines(log)
    check_reasons(log)
    check_secrets(story, collected.bytes.decode("latin-1"))
    check_traces(collected, stores)


def test_sec_73_a_line_is_written_at_once_or_another_process_writes_into_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where Python keeps nothing (PYTHONUNBUFFERED), what is written goes out as it is."""
    made: dict[str, Any] = {}
    file = Mock(**{"write.side_effect": len})
    monkeypatch.setattr("logging.basicConfig", lambda **_: None)
    monkeypatch.setattr("structlog.configure", lambda **chosen: made.update(chosen))
    monkeypatch.setattr("sys.stderr", file)
    logs.configure("INFO")
    made["logger_factory"]().msg("an event")
    assert file.write.call_args_list == [call("an event\n")]


def demo(held: Provider) -> None:
    setup.apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
    with held.database.session() as session:
        session.execute(
            sa.update(Product).where(Product.key == "payments").values(second_factor=True)
        )


def has_sent(held: Provider) -> bool:
    """A code by SMS, which the worker does beside the story."""
    sent = sa.select(OutboxMessage.id).where(
        OutboxMessage.kind == TEXT, OutboxMessage.status != PENDING
    )
    with held.database.session() as session:
        return session.scalar(sent) is not None


def check_secrets(story: Story, log: str) -> None:
    assert len(story.secrets) >= 14
    master = (story.keys_dir / "master.key").read_text().strip()
    handle = story.secrets["refresh_token"][:43]
    secrets = {**story.secrets, "master key": master, "handle": handle}
    assert {name for name, secret in secrets.items() if secret and secret in log} == set()


def check_lines(log: str) -> None:
    """One event, one line of JSON, whatever somebody calls themselves."""
    for line in log.splitlines():
        assert "\x1b" not in line
        assert not line.startswith('{"event": "forged"')
        if line.startswith("{"):
            assert isinstance(json.loads(line), dict)


def check_reasons(log: str) -> None:
    """A log that says nothing would hold no secret either; and nothing went wrong unforeseen."""
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    refused = [event for event in events if event["event"] == "refused"]
    assert len(refused) > 10
    assert all(event.get("request_id") for event in refused)
    assert "Traceback" not in log
    assert not [event for event in events if event["event"] == "failed"]


def check_traces(collected: Collected, stores: str) -> None:
    """Of what came, too: the last request before the stop, whatever its stores were asked, and
    nothing of what was sent but the kinds of addresses."""
    names = [span.name for span in collected.spans]
    told = {"POST /logout", "GET /logout", "POST /token", "POST /login/enrol", "argon2"}
    assert told <= set(names)
    assert {"UPDATE outbox", "COMMIT", "deliver sms"} <= set(names)
    assert ("GETDEL" in names) == (stores != "sqlite")
    assert AMARA.encode() not in collected.bytes
    assert b"forged" not in collected.bytes
    assert b"nothing-here" not in collected.bytes
    assert PHONE[1:].encode() not in collected.bytes
    assert all(not span.events for span in collected.spans)
    begun = [span for span in collected.spans if not span.parent_span_id]
    assert {name.partition(" ")[0] for name in {span.name for span in begun}} <= WHOLE
