"""Codes leave by a text service or a mail server, once, and never after their time."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from idp import delivery, outbox, senders, texting
from idp.credentials.sent_code import ENROL
from idp.outbox import OutboxMessage
from idp.senders import InboxMessage
from idp.settings import Settings
from idp.worker import senders_of, watch
from tests.credentials.proving import PHONE, newest_code, place, send
from tests.credentials.stand_ins import ACCOUNT, TOKEN, MailServer, Twilio, mail_server, twilio
from tests.machine.processes import free_port
from tests.world import AMARA, World


def settled(world: World, **changed: Any) -> World:
    """The same world, with other settings."""
    held = replace(world.held, settings=replace(world.settings, **changed))
    return World(held, world.clock, world.folder)


def text_settings(server: str, **changed: Any) -> dict[str, Any]:
    url = f"twilio+http://{ACCOUNT}:{quote(TOKEN, safe='')}@{server}"
    return {"sms_url": url, "sms_from": "+12015550100", **changed}


def deliver(world: World) -> int:
    return delivery.deliver_due(
        world.held.database, senders_of(world.held), watch, world.clock(), outbox.LANES
    )


def state(world: World) -> tuple[str, str | None]:
    with world.held.database.session() as session:
        row = session.execute(
            sa.select(OutboxMessage.status, OutboxMessage.last_error).where(
                OutboxMessage.kind.in_((outbox.CODE, outbox.TEXT))
            )
        ).one()
    return row[0], row[1]


@contextmanager
def texted(world: World, *answers: int) -> Iterator[tuple[World, Twilio]]:
    """A code is on its way to Amara's phone."""
    with twilio() as service:
        service.answers = list(answers)
        asking = settled(world, **text_settings(service.url))
        send(asking, place(asking, "sms", ENROL), PHONE)
        yield asking, service


def test_a_code_goes_to_a_phone_by_the_services_own_protocol(either_world: World) -> None:
    with texted(either_world) as (world, service):
        assert deliver(world) == 1
        (form,) = service.heard
    code = newest_code(world)
    assert (form["To"], form["From"]) == (PHONE, "+12015550100")
    assert form["Body"].startswith(f"{code} is your Latchkey code. It is good for 5 minutes.")
    assert form["Body"].endswith(f"@localhost #{code}")  # by which a phone fills it in
    assert state(world) == ("delivered", None)


def test_a_messaging_service_sends_as_well_as_a_number(world: World) -> None:
    with twilio() as service:
        asking = settled(world, **text_settings(service.url, sms_from="MG" + "0" * 32))
        send(asking, place(asking, "sms", ENROL), PHONE)
        deliver(asking)
    (form,) = service.heard
    assert form["MessagingServiceSid"] == "MG" + "0" * 32
    assert "From" not in form


def test_a_text_is_in_the_persons_language_and_fits_one_message(world: World) -> None:
    world.run("UPDATE users SET locale = 'es' WHERE email = :e", e=AMARA)
    with texted(world) as (asking, service):
        deliver(asking)
    body = service.heard[0]["Body"]
    assert "es su clave de Latchkey" in body
    assert body.isascii()  # one letter that is not would halve what a message holds
    assert len(body) <= 160


@pytest.mark.parametrize("status", [429, 503, 500, 401])
def test_what_the_service_had_no_time_for_is_tried_again_and_sent_once(
    either_world: World, status: int
) -> None:
    with texted(either_world, status) as (world, service):
        deliver(world)
        kept, error = state(world)
        assert kept == "pending"
        assert error
        assert str(status) in error
        assert deliver(world) == 0
        world.clock.move(delivery.RETRY_AFTER[0])
        assert deliver(world) == 1
        assert state(world)[0] == "delivered"
        world.clock.move(1000)
        assert deliver(world) == 0
        assert len(service.heard) == 1


def test_a_number_that_the_service_refuses_is_not_tried_again(world: World) -> None:
    with texted(world, 400) as (asking, service):
        deliver(asking)
        assert state(asking) == ("refused", "the SMS service answered 400, error 21211")
        asking.clock.move(1000)
        assert deliver(asking) == 0
        assert service.requests == 1


def test_what_the_service_says_that_is_no_number_of_an_error_is_not_kept(world: World) -> None:
    """It may name the receiver."""
    with texted(world, 402) as (asking, _service):
        deliver(asking)
        assert state(asking) == ("refused", "the SMS service answered 402")


def test_what_may_have_arrived_is_not_sent_again(world: World) -> None:
    """The service hangs up after it has heard everything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        asking = settled(world, **text_settings(address))
        send(asking, place(asking, "sms", ENROL), PHONE)

        def hang_up() -> None:
            connected, _ = server.accept()
            with connected:
                while b"Body" not in connected.recv(65536):
                    pass

        thread = threading.Thread(target=hang_up)
        thread.start()
        deliver(asking)
        thread.join()
    assert state(asking)[0] == "refused"


def test_a_service_that_was_not_reached_is_asked_again(world: World) -> None:
    asking = settled(world, **text_settings(f"127.0.0.1:{free_port()}"))
    send(asking, place(asking, "sms", ENROL), PHONE)
    deliver(asking)
    assert state(asking)[0] == "pending"


@pytest.mark.parametrize("channel", ["sms", "email"])
def test_a_code_that_has_expired_is_never_sent(either_world: World, channel: str) -> None:
    with twilio() as service, mail_server() as post:
        world = settled(either_world, **text_settings(service.url), smtp_url=post.url)
        send(world, place(world, channel, ENROL), PHONE if channel == "sms" else "")
        world.clock.move(300)
        assert deliver(world) == 1
        assert state(world) == ("refused", "the code has expired")
        assert service.requests == 0
        assert post.heard == []


def test_a_code_goes_by_mail_and_is_tried_again_while_it_is_good(either_world: World) -> None:
    with mail_server() as post:
        post.answers = ["451 busy", "421 closing"]
        world = settled(either_world, smtp_url=post.url)
        send(world, place(world, "email", ENROL))
        for wait in delivery.RETRY_AFTER[:2]:
            deliver(world)
            assert state(world)[0] == "pending"
            world.clock.move(wait)
        deliver(world)
        check_letter(post, newest_code(world))
    assert state(world)[0] == "delivered"


@pytest.mark.parametrize(
    "said",
    [
        {"answers": ["250 OK\r\n250 OK"]},
        {"at_the_end": "421 too busy for that"},
        {"at_the_end": ""},
    ],
)
def test_what_was_taken_is_not_sent_again_whatever_is_said_after(
    either_world: World, said: dict[str, Any]
) -> None:
    with mail_server() as post:
        vars(post).update(said)
        world = settled(either_world, smtp_url=post.url)
        send(world, place(world, "email", ENROL))
        deliver(world)
        check_letter(post, newest_code(world))
    assert state(world) == ("delivered", None)


@pytest.mark.parametrize(("answer", "status"), [("450 later", "pending"), ("550 no", "refused")])
def test_who_has_no_room_now_is_tried_again_and_who_is_not_known_is_not(
    either_world: World, answer: str, status: str
) -> None:
    """As a server does that has first-time senders come again (greylisting)."""
    with mail_server() as post:
        post.to_names = [answer]
        world = settled(either_world, smtp_url=post.url)
        send(world, place(world, "email", ENROL))
        deliver(world)
        assert state(world) == (status, f"the mail server refused {AMARA}: {answer[:3]}")
        world.clock.move(delivery.RETRY_AFTER[0])
        assert deliver(world) == (status == "pending")
        assert len(post.heard) == (status == "pending")


def test_a_mail_server_has_so_long_for_all_its_answers_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the claim would be over before them, and somebody else would send it too."""
    monkeypatch.setattr(senders, "SMTP_PATIENCE", 0.5)
    with mail_server() as post:
        post.dawdles = 0.3
        asking = settled(world, smtp_url=post.url)
        send(asking, place(asking, "email", ENROL))
        deliver(asking)
        assert state(asking) == (
            "pending",
            "mail server: Connection unexpectedly closed: timed out",
        )


def test_a_letter_that_comes_again_is_known_by_its_id(either_world: World) -> None:
    with mail_server() as post:
        world = settled(either_world, smtp_url=post.url, mail_from="Fish <post@fish.example>")
        send(world, place(world, "email", ENROL))
        deliver(world)
        # as it is when its worker was killed before it had written that it left
        world.run("UPDATE outbox SET status = 'pending' WHERE kind = 'code'")
        world.clock.move(61.0)
        send(world, place(world, "email", ENROL, "ben@northwind.example"))
        deliver(world)
    first, again, another = sorted(post.heard, key=lambda letter: str(letter["To"]))
    assert first["Message-ID"] == again["Message-ID"] != another["Message-ID"]
    assert re.fullmatch(r"<[0-9a-f]{32}@fish\.example>", first["Message-ID"])
    assert again["Date"].datetime.timestamp() == int(world.clock())
    assert again["Date"].datetime - first["Date"].datetime == timedelta(seconds=61)


def check_letter(post: MailServer, code: str) -> None:
    (letter,) = post.heard
    assert letter["To"] == AMARA
    assert letter["Subject"] == f"{code} is your Latchkey code"
    assert f"\n{code}\n" in letter.get_content().replace("\r\n", "\n")


def test_no_letter_and_no_product_holds_up_a_code(either_world: World) -> None:
    """Not even a thousand of them that came before."""
    with either_world.held.database.transaction() as db:
        for _ in range(30):
            outbox.enqueue(db, outbox.LETTER, {}, either_world.clock() - 60)
            outbox.enqueue(db, "audit_event", {}, either_world.clock() - 60)
    send(either_world, place(either_world, "email", ENROL))
    send(either_world, place(either_world, "sms", ENROL), PHONE)
    database, now = either_world.held.database, either_world.clock()
    assert [each.kind for each in outbox.codes(database, now)] == [outbox.CODE]
    assert [each.kind for each in outbox.texts(database, now)] == [outbox.TEXT]
    assert {each.kind for each in outbox.errands(database, now)} == {"audit_event"}


def test_the_demos_inbox_shows_texts_and_codes(world: World) -> None:
    demo = settled(world, demo_inbox=True)
    send(demo, place(demo, "sms", ENROL), PHONE)
    send(demo, place(demo, "email", ENROL, "ben@northwind.example"))
    deliver(demo)
    with demo.held.database.session() as session:
        rows = session.execute(sa.select(InboxMessage.channel, InboxMessage.recipient)).all()
    assert sorted(map(tuple, rows)) == [("mail", "ben@northwind.example"), ("sms", PHONE)]
    page = demo.browser().get("/inbox").text
    assert "Text message" in page
    assert PHONE in page


@pytest.mark.parametrize(
    ("url", "sender", "is_sound"),
    [
        ("", "", True),
        ("twilio://a:t@api.twilio.com", "+12015550100", True),
        ("twilio+http://a:t@127.0.0.1:8025", "+12015550100", True),
        ("twilio+http://a:t@api.twilio.com", "+12015550100", False),
        ("twilio://api.twilio.com", "+12015550100", False),
        ("twilio://a@api.twilio.com", "+12015550100", False),
        ("https://a:t@api.twilio.com", "+12015550100", False),
        ("twilio://a:t@api.twilio.com", "", False),
    ],
)
def test_a_text_service_is_named_soundly_or_not_at_all(
    url: str, sender: str, is_sound: bool
) -> None:
    fault = texting.fault_of(Settings(sms_url=url, sms_from=sender))
    assert (fault is None) is is_sound
    assert ":t@" not in (fault or "")
    assert ":t@" not in repr(Settings(sms_url=url, sms_from=sender))
