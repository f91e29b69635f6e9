"""What an account at another provider proves, and how it comes to be somebody's (product.md S4,
security.md S60).

It is known by its issuer and subject, and proves one thing on the attempt, like a password does;
`/authorize` decides what comes next. One that is not linked yet shows by its address whose it may
be. With a provider of the platform's, both sides have to have verified that address, the person
proves themselves once by what they have here, second factor and all, and the sign-in that comes of
it links the two: nobody is made. A company's own provider speaks for the company, whose domain it
is, and so links its people at once; what that opens is the company alone (`counting`).
"""

from __future__ import annotations

from dataclasses import replace

from idp.audit import Origin
from idp.database import Connection, Database
from idp.directory import domain_names, users
from idp.directory.upstream_providers import IdentityProviders, UpstreamProvider, words_of
from idp.federation import linked_accounts
from idp.federation.identity import Identity
from idp.federation.linked_accounts import By
from idp.login import admitting
from idp.login.attempt import Attempt
from idp.login.federated import NotSignedIn
from idp.policies import assurance
from idp.policies.assurance import FEDERATED, FIRST, OWN_FIRST, UPSTREAM_SECOND, Proof
from idp.sessions import of_person
from idp.sessions.browser import BrowserSession
from idp.sessions.of_person import Kept

UNLINKED = "an account at another provider was unlinked"
RECENT = 7 * 86400.0  # seconds


def prove(
    database: Database,
    attempt: Attempt,
    upstream: UpstreamProvider,
    found: Identity,
    locale: str,
    now: float,
    origin: Origin,
) -> Attempt:
    """What the sign-in goes on with; whom it makes reads `locale`. Raises NotSignedIn."""
    with database.connection() as db:
        linked = _find(db, upstream, found)
        if linked is None and not upstream.tenant_id:
            return _to_be_linked(db, attempt, upstream, found)
    if linked is None:
        linked = _linked_by_company(database, upstream, found, locale, now, origin)
    with database.connection() as db:
        person = users.find_person(db, linked.user_id)
    if person is None or not users.may_sign_in(person, now):
        raise NotSignedIn(f"{upstream.key}: the person is disabled", linked.user_id)
    proven = attempt.prove_all(person.id, _proofs(upstream, found, linked.linked_at, now))
    return replace(proven, linking={})


def _find(
    db: Connection, upstream: UpstreamProvider, found: Identity
) -> linked_accounts.Found | None:
    return linked_accounts.find(db, upstream.tenant_id, found.issuer, found.subject)


def _proofs(
    upstream: UpstreamProvider, found: Identity, linked_at: float, now: float
) -> dict[str, Proof]:
    active_at = min(found.auth_time or 0.0, now)
    proofs = {FEDERATED: Proof(now, linked_at, upstream.key, active_at)}
    trusted = upstream.trusted(words_of([found.acr], found.amr))
    if trusted and active_at:
        words = " ".join(sorted(trusted))
        proofs[UPSTREAM_SECOND] = Proof(active_at, now, upstream.key, active_at, words)
    return proofs


def _to_be_linked(
    db: Connection, attempt: Attempt, upstream: UpstreamProvider, found: Identity
) -> Attempt:
    """Both sides have verified the address; nothing that this browser has proven so far counts."""
    email = found.email if found.is_verified else None
    person = users.find_by_email(db, email) if email else None
    is_verified = person is not None and users.has_verified_email(db, person.id)
    if not email or person is None or person.status != users.ACTIVE or not is_verified:
        raise NotSignedIn(f"{upstream.key}: nobody here has that address, verified on both sides")
    if linked_accounts.has_one(db, person.id, upstream.key, upstream.issuer):
        raise NotSignedIn(f"{upstream.key}: the person has another account there", person.id)
    anew = attempt.prove_all("", {})
    waits = _account(upstream, found, email)._asdict()
    return replace(anew, linking=waits, other_account=True)


def _account(upstream: UpstreamProvider, found: Identity, email: str) -> linked_accounts.Account:
    names = (upstream.tenant_id, upstream.key, found.issuer, found.subject)
    return linked_accounts.Account(*names, email)


def link(
    db: Connection,
    attempt: Attempt,
    user_id: str,
    fresh: frozenset[str],
    providers: IdentityProviders,
    now: float,
    origin: Origin,
) -> None:
    """At the end of a sign-in, what waits to be linked to who has just proven that they are that
    person, by something that they had here before, and still have that address. In its
    transaction."""
    account = linked_accounts.Account(**attempt.linking)
    own = [attempt.proven[method] for method in OWN_FIRST & fresh]
    is_own = any(proof.enrolled_at < attempt.started_at for proof in own)
    if not is_own or providers.find(account.provider_key) is None:
        return
    proven_at = min(attempt.proven[method].at for method in fresh)
    if not users.hold(db, user_id, proven_at) or not users.has_verified_email(db, user_id):
        return
    person = users.find_by_email(db, account.email)
    if person and person.id == user_id:
        linked_accounts.link(db, user_id, account, now, origin)


def _linked_by_company(
    database: Database,
    upstream: UpstreamProvider,
    found: Identity,
    locale: str,
    now: float,
    origin: Origin,
) -> linked_accounts.Found:
    """Raises NotSignedIn."""
    domain = domain_names.of_address(found.email) if found.email else None
    if not found.email or domain not in upstream.domains or found.is_disowned:
        raise NotSignedIn(f"{upstream.key}: the address is not one of its company's")
    with admitting.company(database, upstream.tenant_id) as (rows, db):
        linked = _find(db, upstream, found)
        if linked:
            return linked
        user_id = admitting.member(rows, db, upstream, found, locale, now, origin)
        if user_id is None:
            raise NotSignedIn(f"{upstream.key}: no member, and none is admitted")
        account = _account(upstream, found, found.email)
        if not linked_accounts.link(db, user_id, account, now, origin):
            raise NotSignedIn(f"{upstream.key}: the person has another account there", user_id)
        linked = _find(db, upstream, found)
    assert linked
    return linked


def unlink(
    db: Connection, session: BrowserSession, linked_id: str, now: float, origin: Origin
) -> bool:
    """By its owner, in the session that goes on by what else it rests on; all that was proven
    elsewhere ends, offline access and what has begun too, since it may have come of it. In a
    transaction."""
    user_id = session.user_id
    gone = linked_accounts.unlink(db, user_id, linked_id, now, origin)
    for each in gone:
        kept = _kept(session, each.provider_key)
        of_person.refuse_proofs(db, user_id, now, kept, UNLINKED, now, origin)
    return bool(gone)


def _kept(session: BrowserSession, without: str) -> Kept | None:
    proofs = assurance.from_text(session.proofs)
    left = {method: proof for method, proof in proofs.items() if proof.by != without}
    if FIRST.isdisjoint(left):
        return None
    return Kept(session.id, assurance.last_first(left), without)


def unlink_since(db: Connection, user_id: str, since: float, now: float, origin: Origin) -> None:
    """What was linked from then on, by whoever had the account then. In a transaction."""
    linked_accounts.unlink_since(db, user_id, since, By(user_id), now, origin)
