"""The worker: delivers the outbox, sweeps away what has expired, looks domains up again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from idp import audit, audit_chain, delivery, outbox, retention
from idp.app import create_pages
from idp.audit import NOWHERE
from idp.database import Connection
from idp.delivery import Sender, Undelivered
from idp.directory import (
    access_letters,
    access_requests,
    access_steps,
    client_logos,
    deciding,
    domain_looks,
    event_letters,
    importing,
    memberships,
)
from idp.directory.clients import Client
from idp.directory.operating import NOBODY, operation
from idp.errors import Busy, StoreUnavailable
from idp.grants import ending, sign_outs
from idp.login import password_reminders, resetting, sign_up
from idp.measures import MEASURES
from idp.oidc import encrypted_responses
from idp.oidc.encrypted_responses import NotEncryptable, encrypted
from idp.operators import health, winding_up
from idp.outbox import Lane, Message
from idp.outgoing import Unreachable, post_form
from idp.provider import Provider, find_client
from idp.senders import Letter, PostLetter, letter_poster
from idp.sessions import logout
from idp.texting import text_poster
from idp.tokens import key_schedule, signing_keys
from idp.tokens.signed_tokens import LOGOUT_TOKEN, mint
from idp.traces import TRACES
from idp.web import letters

IDLE_SECONDS = 0.2
BATCH_SECONDS = 1.0
AWAY_SECONDS = 1.0
SWEEP_SECONDS = 60.0

log = structlog.get_logger("worker")

WriteLetter = Callable[[dict[str, Any]], Letter]

THREADS: Mapping[Lane, int] = {
    outbox.errands: 1,
    outbox.codes: 2,
    outbox.texts: 2,
    outbox.letters: 2,
    outbox.to_products: 8,
    outbox.to_products_again: 4,
    outbox.logos: 1,
}


def run(held: Provider, stop: threading.Event) -> None:
    """Until `stop` is set. A product that hangs keeps one of the threads at most."""
    senders = senders_of(held)
    deliverers = [
        threading.Thread(target=_deliver_until, args=(held, senders, lane, stop), daemon=True)
        for lane, count in THREADS.items()
        for _ in range(count)
    ]
    others = [
        threading.Thread(target=_work_until, args=(held, batch, stop), daemon=True)
        for batch in (import_people, sign_out, wind_up)
    ]
    for thread in (*deliverers, *others):
        thread.start()
    while not stop.wait(SWEEP_SECONDS):
        sweep(held)
    for thread in deliverers:
        thread.join()


def senders_of(held: Provider) -> Mapping[str, Sender]:
    """A sender for each kind of message."""
    return senders_by(held, partial(letters.write, create_pages(held)))


def senders_by(held: Provider, write_letter: WriteLetter) -> Mapping[str, Sender]:
    """The same, where the pages that letters are written by are there already."""
    post_letter = letter_poster(held.settings, held.database)
    post_text = text_poster(held.settings, held.database)
    return {
        outbox.LETTER: lambda message, now: post_letter(
            write_letter(message.payload), message.id, now
        ),
        outbox.CODE: lambda message, now: send_code(held, write_letter, post_letter, message, now),
        outbox.TEXT: lambda message, now: send_code(held, write_letter, post_text, message, now),
        outbox.LOGO: lambda message, now: fetch_logo(held, message),
        logout.MESSAGE: lambda message, now: tell_product(held, message, now),
        audit_chain.MESSAGE: lambda message, now: write_event_letters(held, message, now),
        access_steps.MESSAGE: lambda message, now: follow_access(held, message, now),
        resetting.MESSAGE: lambda message, now: write_reset_letter(held, message, now),
        sign_up.MESSAGE: lambda message, now: write_sign_up_letter(held, message, now),
    }


def _deliver_until(
    held: Provider, senders: Mapping[str, Sender], lane: Lane, stop: threading.Event
) -> None:
    while not stop.is_set():
        try:
            claimed = delivery.deliver_due(held.database, senders, watch, held.clock(), [lane])
        except StoreUnavailable as problem:
            log.warning("away", why=problem.detail)
            stop.wait(AWAY_SECONDS)
        except Exception:
            log.exception("failed")
            stop.wait(AWAY_SECONDS)
        else:
            if not claimed:
                stop.wait(IDLE_SECONDS)


def _work_until(held: Provider, batch: Callable[[Provider], bool], stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            is_busy = batch(held)
        except StoreUnavailable as problem:
            log.warning("away", why=problem.detail)
            stop.wait(AWAY_SECONDS)
        except Exception:
            log.exception("failed")
            stop.wait(AWAY_SECONDS)
        else:
            if not is_busy:
                stop.wait(BATCH_SECONDS)


def import_people(held: Provider) -> bool:
    """A batch of an import; False if none waits."""
    now = held.clock()
    return importing.work(held.database, held.catalog.current(now), held.secret_keys, now)


def sign_out(held: Provider) -> bool:
    """A batch of the people of a company that was suspended; False if none waits."""
    return sign_outs.go_on(held.database, held.clock())


def wind_up(held: Provider) -> bool:
    """A step of what is left of a company that has ended; False if none waits."""
    now = held.clock()
    return winding_up.go_on(held.database, held.catalog.current(now), now)


def send_code(
    held: Provider,
    write: WriteLetter,
    post: PostLetter,
    message: Message,
    now: float,
) -> None:
    """Not once it has expired, however long it has waited for the one before it: nobody could do
    anything with it."""
    if held.clock() >= message.payload["expires_at"]:
        raise Undelivered("the code has expired", refused=True)
    post(write(message.payload), message.id, now)


def tell_product(held: Provider, message: Message, now: float) -> None:
    """Back-Channel Logout 1.0 section 2.5: 200 or 204 is a receipt, 400 a refusal, all else is
    tried again. The token is made now, since it lives two minutes."""
    client = find_client(held, message.client_id or "", now)
    if client is None or client.backchannel_logout_uri is None:
        raise Undelivered("the client takes no back-channel logout any more", refused=True)
    with held.database.connection() as db:
        if ending.is_signed_in_again(db, message):
            raise Undelivered("the person has signed into the product again since", refused=True)
    key = held.key_ring.current(now).signer(client.id_token_signed_response_alg, now)
    claims = logout.logout_token_claims(
        held.settings.issuer, client, message.payload, held.secret_keys, now
    )
    token = _for_product(held, client, mint(key, LOGOUT_TOKEN, claims), now)
    try:
        allowed = held.settings.reachable_networks
        status = post_form(client.backchannel_logout_uri, {"logout_token": token}, allowed)
    except Unreachable as problem:
        raise Undelivered(f"the product could not be reached: {problem}") from problem
    if status == 400:
        raise Undelivered("the product refused it: 400", refused=True)
    if status not in (200, 204):
        raise Undelivered(f"the product answered {status}")


def _for_product(held: Provider, client: Client, token: str, now: float) -> str:
    """Encrypted as its ID tokens are (Back-Channel Logout 1.0 section 2.4)."""
    try:
        return encrypted(client, held.client_keys, encrypted_responses.ID_TOKEN, token, now)
    except (NotEncryptable, Busy) as problem:
        raise Undelivered(problem.detail) from problem


def fetch_logo(held: Provider, message: Message) -> None:
    client_id, uri = message.payload["client_id"], message.payload["uri"]
    client_logos.fetch(held.database, held.settings.reachable_networks, client_id, uri)


def write_event_letters(held: Provider, message: Message, now: float) -> None:
    with held.database.transaction() as db:
        event_letters.write(db, **message.payload, issuer=held.settings.issuer, now=now)


def write_reset_letter(held: Provider, message: Message, now: float) -> None:
    with held.database.transaction() as db:
        resetting.write_letter(db, held.secret_keys, message.payload, now)


def write_sign_up_letter(held: Provider, message: Message, now: float) -> None:
    with held.database.transaction() as db:
        sign_up.write_letter(db, held.secret_keys, message.payload, held.settings.issuer, now)


def follow_access(held: Provider, message: Message, now: float) -> None:
    """What an access request's step means to others: letters, and at its end the products."""
    with held.database.transaction() as db:
        concerned = access_letters.find(db, message.payload["request"])
        if concerned is None:
            return
        step = message.payload["step"]
        if step == access_requests.ENDED and concerned.membership_id:
            memberships.end(db, concerned.membership_id)
            ending.end_of_membership(db, concerned.user_id, concerned.membership_id, now)
        access_letters.write(db, concerned, step, held.settings.issuer, now)


def watch(db: Connection, message: Message, status: str, error: str, now: float) -> None:
    """The audit hears how each sign-out ended (product.md N6)."""
    MEASURES.count("deliveries", message.kind, status)
    if message.kind != logout.MESSAGE:
        return
    tag = "logout.delivered" if status == outbox.DELIVERED else "logout.undelivered"
    audit.record(
        db,
        tag,
        now,
        actor=message.payload["sub"],
        client=message.client_id,
        session=message.session_id,
        attempts=message.attempts,
        reason=error,
    )


def sweep(held: Provider) -> None:
    """Every errand of the clock's, whatever becomes of the others."""
    for errand in ERRANDS:
        try:
            with TRACES.errand(errand.__name__.strip("_"), {}):
                errand(held, held.clock())
        except StoreUnavailable as problem:
            log.warning("away", why=problem.detail)
        except Exception:
            log.exception("failed")


def _forget(held: Provider, now: float) -> None:
    retention.sweep(held.database, now)


def _look_at_domains(held: Provider, now: float) -> None:
    domain_looks.recheck(held.database, held.settings, now)


def remind_of_passwords(held: Provider, now: float) -> int:
    """How many letters."""
    known, issuer = held.catalog.current(now), held.settings.issuer
    return password_reminders.write_due(held.database, held.ephemeral, known, issuer, now)


def rotate_keys(held: Provider, now: float) -> None:
    """A transaction for each: while a key is made, nobody else can write."""
    keys, settings = held.secret_keys, held.settings
    with held.database.connection(durable=False) as db:
        due = key_schedule.due(db, settings.signing_key_max_age, now)
        key_schedule.erase_spent(db, now)
    for alg in due:
        with held.database.transaction() as db:
            signing_keys.rotate(db, keys, alg, settings.signing_key_lead, now)


def expire_access(held: Provider, now: float) -> None:
    """What a date has ended is written down and told; it was over without that."""
    catalog = held.catalog.current(now)
    with operation(held.database, catalog, NOBODY, now, NOWHERE) as by_date:
        deciding.expire(by_date)


ERRANDS: Sequence[Callable[[Provider, float], object]] = (
    *(expire_access, _forget, _look_at_domains, remind_of_passwords, rotate_keys),
    health.tell_of_worker,
)
