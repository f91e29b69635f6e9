"""The challenge of a second factor: one of those that the person has and that would do (M2, M7).

A page proves one thing and goes back to `/authorize`, which has asked for it; it lets nobody in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flask import Blueprint, render_template, request
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.credentials import factors, recovery_codes, sent_code, totp
from idp.credentials.code_destinations import EMAIL, SMS
from idp.credentials.enrolled import Evidence, Factor
from idp.credentials.second_factor_tries import SecondFactorRefused
from idp.credentials.sent_code import SIGN_IN, Place
from idp.errors import PageRefusal, told
from idp.login.attempt import Attempt
from idp.login.steps import Step, ToProve
from idp.policies.assurance import PASSKEY, RECOVERY, SECURITY_KEY, TOTP
from idp.situation import Situation
from idp.web import requirement_words
from idp.web.context import catalog, now, origin, provider
from idp.web.details_words import ToldDetails
from idp.web.details_words import told as told_details
from idp.web.login import step
from idp.web.login.step import Who

blueprint = Blueprint("second_factor", __name__)

SENT = (SMS, EMAIL)
KEYS = (PASSKEY, SECURITY_KEY)  # any of them is asked for at once, by `second_factor_key.py`
BY_STRENGTH = (PASSKEY, SECURITY_KEY, TOTP, SMS, EMAIL, RECOVERY)
MAX_CODE = 64


class NoWay(PageRefusal):
    """What they have enrolled can't be used here, as a passkey where the issuer has no name."""

    def __init__(self) -> None:
        super().__init__(
            "access_denied",
            told("What you have set up can't be used here. Ask an account admin at your company."),
            "no enrolled second factor is possible",
            403,
        )


class Challenge(NamedTuple):
    """Who has to prove one of `methods`, by `theirs`, of which one is `chosen`; any of their keys
    that would do is in `keys`."""

    attempt: Attempt
    situation: Situation
    person: Who
    methods: list[str]
    theirs: dict[str, Factor]
    keys: frozenset[str]
    chosen: str

    @property
    def asked(self) -> ToProve:
        assert isinstance(self.situation.decision, ToProve)
        return self.situation.decision


@blueprint.get("/login/second_factor")
def show() -> Response | str:
    attempt = step.load()
    challenge = challenge_of(attempt, request.args.get("method", ""))
    if challenge is None:
        return step.back_to_authorize(attempt)
    return page(challenge, {}, was_sent="sent" in request.args)


@blueprint.post("/login/second_factor")
def submit() -> Response | tuple[str, int]:
    attempt = step.load()
    challenge = challenge_of(attempt, request.form.get("method", ""))
    if challenge is None or step.who_answered(attempt) is None:
        return step.back_to_authorize(attempt)
    if challenge.chosen != request.form.get("method") or challenge.chosen in KEYS:
        return step.back_to_authorize(attempt)
    if request.form.get("action") == "send" and challenge.chosen in SENT:
        return _send(challenge)
    code = request.form.get("code", "").strip()
    if not code:
        return page(challenge, {"code": _("Enter the code.")}, was_sent=True), 400
    try:
        evidence = _PROVE[challenge.chosen](challenge, code[:MAX_CODE])
    except SecondFactorRefused as refusal:
        return page(challenge, {"code": _(refusal.public_message)}, was_sent=True, failed=True), 400
    enrolled_at = challenge.theirs[evidence.method].enrolled_at
    return step.proceed(attempt.prove(challenge.person.id, evidence.method, now(), enrolled_at))


def challenge_of(attempt: Attempt, claimed_method: str) -> Challenge | None:
    """None where `/authorize` does not ask for this. Raises NoWay."""
    situation, person = step.asked(attempt, Step.SECOND_FACTOR), step.who(attempt)
    if situation is None or person is None or person.id != situation.proven.user_id:
        return None
    assert isinstance(situation.decision, ToProve)
    with provider().database.connection() as db:
        found = [
            each for each in factors.enrolled(db, person.id) if _would_do(situation.decision, each)
        ]
    theirs = {each.method: each for each in found}
    methods = [method for method in BY_STRENGTH if method in theirs and _is_possible(method)]
    if set(KEYS) <= set(methods):
        methods.remove(SECURITY_KEY)
    if not methods:
        raise NoWay
    chosen = claimed_method if claimed_method in methods else _first(methods, theirs)
    keys = frozenset(each.id for each in found if each.method in KEYS)
    return Challenge(attempt, situation, person, methods, theirs, keys, chosen)


def _would_do(asked: ToProve, factor: Factor) -> bool:
    """Of two of a kind, one may have been enrolled too long ago (product.md M5)."""
    counts = asked.requirement.counts(factor.method, factor.enrolled_at)
    return factor.method in (asked.methods or ()) and (counts or asked.before_enrolling)


def _is_possible(method: str) -> bool:
    return method in _PROVE or bool(method in KEYS and provider().settings.relying_party_id)


def _first(methods: list[str], theirs: dict[str, Factor]) -> str:
    """The one that was used last, though no recovery code; else the strongest."""
    lasting = [each for each in methods if each != recovery_codes.METHOD] or methods
    return max(lasting, key=lambda each: theirs[each].last_used_at or 0.0)


def _details(found: Situation) -> list[ToldDetails]:
    """What comes after it is for: whoever proves themselves knows it."""
    return told_details(found.request.details, catalog()) if found.request else []


def _send(challenge: Challenge) -> Response:
    """The same answer, whether there was room for one more or not (security.md S52)."""
    held = provider()
    sent_code.send(
        *(held.database, held.secret_keys, held.settings, place(challenge), now(), origin()),
        tenant_id=step.company_of(challenge.situation),
        locale=str(get_locale() or ""),
    )
    return step.to_page("second_factor", challenge.attempt, method=challenge.chosen, sent="1")


def place(challenge: Challenge) -> Place:
    binding = step.binding(challenge.attempt)
    return Place(challenge.person.id, challenge.chosen, SIGN_IN, binding)


def _by_app(challenge: Challenge, code: str) -> Evidence:
    held = provider()
    stores = (held.database, held.secret_keys, held.settings)
    return totp.verify(*stores, challenge.person.id, code, now(), origin())


def _by_sent_code(challenge: Challenge, code: str) -> Evidence:
    held = provider()
    stores = (held.database, held.secret_keys, held.settings)
    return sent_code.verify(*stores, place(challenge), code, now(), origin())


def _by_recovery_code(challenge: Challenge, code: str) -> Evidence:
    held = provider()
    stores = (held.database, held.secret_keys, held.settings)
    return recovery_codes.verify(*stores, challenge.person.id, code, now(), origin())


_PROVE: dict[str, Callable[[Challenge, str], Evidence]] = {
    totp.METHOD: _by_app,
    SMS: _by_sent_code,
    EMAIL: _by_sent_code,
    recovery_codes.METHOD: _by_recovery_code,
}


def page(
    challenge: Challenge, errors: dict[str, str], *, was_sent: bool = False, failed: bool = False
) -> str:
    attempt, settings = challenge.attempt, provider().settings
    return render_template(
        "login/second_factor.html",
        action="/login/second_factor",
        attempt=attempt.id,
        person=challenge.person,
        product=step.product_of(attempt),
        method=challenge.chosen,
        needs_sending=challenge.chosen in SENT and not was_sent,
        is_sent=challenge.chosen in SENT,
        destination=challenge.theirs[challenge.chosen].label or challenge.person.email,
        wait=int(sent_code.RESEND_AFTER),
        before_enrolling=challenge.asked.before_enrolling,
        details=_details(challenge.situation),
        reasons=requirement_words.reasons(challenge.asked.requirement),
        party=settings.relying_party_id if challenge.chosen in KEYS else "",
        others=[
            (each, step.page_url("second_factor", attempt, method=each))
            for each in challenge.methods
            if each != challenge.chosen
        ],
        tries=settings.second_factor_threshold if failed else None,
        minutes=settings.second_factor_pause // 60,
        errors=errors,
        not_me_url=step.page_url("password", attempt, other="1"),
    )
