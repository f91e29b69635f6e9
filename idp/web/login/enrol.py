"""Setting up a second factor on the way in: a choice among what would do (product.md M2, M3, M6).

Nothing is stored before a code has shown that it works. After it, ten recovery codes are shown.
"""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, render_template, request
from flask_babel import get_locale
from flask_babel import gettext as _
from markupsafe import Markup
from werkzeug.wrappers import Response

from idp.credentials import factors, phone_numbers, sent_code, totp
from idp.credentials.code_destinations import EMAIL, SMS
from idp.credentials.enrolled import Evidence
from idp.credentials.passkeys import PASSKEY
from idp.credentials.phone_numbers import PhoneMistake
from idp.credentials.second_factor_tries import SecondFactorRefused
from idp.credentials.sent_code import ENROL, Place
from idp.database import Connection
from idp.directory import skipping
from idp.login.attempt import Attempt, AttemptOver
from idp.login.steps import Step, ToEnrol
from idp.policies.mfa import METHODS, Why
from idp.sessions import holding
from idp.situation import Situation
from idp.web import requirement_words
from idp.web.context import now, origin, provider
from idp.web.login import recovery_codes, step
from idp.web.login.step import Who

blueprint = Blueprint("enrol", __name__)

MAX_CODE = 64


class Enrolment(NamedTuple):
    """Who has to set up one of `methods`, of which one may be `chosen` already."""

    attempt: Attempt
    person: Who
    situation: Situation
    methods: list[str]
    chosen: str

    @property
    def asked(self) -> ToEnrol:
        assert isinstance(self.situation.decision, ToEnrol)
        return self.situation.decision

    @property
    def may_skip(self) -> bool:
        return self.asked.requirement.may_skip

    def hold(self, db: Connection) -> None:
        """A `Hold` on what they had proven before they enrol. Raises AttemptOver."""
        proven, session = self.situation.proven, self.situation.session
        added_to = session.id if session and not proven.is_fresh else None
        if not holding.hold(db, self.person.id, proven.auth_time, added_to):
            raise AttemptOver("what it had proven has ended")

    def has_others(self) -> bool:
        """Whether what is set up now is not their first."""
        with provider().database.connection() as db:
            return bool(factors.enrolled(db, self.person.id))


@blueprint.get("/login/enrol")
def show() -> Response | str:
    attempt = step.load()
    enrolment = enrolment_of(attempt, request.args.get("method", ""))
    if enrolment is None:
        return step.back_to_authorize(attempt)
    return page(enrolment, {}, was_sent="sent" in request.args)


@blueprint.post("/login/enrol")
def submit() -> Response | tuple[str, int]:
    attempt = step.load()
    enrolment = enrolment_of(attempt, request.form.get("method", ""))
    if enrolment is None or step.who_answered(attempt) is None:
        return step.back_to_authorize(attempt)
    action = request.form.get("action")
    if action == "skip" and enrolment.may_skip:
        return _skip(enrolment)
    if not enrolment.chosen:
        return step.to_page("enrol", attempt)
    if enrolment.chosen == PASSKEY:
        return step.to_page("enrol", attempt, method=PASSKEY)
    if action == "send" and enrolment.chosen in (SMS, EMAIL):
        return _send(enrolment)
    return _confirm(enrolment, request.form.get("code", "").strip())


def enrolment_of(attempt: Attempt, claimed_method: str) -> Enrolment | None:
    """None where `/authorize` does not ask for this."""
    situation, person = step.asked(attempt, Step.ENROL), step.who(attempt)
    if situation is None or person is None or person.id != situation.proven.user_id:
        return None
    assert isinstance(situation.decision, ToEnrol)
    would_do = situation.decision.requirement.methods
    methods = [each for each in METHODS if each in would_do and _is_possible(each)]
    chosen = claimed_method if claimed_method in methods else ""
    return Enrolment(attempt, person, situation, methods, chosen)


def _is_possible(method: str) -> bool:
    """What can be set up here."""
    settings = provider().settings
    needed = {SMS: settings.sends_texts, PASSKEY: bool(settings.relying_party_id)}
    return needed.get(method, method in (totp.METHOD, EMAIL))


def _skip(enrolment: Enrolment) -> Response:
    """Remembered by the companies that leave one free to, and for this sign-in by whoever else
    asked."""
    demands = enrolment.asked.requirement.demands
    free = {each.tenant_id for each in demands if each.why is Why.KIND_OPTIONAL}
    with provider().database.transaction() as db:
        for tenant_id in sorted(free):
            skipping.skip(db, enrolment.person.id, tenant_id, now())
    return step.proceed(enrolment.attempt.choose(enrolment.person.id, skipped=True))


def _send(enrolment: Enrolment) -> Response | tuple[str, int]:
    """The same answer, whether there was room for one more or not (security.md S52)."""
    held, number = provider(), ""
    if enrolment.chosen == SMS:
        try:
            number = _number(enrolment)
        except PhoneMistake as mistake:
            typed = request.form.get("number", "")
            return page(enrolment, {"number": _(str(mistake))}, number=typed), 400
    sent_code.send(
        *(held.database, held.secret_keys, held.settings, _place(enrolment), now(), origin()),
        number=number,
        tenant_id=step.company_of(enrolment.situation),
        locale=str(get_locale() or ""),
    )
    return step.to_page("enrol", enrolment.attempt, method=enrolment.chosen, sent="1")


def _number(enrolment: Enrolment) -> str:
    """The one that was typed, which is kept for another code to it. Raises PhoneMistake."""
    held, key = provider(), _number_key(enrolment)
    if "number" not in request.form:
        return phone_numbers.read(held.settings, held.ephemeral.read(key, now()) or "")
    number = phone_numbers.read(held.settings, request.form["number"])
    held.ephemeral.put(key, number, held.settings.attempt_lifetime, now())
    return number


def _number_key(enrolment: Enrolment) -> str:
    return f"phone to enrol:{enrolment.person.id}:{step.binding(enrolment.attempt)}"


def _place(enrolment: Enrolment) -> Place:
    binding = step.binding(enrolment.attempt)
    return Place(enrolment.person.id, enrolment.chosen, ENROL, binding)


def _confirm(enrolment: Enrolment, code: str) -> Response | tuple[str, int]:
    if not code:
        return page(enrolment, {"code": _("Enter the code.")}, was_sent=True), 400
    has_others = enrolment.has_others()
    try:
        evidence = _enrol(enrolment, code[:MAX_CODE])
    except SecondFactorRefused as refusal:
        return page(enrolment, {"code": _(refusal.public_message)}, was_sent=True), 400
    return go_on(enrolment, evidence, has_others)


def go_on(enrolment: Enrolment, evidence: Evidence, has_others: bool) -> Response:
    """With what was enrolled just now, which is proven too, and ten codes to save."""
    user_id = enrolment.person.id
    with provider().database.transaction() as db:
        skipping.forget(db, user_id)
    proven = enrolment.attempt.prove(
        user_id, evidence.method, now(), evidence.enrolled_at, first=not has_others
    )
    return recovery_codes.show_new(proven, user_id, enrolment.hold)


def _enrol(enrolment: Enrolment, code: str) -> Evidence:
    """Raises SecondFactorRefused."""
    held, user_id = provider(), enrolment.person.id
    if enrolment.chosen == totp.METHOD:
        stores = (held.database, held.ephemeral, held.secret_keys, enrolment.hold)
        binding = step.binding(enrolment.attempt)
        return totp.enrol(*stores, user_id, binding, code, now(), origin())
    place = _place(enrolment)
    keys = (held.database, held.secret_keys, held.settings, enrolment.hold)
    return sent_code.enrol(*keys, place, code, now(), origin())


def page(
    enrolment: Enrolment, errors: dict[str, str], *, was_sent: bool = False, number: str = ""
) -> str:
    attempt = enrolment.attempt
    others = [each for each in enrolment.methods if each != enrolment.chosen]
    return render_template(
        f"login/enrol_{_TEMPLATES[enrolment.chosen]}.html",
        action="/login/enrol",
        attempt=attempt.id,
        person=enrolment.person,
        product=step.product_of(attempt),
        method=enrolment.chosen,
        ways=[(each, step.page_url("enrol", attempt, method=each)) for each in others],
        all_ways_url=step.page_url("enrol", attempt),
        may_skip=enrolment.may_skip,
        reasons=requirement_words.reasons(enrolment.asked.requirement),
        was_sent=was_sent,
        number=number,
        destination=_destination(enrolment) if was_sent else "",
        change_url=step.page_url("enrol", attempt, method=enrolment.chosen),
        wait=int(sent_code.RESEND_AFTER),
        party=provider().settings.relying_party_id,
        label=request.form.get("label", ""),
        errors=errors,
        not_me_url=step.page_url("password", attempt, other="1"),
        **_offer(enrolment),
    )


_TEMPLATES = {"": "choice", PASSKEY: "key", totp.METHOD: "app", SMS: "code", EMAIL: "code"}


def _destination(enrolment: Enrolment) -> str:
    if enrolment.chosen == EMAIL:
        return enrolment.person.email
    number = provider().ephemeral.read(_number_key(enrolment), now())
    return phone_numbers.masked(number) if number else ""


def _offer(enrolment: Enrolment) -> dict[str, str]:
    """What an app has to be told, for as long as it is not enrolled."""
    if enrolment.chosen != totp.METHOD:
        return {}
    held, person = provider(), enrolment.person
    binding, lifetime = step.binding(enrolment.attempt), held.settings.attempt_lifetime
    offer = totp.offer(held.ephemeral, person.id, person.email, binding, lifetime, now())
    return {"picture": Markup(offer.picture()), "secret": offer.groups, "address": offer.address}  # noqa: S704 - drawn by us
