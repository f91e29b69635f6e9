"""The situation that a decision rests on: the request, the attempt, the session, what is proven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from idp.credentials import factors
from idp.database import Connection
from idp.directory.products import CONSOLE
from idp.grants import consent
from idp.login.attempt import ABOUT, AUTHORIZE, CONSOLE_PAGE, DECOUPLED, PAGE, PUSHED_AS, Attempt
from idp.login.counting import counting_in, vouched_by
from idp.login.entries import entries_of
from idp.login.next_step import next_step, opening
from idp.login.proven import proven_so_far
from idp.login.steps import (
    Allowed,
    Asked,
    Decision,
    Done,
    Enrolled,
    Entry,
    Proven,
    Step,
    ToProve,
    step_of,
)
from idp.oidc.authorization_request import (
    Arrival,
    AuthorizationRequest,
    HintReader,
    parse,
    parse_decoupled,
)
from idp.oidc.parameters import Parameters
from idp.policies.assurance import Proofs
from idp.provider import Provider, catalog_with, read_id_token
from idp.sessions.browser import BrowserSession, Evidence


class Situation(NamedTuple):
    """All that a decision rests on. `request` is None when no product asks. `evidence` is what a
    grant would rest on: the proofs that the request lets count."""

    request: AuthorizationRequest | None
    attempt: Attempt | None
    session: BrowserSession | None
    proven: Proven
    entries: Sequence[Entry]
    decision: Decision
    counting: Proofs
    vouched_by: str

    @property
    def step(self) -> Step | None:
        """The page to show, if anything is left to ask."""
        return step_of(self.decision)

    @property
    def evidence(self) -> Evidence:
        assert self.proven.user_id
        return Evidence(self.proven.user_id, self.counting, self.vouched_by)


class Judged(NamedTuple):
    """A page of ours: what is missing, of whom, and what of their proofs counts there."""

    decision: Decision
    entries: Sequence[Entry]
    counting: Proofs


def read_request(provider: Provider, arrival: Arrival, now: float) -> AuthorizationRequest:
    """Raises PageRefusal or RefusedRequest."""
    must_be_pushed = provider.settings.require_pushed_authorization_requests
    client_id = arrival.parameters.get("client_id") or ""
    catalog, read_hint = catalog_with(provider, client_id, now), _hint_reader(provider, now)
    keys = provider.secret_keys
    return parse(arrival, catalog, keys, read_hint, must_be_pushed=must_be_pushed)


def read_decoupled(provider: Provider, sent: Parameters, now: float) -> AuthorizationRequest:
    """Raises PageRefusal or OAuthRefusal. An ID token that hints at somebody is the client's own
    (CIBA Core section 7.1): no browser says who is there, so it says who is asked."""
    client_id = sent.get("client_id") or ""
    catalog = catalog_with(provider, client_id, now)
    read_hint = _hint_reader(provider, now, expected_audience=client_id)
    read = parse_decoupled(sent, catalog, provider.secret_keys, read_hint)
    about = sent.get(ABOUT)
    return replace(read, hinted_subject=about) if about else read


def opening_for(
    provider: Provider, db: Connection, parsed: AuthorizationRequest, user_id: str, now: float
) -> list[Entry]:
    """What the product would open in for that person, if they signed in."""
    asked = _asked_by_product(provider, parsed, now)
    return opening(asked, entries_of(provider.settings, db, user_id, asked, now))


def _hint_reader(
    provider: Provider, now: float, *, expected_audience: str | None = None
) -> HintReader:
    """Of an ID token for anybody, unless it has to be for one client."""

    def subject_of(hint: str) -> str | None:
        claims = read_id_token(provider, hint, now)
        if claims is None or expected_audience not in (None, claims["aud"]):
            return None
        return str(claims["sub"])

    return subject_of


def resumed(
    provider: Provider, db: Connection, attempt: Attempt, session: BrowserSession | None, now: float
) -> Situation:
    """Of a sign-in that has begun. Raises RefusedRequest, and where no browser brought the request
    OAuthRefusal, if its client has changed since."""
    parsed, begun = None, Parameters(attempt.parameters, frozenset())
    if attempt.destination == AUTHORIZE:
        pushed_as = begun.get(PUSHED_AS) or ""
        arrival = Arrival(begun, is_pushed=True, is_signed=True, pushed_as=pushed_as)
        parsed = read_request(provider, arrival, now)
    elif attempt.destination == DECOUPLED:
        parsed = read_decoupled(provider, begun, now)
    return assess(provider, db, parsed, attempt, session, now)


def assess(
    provider: Provider,
    db: Connection,
    parsed: AuthorizationRequest | None,
    attempt: Attempt | None,
    session: BrowserSession | None,
    now: float,
) -> Situation:
    asked = _asked(provider, parsed, attempt, now)
    proven = proven_by(provider, db, attempt, session, now)
    entries: list[Entry] = []
    if proven.user_id:
        entries = entries_of(provider.settings, db, proven.user_id, asked, now)
    if proven.user_id and parsed and asked.needs_consent and not proven.consent_is_fresh:
        given = consent.find(db, proven.user_id, parsed.client)
        allowed = {each.rests_on: Allowed(each.consent_id, each.scope) for each in given}
        proven = replace(proven, allowed=allowed)
    decision, proven = _decide(db, asked, proven, entries, now)
    going_on = _going_on(decision, entries)
    proofs = counting_in(asked, proven, going_on, now)
    by = vouched_by(asked, proven, going_on, now)
    return Situation(parsed, attempt, session, proven, entries, decision, proofs, by)


def _going_on(decision: Decision, entries: Sequence[Entry]) -> Sequence[Entry]:
    """As what was decided, or as all that they are."""
    standing = decision.standing if isinstance(decision, Done) else None
    return [each for each in entries if each.standing is standing] or entries


def proven_by(
    provider: Provider,
    db: Connection,
    attempt: Attempt | None,
    session: BrowserSession | None,
    now: float,
) -> Proven:
    providers = provider.catalog.current(now).providers
    return proven_so_far(provider.settings, providers, db, attempt, session, now)


def _decide(
    db: Connection, asked: Asked, proven: Proven, entries: Sequence[Entry], now: float
) -> tuple[Decision, Proven]:
    """What somebody has enrolled is looked up for those who lack a second factor alone."""
    decision = next_step(asked, proven, entries, now)
    if not isinstance(decision, ToProve) or proven.enrolled is not None:
        return decision, proven
    assert proven.user_id
    enrolled = tuple(
        Enrolled(each.method, each.enrolled_at) for each in factors.enrolled(db, proven.user_id)
    )
    proven = replace(proven, enrolled=enrolled)
    return next_step(asked, proven, entries, now), proven


def at_page(
    provider: Provider,
    db: Connection,
    session: BrowserSession | None,
    asked: Asked,
    now: float,
) -> Judged:
    """What is missing before a page of ours may be shown."""
    proven = proven_by(provider, db, None, session, now)
    decision, entries, proven = weighed(provider, db, proven, asked, now)
    going_on = _going_on(decision, entries)
    return Judged(decision, entries, counting_in(asked, proven, going_on, now))


def weighed(
    provider: Provider, db: Connection, proven: Proven, asked: Asked, now: float
) -> tuple[Decision, Sequence[Entry], Proven]:
    """Of what is proven, with what had to be looked up of it, so that whoever asks about more than
    one product looks it up once."""
    entries: list[Entry] = []
    if proven.user_id:
        entries = entries_of(provider.settings, db, proven.user_id, asked, now)
    decision, proven = _decide(db, asked, proven, entries, now)
    return decision, entries, proven


def asked_by_console(
    provider: Provider, tenant: str | None, max_age: int | None, acr: str | None, now: float
) -> Asked:
    """The console is a product like any other, and `tenant` the slug in the page's address. The
    operators' pages have no tenant."""
    return Asked(
        product=provider.catalog.current(now).products[CONSOLE] if tenant else None,
        tenant=tenant,
        max_age=max_age,
        essential_acr=(acr,) if acr else (),
        is_operators_page=tenant is None,
        is_platform=tenant is None and provider.settings.operator_second_factor,
    )


def asked_by_account(max_age: int | None, *, own_level: bool) -> Asked:
    """A page of the person's own; `own_level` where they change how they sign in."""
    return Asked(max_age=max_age, own_level=own_level, is_own_page=True)


def _asked(
    provider: Provider, parsed: AuthorizationRequest | None, attempt: Attempt | None, now: float
) -> Asked:
    if parsed is None:
        asked = _asked_by_page(provider, attempt, now)
    else:
        asked = _asked_by_product(provider, parsed, now)
    links = attempt is not None and bool(attempt.linking)
    return replace(asked, own_level=True) if links else asked


def _asked_by_product(provider: Provider, parsed: AuthorizationRequest, now: float) -> Asked:
    product = provider.catalog.current(now).product_of(parsed.client)
    return Asked(
        product=product,
        targets=parsed.targets,
        prompt=parsed.prompt,
        max_age=parsed.max_age,
        hinted_subject=parsed.hinted_subject,
        tenant=parsed.tenant,
        essential_acr=parsed.essential_acr,
        acr_values=parsed.acr_values,
        is_platform=product.is_platform and provider.settings.operator_second_factor,
        scope=parsed.consent_scope,
        client_tenant_id=parsed.client.tenant_id,
        details=parsed.details_text,
        needs_consent=not parsed.client.first_party
        or "consent" in parsed.prompt
        or bool(parsed.details),
    )


def _asked_by_page(provider: Provider, attempt: Attempt | None, now: float) -> Asked:
    wanted = attempt.parameters if attempt else {}
    max_age = int(wanted["max_age"]) if "max_age" in wanted else None
    if attempt and attempt.destination == CONSOLE_PAGE:
        return asked_by_console(provider, wanted.get("tenant"), max_age, wanted.get("acr"), now)
    if attempt and attempt.destination == PAGE:
        return asked_by_account(max_age, own_level="own_level" in wanted)
    return Asked()
