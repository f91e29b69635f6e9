"""Who may open a page of the console: decided at every request by `next_step`, like any product.

A page that lacks something goes back to `/authorize`, which asks for it and returns here. A change
that needs a recent sign-in keeps what was filled in until that is done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial, wraps
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import orjson
from flask import redirect, request
from werkzeug.wrappers import Response

from idp import situation
from idp.database import Connection
from idp.directory import acting, operating
from idp.directory.acting import (
    RECENT,
    Actor,
    Administration,
    Forbidden,
    NotFound,
    RecentSignInNeeded,
    TenantName,
    administration,
)
from idp.directory.memberships import Standing
from idp.directory.operating import Operation, Operator, operation
from idp.directory.products import CONSOLE, PLATFORM
from idp.login import attempt as attempts
from idp.login.steps import Done, Step, step_of
from idp.operators import visits
from idp.operators.visits import Visit
from idp.policies import assurance
from idp.policies.assurance import Proofs
from idp.secret_values import new_secret
from idp.sessions import browser
from idp.sessions.browser import BrowserSession
from idp.situation import Judged
from idp.web.context import (
    browser_secret,
    catalog,
    current_session,
    judge_afresh,
    now,
    origin,
    provider,
)
from idp.web.manage import refusals

IN_A_PATH = "/:@!$&'()*+,;=~"  # besides letters and digits (RFC 3986 section 3.3)
KEPT_FOR = 600.0  # seconds that a form waits for its sign-in

View = Callable[..., Any]


class Beforehand(NamedTuple):
    """What takes long, and is done outside of the transaction: what `look` makes of what was sent,
    if `check`, which gets what the view gets, lets it."""

    check: Callable[..., object]
    look: Callable[[], Any]


class Proof(NamedTuple):
    """What a page wants beside its tenant's policy: a recent sign-in, and of what class."""

    is_recent: bool = False
    acr: str | None = None

    @property
    def max_age(self) -> int | None:
        return int(RECENT) if self.is_recent else None


def administers(
    *, recent: bool = False, reading: bool = False, beforehand: Beforehand | None = None
) -> Callable[[View], View]:
    """For a view of `/manage/<tenant>/…`: it gets an `Administration` instead of the slug. `recent`
    asks for a recent sign-in before a form is shown, rather than after it was filled in. `reading`
    is of a form that changes nothing, and keeps no writer waiting. What comes of `beforehand` the
    view gets as `sent`, and whoever sent it is judged again."""
    proof = Proof(recent)

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(tenant: str, **names: Any) -> Any:
            enter = partial(_at_tenant, tenant, proof, is_reading=reading or _is_reading())
            if beforehand:
                answer = _entered(_only_checked(beforehand), enter, tenant, names)
                if answer is not None:
                    return answer
                names["sent"] = beforehand.look()
                judge_afresh()
            return _entered(view, enter, tenant, names)

        return guarded

    return decorate


def _only_checked(beforehand: Beforehand) -> View:
    """Answers nothing; only who has to sign in first gets an answer."""

    def check(admin: Administration, **names: Any) -> None:
        beforehand.check(admin, **names)

    return check


def operates(*, recent: bool = False) -> Callable[[View], View]:
    """The same for a view of `/operate/…`, which gets an `Operation`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(**names: Any) -> Any:
            return _entered(view, lambda: _at_platform(Proof(recent)), None, names)

        return guarded

    return decorate


def _entered(view: View, enter: Callable[[], Any], slug: str | None, names: dict[str, Any]) -> Any:
    try:
        with enter() as admin:
            return view(admin, **names)
    except SignInFirst as first:
        return _sign_in_first(_own_address(), first.slug, first.proof)
    except RecentSignInNeeded as needed:
        proof = Proof(is_recent=True, acr=needed.acr)
        if _is_reading():
            return _sign_in_first(_own_address(), _asked_for(slug), proof)
        return _keep_and_sign_in(slug, proof)


def _own_address() -> str:
    """What was asked for, as an address: its path reaches us decoded."""
    return f"{quote(request.path, safe=IN_A_PATH)}?{request.query_string.decode()}".rstrip("?")


class SignInFirst(Exception):
    """Something is missing that `/authorize` can ask for; `slug` is the tenant to ask it for."""

    def __init__(self, slug: str | None, proof: Proof) -> None:
        super().__init__()
        self.slug = slug
        self.proof = proof


def _at_tenant(
    slug: str, proof: Proof, *, is_reading: bool
) -> AbstractContextManager[Administration]:
    visit = _visit(slug)
    tenant, actor = _as_visitor(visit, proof) if visit else _as_member(slug, proof)
    return administration(
        provider().database, catalog(), tenant, actor, now(), origin(), read_only=is_reading
    )


def _visit(slug: str) -> Visit | None:
    """An operator's visit counts before a membership of theirs, so that its banner is seen."""
    session = current_session()
    if session is None:
        return None
    with provider().database.connection() as db:
        return visits.find_live(db, slug, session.user_id, now())


def _as_visitor(visit: Visit, proof: Proof) -> tuple[TenantName, Actor]:
    """Asked for what the operators' own pages ask."""
    session, judged = _judged(None, proof)
    refusals.note(session.user_id, None, None)
    console, seen_at = catalog().products[CONSOLE], assurance.shown_at(judged.counting)
    actor = visits.visitor(visit, session.user_id, seen_at, console)
    second_factor_at = assurance.second_factor_at(judged.counting)
    return visit.tenant, replace(actor, second_factor_at=second_factor_at)


def _as_member(slug: str, proof: Proof) -> tuple[TenantName, Actor]:
    session, judged = _judged(slug, proof)
    decision = judged.decision
    if not isinstance(decision, Done) or not isinstance(decision.standing, Standing):
        theirs = [e.standing for e in judged.entries if isinstance(e.standing, Standing)]
        raise _not_open(theirs, slug)
    refusals.note(session.user_id, None, decision.standing.tenant_id)
    with provider().database.connection() as db:
        actor = _member(db, session.user_id, judged.counting, decision.standing)
        return _named(decision.standing), actor


def _at_platform(proof: Proof) -> AbstractContextManager[Operation]:
    session, judged = _judged(None, proof)
    with provider().database.connection() as db:
        if not operating.is_operator(db, session.user_id):
            raise NotFound("no operator")
    refusals.note(session.user_id, None, None)
    everything = catalog().products[PLATFORM].permission_keys
    seen_at = assurance.shown_at(judged.counting)
    actor = Operator(session.user_id, None, seen_at, everything)
    return operation(
        provider().database, catalog(), actor, now(), origin(), read_only=_is_reading()
    )


def _judged(slug: str | None, proof: Proof) -> tuple[BrowserSession, Judged]:
    """What `next_step` says of this browser at this page. Raises SignInFirst for what it wants
    asked."""
    session = current_session()
    with provider().database.connection() as db:
        asked = situation.asked_by_console(provider(), slug, proof.max_age, proof.acr, now())
        judged = situation.at_page(provider(), db, session, asked, now())
        if session is None or step_of(judged.decision) not in (None, Step.NOT_OPEN):
            raise SignInFirst(slug, proof)
        browser.touch(db, session, now())
    return session, judged


def _is_reading() -> bool:
    return request.method in ("GET", "HEAD")


def _member(db: Connection, user_id: str, counting: Proofs, standing: Standing) -> Actor:
    return Actor(
        user_id=user_id,
        client_id=None,
        auth_time=assurance.shown_at(counting),
        permissions=frozenset(standing.permissions(catalog().products[CONSOLE])),
        rights=acting.rights_of(db, standing.membership_id),
        second_factor_at=assurance.second_factor_at(counting),
    )


def _named(standing: Standing) -> TenantName:
    confirmed = bool(standing.is_confirmed)
    return TenantName(standing.tenant_id, standing.tenant, standing.tenant_name, confirmed)


def _not_open(standings: Sequence[Standing], slug: str) -> Exception:
    """Who is in the tenant learns that the roles don't do; for others there is no such tenant."""
    if any(each.tenant == slug and each.is_active for each in standings):
        return Forbidden("no role of theirs opens the console")
    return NotFound(f"no console of {slug}")


def _sign_in_first(target: str, slug: str | None, proof: Proof) -> Response:
    """Off to `/authorize`, which asks what is missing and comes back to `target`."""
    wanted = {"tenant": slug} if slug else {}
    if proof.max_age is not None:
        wanted["max_age"] = str(proof.max_age)
    if proof.acr is not None:
        wanted["acr"] = proof.acr
    attempt = attempts.begin(
        provider().ephemeral,
        browser_secret(),
        provider().settings.attempt_lifetime,
        now(),
        attempts.CONSOLE_PAGE,
        parameters=wanted,
        target=target,
    )
    return redirect(f"/authorize?attempt={attempt.id}", 303)


def _keep_and_sign_in(slug: str | None, proof: Proof) -> Response:
    """What was filled in waits, sealed, for the sign-in; then the person confirms it."""
    name, session = new_secret(), current_session()
    assert session
    fields = [pair for pair in request.form.items(multi=True) if pair[0] != "csrf_token"]
    kept = {"user": session.user_id, "path": request.path, "fields": fields}
    provider().ephemeral.put(f"kept form:{name}", orjson.dumps(kept).decode(), KEPT_FOR, now())
    base = f"/manage/{slug}" if slug else "/operate"
    target = f"{base}/continue?{urlencode({'form': name})}"
    return _sign_in_first(target, _asked_for(slug), proof)


def _asked_for(slug: str | None) -> str | None:
    """Who visits signs in for no company."""
    return None if slug is None or _visit(slug) else slug


def kept_form(name: str) -> dict[str, Any]:
    """`path` and `fields` of what was kept, for the person who filled it in. Raises NotFound."""
    session = current_session()
    text = provider().ephemeral.read(f"kept form:{name}", now())
    kept = orjson.loads(text) if text else None
    if kept is None or session is None or kept["user"] != session.user_id:
        raise NotFound("no form is kept under that name")
    return {"path": kept["path"], "fields": kept["fields"]}
