"""The attempt: a half-finished sign-in. It is never a session, and gives nobody anything.

It keeps the request it began with, so that nothing can change it on the way; it is bound to the
browser by a cookie, so that nobody can hand theirs to another; it goes on under another id with
each proof, so that nobody can hand over the cookie as well; and it is spent once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import orjson

from idp.ephemeral import Ephemeral
from idp.errors import PageRefusal, told
from idp.policies.assurance import FEDERATED, UPSTREAM_SECOND, Proof, Proofs
from idp.secret_values import fingerprint, is_same, new_secret

AUTHORIZE = "authorize"
DECOUPLED = "decoupled"
LAUNCH = "launch"
PAGE = "page"
CONSOLE_PAGE = "console"
INVITATION = "invitation"
PUSHED_AS = "pushed_as"  # beside the parameters of a request that was pushed
ABOUT = "about"  # beside those of one that its client made about a person: whom
MAX_KEPT = 6 * 1024  # letters of parameters and target


@dataclass(frozen=True, slots=True)
class Attempt:
    """`destination` is AUTHORIZE (with the request's `parameters`), DECOUPLED (the same, and the
    request is found by `target`), LAUNCH (`target` is a product's key), INVITATION (`target` is its
    token), PAGE or CONSOLE_PAGE (`target` is a path of ours; the console's has the `tenant`, the
    `max_age` and the `acr` that its page asks for as `parameters`, one of the account's its
    `max_age` and `own_level`). `user_id` proved `proven`, by method, and got their first second
    factor `first_enrolled_at`; `chosen_by` chose the rest: a choice counts for the one who made it
    alone. `to_allow` is what the consent page shows (of `ask_to_allow`), and `consented` what of
    that was allowed.
    `linking` is an account at another provider that waits to be linked (`linking.py`).
    `began_as` is the id without any proof, `left` one whose proof has moved on."""

    id: str
    browser: str
    destination: str
    started_at: float
    parameters: dict[str, str] = field(default_factory=dict)
    target: str = ""
    user_id: str = ""
    proven: dict[str, Proof] = field(default_factory=dict)
    first_enrolled_at: float = 0.0
    chosen_by: str = ""
    account_confirmed: bool = False
    other_account: bool = False
    tenant_id: str = ""
    to_allow: dict[str, Any] = field(default_factory=dict)
    consented: dict[str, Any] = field(default_factory=dict)
    turned_back: bool = False
    skipped: bool = False
    linking: dict[str, str] = field(default_factory=dict)
    began_as: str = ""
    left: str = ""

    @property
    def is_about_person(self) -> bool:
        """Whether its client has named a person, and no person a code of the client's."""
        return ABOUT in self.parameters

    def ending(self, how: str) -> str:
        """The page that says how a request ended that was made elsewhere."""
        return f"/{'request' if self.is_about_person else 'device'}/{how}"

    def prove(
        self,
        user_id: str,
        method: str,
        now: float,
        enrolled_at: float = 0.0,
        *,
        first: bool = False,
    ) -> Attempt:
        """One thing is proven, by an authenticator that was enrolled then; `first` if just now, as
        the first that the person has."""
        proven = self.prove_all(user_id, {method: Proof(now, enrolled_at)})
        return replace(proven, first_enrolled_at=now) if first else proven

    def prove_all(self, user_id: str, proofs: Proofs) -> Attempt:
        """Proof of another person forgets what the first one proved. It has a new id: whoever knew
        the old one, and planted the cookie, has proven nothing (security.md S63). The one without a
        proof stays as it is, for a form that is sent twice."""
        is_same_person = user_id == self.user_id
        earlier = self.proven if is_same_person else {}
        if FEDERATED in proofs:  # its second factor, if it told of one, is among them
            earlier = {m: proof for m, proof in earlier.items() if m != UPSTREAM_SECOND}
        return replace(
            self,
            id=new_secret(),
            user_id=user_id,
            proven={**earlier, **proofs},
            first_enrolled_at=self.first_enrolled_at if is_same_person else 0.0,
            other_account=False,
            began_as=self.began_as or self.id,
            left=self.id if self.proven else "",
        )

    def ask_to_allow(
        self,
        user_id: str,
        tenant_id: str | None,
        tenant_name: str,
        scope: frozenset[str],
        details: str = "",
    ) -> Attempt:
        """Kept from the moment it is asked: a yes gives what was shown, whatever has changed in the
        meantime. The platform is no tenant. `details` are JSON (RFC 9396)."""
        shown = {
            "user_id": user_id,
            "tenant_id": tenant_id,
            "tenant_name": tenant_name,
            "scope": sorted(scope),
            "details": details,
        }
        return replace(self, to_allow=shown)

    def choose(self, user_id: str, **choice: Any) -> Attempt:
        """One thing is chosen, by that person; what another one chose in it is forgotten."""
        mine = self if user_id == self.chosen_by else replace(self, **_NOTHING_CHOSEN)
        return replace(mine, chosen_by=user_id, **choice)


_NOTHING_CHOSEN: dict[str, Any] = {
    "account_confirmed": False,
    "tenant_id": "",
    "consented": {},
    "turned_back": False,
    "skipped": False,
}

_KEPT = [each.name for each in fields(Attempt) if each.name not in ("id", "proven")]


class AttemptOver(PageRefusal):
    """It has expired, is spent, or belongs to another browser: all the same to a person."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "attempt_over",
            "This sign-in has expired. Go back to the product and start again.",
            detail,
        )


def cookie_name(is_https: bool) -> str:
    """The cookie that binds attempts to a browser; it says nothing about anybody."""
    return "__Host-latchkey-browser" if is_https else "latchkey-browser"


def fits(parameters: dict[str, str], target: str = "") -> bool:
    """Whether we keep so much for somebody of whom we know nothing (security.md S74)."""
    return len(target) + sum(map(len, (*parameters, *parameters.values()))) <= MAX_KEPT


def begin(
    store: Ephemeral,
    browser_secret: str,
    lifetime: float,
    now: float,
    destination: str,
    *,
    parameters: dict[str, str] | None = None,
    target: str = "",
) -> Attempt:
    """Raises PageRefusal for more than is kept."""
    if not fits(parameters or {}, target):
        sentence = told("The request is larger than we read.")
        raise PageRefusal("invalid_request", sentence, "more than an attempt keeps", 414)
    attempt = Attempt(
        id=new_secret(),
        browser=fingerprint(browser_secret),
        destination=destination,
        started_at=now,
        parameters=parameters or {},
        target=target,
    )
    save(store, attempt, lifetime, now)
    return attempt


def save(store: Ephemeral, attempt: Attempt, lifetime: float, now: float) -> None:
    remaining = attempt.started_at + lifetime - now
    if attempt.left:
        store.drop([_key(attempt.left)], now)
    if remaining > 0:
        kept = {name: getattr(attempt, name) for name in _KEPT}
        kept["proven"] = {method: proof.kept for method, proof in attempt.proven.items()}
        store.put(_key(attempt.id), orjson.dumps(kept).decode(), remaining, now)


def load(store: Ephemeral, claimed_id: str, browser_secret: str, now: float) -> Attempt:
    """Raises AttemptOver."""
    kept = store.read(_key(claimed_id), now)
    if kept is None:
        raise AttemptOver("no such attempt")
    attempt = _attempt(claimed_id, orjson.loads(kept))
    if not is_same(attempt.browser, fingerprint(browser_secret)):
        raise AttemptOver("another browser's attempt")
    return attempt


def spend(store: Ephemeral, attempt: Attempt, lifetime: float, now: float) -> None:
    """Of all who finish it, one does, even where a slow step has put it back meanwhile, or has
    proven the same again. Raises AttemptOver for the others."""
    began_as = attempt.began_as or attempt.id
    store.drop({_key(attempt.id), _key(began_as)}, now)
    if not store.spend(_key(began_as), lifetime, now):
        raise AttemptOver("spent already")


def _key(attempt_id: str) -> str:
    return "attempt:" + fingerprint(attempt_id)


def _attempt(attempt_id: str, kept: dict[str, Any]) -> Attempt:
    proven = {method: Proof(*proof) for method, proof in kept.pop("proven").items()}
    return Attempt(id=attempt_id, proven=proven, **kept)
