"""Signing in with an account at another provider (product.md S4, security.md S60, S61).

It proves one thing on the attempt, like a password does, and `/authorize` decides what comes next.
An account is known by its issuer and subject. One that is not linked yet shows which person it may
belong to, by an address that both sides have verified, and proves nothing: the person proves
themselves once by what they have here, and the sign-in that comes of it links the two. Nobody is
made here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import urlencode

import orjson

from idp import audit
from idp.audit import Origin
from idp.database import Connection
from idp.directory import users
from idp.directory.identity_providers import SECRET_PURPOSE, UpstreamProvider
from idp.ephemeral import Ephemeral
from idp.errors import PageRefusal, told
from idp.federation import identity, linked_accounts
from idp.federation.identity import BadIdentity, Identity
from idp.federation.upstream import Away, CodeRefused, Patience, Upstreams
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.oidc import pkce
from idp.policies.assurance import FEDERATED, FIRST
from idp.secret_values import SecretKeys, fingerprint, new_secret

SCOPE = "openid email profile"
LIFETIME = 600.0  # seconds that somebody may stay there


class NotSignedIn(PageRefusal):
    """What came back signs nobody in: the same words, whatever was wrong."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "federated_sign_in_failed",
            told(
                "That account could not be used to sign in here. Sign in with your password or"
                " passkey."
            ),
            detail,
            400,
        )


class NotReached(PageRefusal):
    def __init__(self, detail: str) -> None:
        super().__init__(
            "identity_provider_unreachable",
            told("We can't reach that provider at the moment. Sign in another way, or try again."),
            detail,
            503,
        )


class Errand(NamedTuple):
    """What a browser was sent to another provider for, and what has to come back."""

    attempt_id: str
    provider_key: str
    nonce: str
    verifier: str


def begin(
    store: Ephemeral,
    upstreams: Upstreams,
    upstream: UpstreamProvider,
    attempt: Attempt,
    return_uri: str,
    email: str,
    now: float,
) -> str:
    """Where to send the browser. Raises NotReached."""
    try:
        metadata = upstreams.metadata(upstream, Patience(), now)
    except Away as problem:
        raise NotReached(f"{upstream.key}: {problem}") from problem
    state, errand = new_secret(), Errand(attempt.id, upstream.key, new_secret(), new_secret())
    store.put(_key(state), orjson.dumps(list(errand)).decode(), LIFETIME, now)
    asked = {
        "response_type": "code",
        "client_id": upstream.client_id,
        "redirect_uri": return_uri,
        "scope": SCOPE,
        "state": state,
        "nonce": errand.nonce,
        "code_challenge": pkce.challenge_of(errand.verifier),
        "code_challenge_method": "S256",
    }
    hints = {"login_hint": email, "hd": upstream.hosted_domain}
    asked |= {name: value for name, value in hints.items() if value}
    endpoint = metadata.authorization_endpoint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def claim(
    store: Ephemeral, upstream: UpstreamProvider, state: str, browser_secret: str, now: float
) -> tuple[Attempt, Errand]:
    """The sign-in that it comes back to: once, in the browser that left. Raises AttemptOver."""
    kept = store.take(_key(state), now)
    if kept is None:
        raise attempts.AttemptOver("nobody was sent away with this state")
    errand = Errand(*orjson.loads(kept))
    if errand.provider_key != upstream.key:
        raise attempts.AttemptOver("it was sent to another provider")
    return attempts.load(store, errand.attempt_id, browser_secret, now), errand


def identify(
    upstreams: Upstreams,
    keys: SecretKeys,
    upstream: UpstreamProvider,
    errand: Errand,
    sent: Mapping[str, str],
    return_uri: str,
    now: float,
) -> Identity:
    """Who it is there. Raises NotSignedIn, or NotReached."""
    patience = Patience()
    try:
        _check_issuer(upstreams, upstream, sent, patience, now)
        secret = keys.decrypt(upstream.sealed_secret, SECRET_PURPOSE).decode()
        form = {"code": sent.get("code", ""), "redirect_uri": return_uri}
        form["code_verifier"] = errand.verifier
        tokens = upstreams.exchange(upstream, secret, form, patience, now)
        kid = identity.header_of(tokens.id_token).kid
        public = upstreams.keys(upstream, kid, patience, now)
        return identity.read(upstream, tokens, public, errand.nonce, now)
    except (BadIdentity, CodeRefused) as problem:
        raise NotSignedIn(f"{upstream.key}: {problem}") from problem
    except Away as problem:
        raise NotReached(f"{upstream.key}: {problem}") from problem


def _check_issuer(
    upstreams: Upstreams,
    upstream: UpstreamProvider,
    sent: Mapping[str, str],
    patience: Patience,
    now: float,
) -> None:
    """RFC 9207: a code of another provider is not brought to this one. Raises BadIdentity."""
    sends_iss = upstreams.metadata(upstream, patience, now).sends_iss
    if sent.get("iss", "" if sends_iss else upstream.issuer) != upstream.issuer:
        raise BadIdentity("another issuer answered")
    if "error" in sent or not sent.get("code"):
        raise BadIdentity(f"it answered {sent.get('error', 'nothing')[:64]!a}")


def prove(db: Connection, attempt: Attempt, key: str, found: Identity, now: float) -> Attempt:
    """What a linked account proves; for another one, the sign-in asks for a proof of the person
    whom it may belong to. In a transaction. Raises NotSignedIn."""
    linked = linked_accounts.find(db, found.issuer, found.subject)
    if linked is None:
        return _to_be_linked(db, attempt, key, found)
    person = users.find_person(db, linked.user_id)
    if person is None or not users.may_sign_in(person, now):
        raise NotSignedIn(f"{key}: the person is disabled")
    return attempt.prove(person.id, FEDERATED, now, linked.linked_at)


def _to_be_linked(db: Connection, attempt: Attempt, key: str, found: Identity) -> Attempt:
    """Both sides have verified the address; nothing that this browser has proven so far counts."""
    person = users.find_by_email(db, found.email) if found.email and found.is_verified else None
    is_verified = person is not None and users.has_verified_email(db, person.id)
    if person is None or person.status != users.ACTIVE or not is_verified:
        raise NotSignedIn(f"{key}: nobody here has that address, verified on both sides")
    linking = {"provider": key, "issuer": found.issuer, "subject": found.subject}
    linking |= {"user_id": person.id, "email": found.email or ""}
    return replace(attempt, linking=linking, user_id="", proven={}, other_account=True)


def link(
    db: Connection,
    attempt: Attempt,
    user_id: str,
    fresh: frozenset[str],
    upstreams: Mapping[str, UpstreamProvider],
    now: float,
    origin: Origin,
) -> None:
    """At the end of a sign-in, what waits to be linked to who has just proven that they are that
    person, by something that they have here. In its transaction."""
    waits, own = attempt.linking, (FIRST - {FEDERATED}) & fresh
    if not waits or not own or waits["user_id"] != user_id or waits["provider"] not in upstreams:
        return
    account = (waits["provider"], waits["issuer"], waits["subject"], waits["email"])
    if linked_accounts.link(db, user_id, *account, now):
        about = {"actor": user_id, "provider": waits["provider"], "email": waits["email"]}
        audit.record(db, "account.linked", now, origin, **about)


def unlink(db: Connection, user_id: str, linked_id: str, now: float, origin: Origin) -> bool:
    """By its owner. In a transaction."""
    gone = linked_accounts.unlink(db, user_id, linked_id)
    if gone:
        about = {"actor": user_id, "provider": gone[0], "email": gone[1]}
        audit.record(db, "account.unlinked", now, origin, **about)
    return gone is not None


def _key(state: str) -> str:
    return "upstream:" + fingerprint(state)
