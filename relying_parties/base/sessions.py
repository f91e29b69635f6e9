"""The product's own sessions: kept here in memory, a random 256-bit id in the browser's cookie."""

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relying_parties.base.profile_menu import ProfileMenu

IDLE_SECONDS = 30 * 60
ABSOLUTE_SECONDS = 12 * 60 * 60


@dataclass(frozen=True)
class Tokens:
    """What the token endpoint gave. `expires_at` is when the access token ends, in Unix seconds."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: float


@dataclass
class AppSession:
    """One signed-in browser. `claims` are those of the newest ID token and of userinfo."""

    id: str = field(repr=False)
    claims: Mapping[str, Any]
    tokens: Tokens
    started_at: float
    seen_at: float
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    renewing: Lock = field(default_factory=Lock, repr=False)
    menu: "ProfileMenu | None" = None
    menu_expires_at: float = 0.0

    @property
    def sub(self) -> str:
        return str(self.claims["sub"])

    @property
    def sid(self) -> str | None:
        return self.claims.get("sid")

    @property
    def tenant(self) -> str:
        return str(self.claims.get("tenant", ""))

    @property
    def name(self) -> str:
        return str(self.claims.get("name") or self.claims.get("email") or self.sub)

    def may(self, permission: str) -> bool:
        return permission in self.claims.get("permissions", ())


class SessionStore:
    """Sessions by id; ended by the person, by age, or by the identity provider."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: dict[str, AppSession] = {}
        self._lock = Lock()

    def start(self, claims: Mapping[str, Any], tokens: Tokens) -> AppSession:
        """A session under a new id: never one that existed before the sign-in."""
        now = self._clock()
        session = AppSession(secrets.token_urlsafe(32), claims, tokens, now, now)
        with self._lock:
            self._drop_expired(now)
            self._sessions[session.id] = session
        return session

    def find(self, session_id: str) -> AppSession | None:
        now = self._clock()
        session = self._sessions.get(session_id)
        if session is None or _is_expired(session, now):
            return None
        session.seen_at = now
        return session

    def end(self, session_id: str) -> None:
        with self._lock:
            self._sessions.pop(session_id, None)

    def end_matching(self, *, sub: str | None, sid: str | None) -> int:
        """End what a logout token names: one provider session (`sid`), else all of a person.

        Both members, where present, must match (OpenID Connect Back-Channel Logout 1.0, 2.7).
        """
        with self._lock:
            named = [
                session.id
                for session in self._sessions.values()
                if sub in (None, session.sub) and sid in (None, session.sid)
            ]
            for session_id in named:
                del self._sessions[session_id]
        return len(named)

    def _drop_expired(self, now: float) -> None:
        for session in [s for s in self._sessions.values() if _is_expired(s, now)]:
            del self._sessions[session.id]


def _is_expired(session: AppSession, now: float) -> bool:
    return now - session.seen_at > IDLE_SECONDS or now - session.started_at > ABSOLUTE_SECONDS
