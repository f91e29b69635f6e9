"""A browser's errand to another provider: away with what only it can bring back, and back with
somebody's identity there (product.md S4, security.md S61). What that proves here is `linking`'s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import orjson

from idp.directory.identity_providers import SECRET_PURPOSE
from idp.directory.upstream_providers import UpstreamProvider
from idp.ephemeral import Ephemeral
from idp.errors import PageRefusal, told
from idp.federation import identity
from idp.federation.identity import BadIdentity, Identity
from idp.federation.upstream import Away, CodeRefused, Patience, Upstreams
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.oidc import pkce
from idp.policies.sessions import WALK
from idp.secret_values import SecretKeys, fingerprint, new_secret

SCOPE = "openid email profile"
LIFETIME = 600.0  # seconds that somebody may stay there
AHEAD = 60.0  # seconds between two clocks


class NotSignedIn(PageRefusal):
    """What came back signs nobody in: the same words, whatever was wrong. `user_id` is whose it
    would have been, for the log."""

    def __init__(self, detail: str, user_id: str | None = None) -> None:
        self.user_id = user_id
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


class NotSetUp(PageRefusal):
    def __init__(self, detail: str) -> None:
        super().__init__(
            "identity_provider_unfinished",
            told(
                "Your company's sign-in is not set up to its end. Its account admins can finish it"
                " in the console."
            ),
            detail,
            503,
        )


class Errand(NamedTuple):
    """What a browser was sent to another provider for, and what has to come back, from a sign-in
    there that is not older than `max_age` seconds if it is to count as any."""

    attempt_id: str
    provider_key: str
    nonce: str
    verifier: str
    max_age: float


def begin(
    store: Ephemeral,
    upstreams: Upstreams,
    upstream: UpstreamProvider,
    attempt: Attempt,
    return_uri: str,
    email: str,
    now: float,
    *,
    max_age: float,
) -> str:
    """Where to send the browser. A company's own provider is asked when it saw the person, and to
    see them again if that was more than `max_age` seconds ago, or now where that is no more than a
    WALK (OpenID Connect Core section 3.1.2.1). Raises NotReached, NotSetUp."""
    if not upstream.vouches:
        raise NotSetUp(f"{upstream.key}: it has no hosted domain")
    try:
        metadata = upstreams.metadata(upstream, Patience(), now)
    except Away as problem:
        raise NotReached(f"{upstream.key}: {problem}") from problem
    state = new_secret()
    errand = Errand(attempt.id, upstream.key, new_secret(), new_secret(), max_age)
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
    if upstream.tenant_id:
        is_now = max_age <= WALK
        hints |= {"prompt": "login" if is_now else "", "max_age": str(int(max_age))}
    asked |= {name: value for name, value in hints.items() if value}
    endpoint = metadata.authorization_endpoint
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"


def asks_anew(attempt: Attempt) -> bool:
    """Whether the request that the sign-in began with asks for a recent proof."""
    asked = attempt.parameters
    return "max_age" in asked or "login" in asked.get("prompt", "").split()


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
        found = identity.read(upstream, tokens, public, errand.nonce, now)
    except (BadIdentity, CodeRefused) as problem:
        raise NotSignedIn(f"{upstream.key}: {problem}") from problem
    except Away as problem:
        raise NotReached(f"{upstream.key}: {problem}") from problem
    return _as_asked(found, errand, now)


def _as_asked(found: Identity, errand: Errand, now: float) -> Identity:
    """Who does not see somebody again when asked to says nothing of when it saw them."""
    age = math.inf if found.auth_time is None else now - found.auth_time
    return found._replace(auth_time=None) if age > errand.max_age + AHEAD else found


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


def _key(state: str) -> str:
    return "upstream:" + fingerprint(state)
