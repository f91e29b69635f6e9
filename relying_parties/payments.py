"""Secure Payments: payouts, sent only by those whose role says so."""

import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

import requests
from flask import Blueprint, Flask, abort, current_app, redirect, render_template, request
from werkzeug.wrappers import Response

from relying_parties.base.api_access import challenge_for, token_with
from relying_parties.base.app import create_product_app
from relying_parties.base.configuration import Configuration, configuration_from_environment
from relying_parties.base.expiring import ExpiringValues
from relying_parties.base.gate import check_form_token, signed_in
from relying_parties.base.pages import AWAY, NO_PERMISSION, problem_page
from relying_parties.base.product import Face, Section, current_product
from relying_parties.base.sessions import AppSession
from relying_parties.base.sign_in import send_to_step_up
from relying_parties.base.step_up import StepUp, read_challenge
from relying_parties.sample_data.payouts import Ledger, Payee, Payout, ledger_of

FACE = Face(
    key="payments",
    name="Secure Payments",
    icon="shield-dollar",
    color="#4a3fb5",
    promise="Money out, with the right person behind every payout.",
    sections=(
        Section("Payouts", "/", "payouts.read"),
        Section("Send a payout", "/payouts/new", "payouts.send"),
    ),
)
PORT = 8002
THRESHOLD = Decimal(10_000)
TWO_FACTORS = StepUp(("aal2", "phr"), max_age=300)
API_TIMEOUT_SECONDS = 10
DRAFT_SECONDS = 900
screens = Blueprint("payments", __name__)


@dataclass(frozen=True)
class Order:
    """A payout that somebody asked for, checked, not yet sent."""

    payee: Payee
    amount: Decimal
    purpose: str

    @property
    def is_large(self) -> bool:
        return self.amount >= THRESHOLD


@dataclass(frozen=True)
class Draft:
    """A large order that waits until its sender has proven who they are, twice over."""

    order: Order
    sub: str
    tenant: str


def create_app(configuration: Configuration, *, clock: Callable[[], float] = time.time) -> Flask:
    app = create_product_app(FACE, configuration, screens=screens, main_screen=payouts, clock=clock)
    app.extensions["ledgers"] = {}
    app.extensions["drafts"] = ExpiringValues(clock=clock, capacity=1000)
    return app


def create_app_from_environment() -> Flask:
    """For any WSGI server: `relying_parties.payments:create_app_from_environment()`."""
    base_url = f"http://localhost:{PORT}"
    return create_app(
        configuration_from_environment(os.environ, client_id=FACE.key, base_url=base_url)
    )


def payouts(session: AppSession) -> Any:
    if not session.may("payouts.read"):
        return problem_page(NO_PERMISSION)
    ledger = _ledger(session.tenant)
    return render_template("payments/payouts.html", ledger=ledger, threshold=THRESHOLD)


@screens.get("/payouts/new")
@signed_in(permission="payouts.send")
def new_payout(session: AppSession) -> str:
    return _form(_ledger(session.tenant), {}, {})


@screens.post("/payouts")
@signed_in(permission="payouts.send")
def send_payout(session: AppSession) -> Any:
    check_form_token(session)
    ledger = _ledger(session.tenant)
    order, problems = read_order(request.form, ledger)
    if order is None:
        return _form(ledger, request.form, problems), 422
    if order.is_large:
        draft_id = secrets.token_urlsafe(16)
        _drafts().set(draft_id, Draft(order, session.sub, session.tenant), DRAFT_SECONDS)
        return redirect(f"/payouts/review/{draft_id}", 303)
    return _sent(_send(ledger, order, session.name))


@screens.get("/payouts/review/<draft_id>")
@signed_in(permission="payouts.send")
def review(session: AppSession, draft_id: str) -> str:
    order = _own_draft(draft_id, session).order
    return render_template(
        "payments/review.html",
        order=order,
        draft_id=draft_id,
        threshold=THRESHOLD,
        is_strong=TWO_FACTORS.is_shown_by(session.claims, current_product().clock()),
    )


@screens.post("/payouts/review/<draft_id>")
@signed_in(permission="payouts.send")
def send_reviewed(session: AppSession, draft_id: str) -> Any:
    """By our own API, which has the last word: what its challenge asks for is asked of the
    provider, and the person comes back here."""
    check_form_token(session)
    order = _own_draft(draft_id, session).order
    _ledger(session.tenant).names[session.sub] = session.name
    answer = _ask_api(session, order, key=draft_id)
    asked = read_challenge(answer.headers.get("WWW-Authenticate"))
    if asked:
        return send_to_step_up(f"/payouts/review/{draft_id}", asked)
    if answer.status_code != 201:
        return problem_page(AWAY)
    _drafts().delete(draft_id)
    return redirect(f"/payouts/{answer.json()['reference']}?sent=1", 303)


@screens.get("/payouts/<reference>")
@signed_in(permission="payouts.read")
def payout_page(session: AppSession, reference: str) -> str:
    payout = _ledger(session.tenant).find(reference) or abort(404)
    return render_template("payments/payout.html", payout=payout, is_new="sent" in request.args)


@screens.get("/api/payouts")
@token_with(permission="payouts.read")
def api_payouts(claims: dict[str, Any]) -> dict[str, Any]:
    ledger = _ledger(str(claims.get("tenant", "")))
    return {"payouts": [_as_json(payout) for payout in ledger.payouts]}


@screens.post("/api/payouts")
@token_with(permission="payouts.send")
def api_send_payout(claims: dict[str, Any]) -> Any:
    """Send a payout given as JSON: payee, amount (a string), purpose."""
    asked = request.get_json(silent=True)
    ledger = _ledger(str(claims.get("tenant", "")))
    fields = {
        name: str(value) for name, value in (asked if isinstance(asked, dict) else {}).items()
    }
    order, problems = read_order(fields, ledger)
    if order is None:
        return {"error": "invalid_request", "fields": problems}, 422
    if order.is_large and not TWO_FACTORS.is_shown_by(claims, current_product().clock()):
        return challenge_for(TWO_FACTORS)
    sender = str(claims["sub"])
    key = request.headers.get("Idempotency-Key", "")
    sent = _send(ledger, order, ledger.names.get(sender, sender), key and f"{sender} {key}")
    return _as_json(sent), 201


def read_order(fields: Mapping[str, str], ledger: Ledger) -> tuple[Order | None, dict[str, str]]:
    """The order that a form or the API asks for, or what is wrong with which field."""
    problems = {}
    payee = ledger.find_payee(fields.get("payee", ""))
    if payee is None:
        problems["payee"] = "Choose who receives the money."
    amount = _amount(fields.get("amount", ""))
    if amount is None:
        problems["amount"] = "Enter an amount in dollars, such as 1,250.00."
    elif amount > ledger.available:
        problems["amount"] = f"At most ${ledger.available:,.2f} is available."
    purpose = " ".join(fields.get("purpose", "").split())
    if not 3 <= len(purpose) <= 80:
        problems["purpose"] = "Say in 3 to 80 characters what the money is for."
    if problems or payee is None or amount is None:
        return None, problems
    return Order(payee, amount, purpose), {}


def _amount(claimed: str) -> Decimal | None:
    digits = claimed.strip().removeprefix("$").replace(",", "")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", digits):
        return None
    return Decimal(digits) or None


def _form(ledger: Ledger, entered: Mapping[str, str], problems: dict[str, str]) -> str:
    return render_template(
        "payments/new_payout.html",
        ledger=ledger,
        entered=entered,
        problems=problems,
        threshold=THRESHOLD,
    )


def _send(ledger: Ledger, order: Order, sender: str, key: str = "") -> Payout:
    now = current_product().clock()
    return ledger.send(order.payee, order.amount, order.purpose, sender=sender, now=now, key=key)


def _ask_api(session: AppSession, order: Order, *, key: str) -> requests.Response:
    """Each draft is sent once, however often somebody presses the button."""
    return requests.post(
        current_product().configuration.own_url("/api/payouts"),
        json={
            "payee": order.payee.key,
            "amount": str(order.amount),
            "purpose": order.purpose,
        },
        headers={
            "Authorization": f"Bearer {session.tokens.access_token}",
            "Idempotency-Key": key,
        },
        timeout=API_TIMEOUT_SECONDS,
    )


def _sent(payout: Payout) -> Response:
    return redirect(f"/payouts/{payout.reference}?sent=1", 303)


def _own_draft(draft_id: str, session: AppSession) -> Draft:
    """A draft is seen by its author alone, in the tenant that it was written for."""
    draft = cast("Draft | None", _drafts().get(draft_id))
    if draft is None or (draft.sub, draft.tenant) != (session.sub, session.tenant):
        abort(404)
    return draft


def _ledger(tenant: str) -> Ledger:
    ledgers = cast("dict[str, Ledger]", current_app.extensions["ledgers"])
    if tenant not in ledgers:
        ledgers.setdefault(tenant, ledger_of(tenant))
    return ledgers[tenant]


def _drafts() -> ExpiringValues:
    return cast(ExpiringValues, current_app.extensions["drafts"])


def _as_json(payout: Payout) -> dict[str, str]:
    return {
        "reference": payout.reference,
        "payee": payout.payee.name,
        "amount": str(payout.amount),
        "purpose": payout.purpose,
        "created": payout.created.isoformat(),
        "status": payout.status,
    }
