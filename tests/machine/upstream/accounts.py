"""Whom somebody else's provider knows, and what it has let a client know about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.machine.upstream.faults import Claims


@dataclass(frozen=True)
class Account:
    """`more` are further claims; there, None takes one away."""

    sub: str = "1001"
    email: str | None = "nora@northwind.example"
    email_verified: bool | None = True
    name: str | None = "Nora Quist"
    hd: str | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)

    def claims(self, scope: str) -> Claims:
        """What userinfo and the ID token both say (OpenID Connect Core 5.4). `hd` is Google's, of
        every scope."""
        shown: Claims = {"sub": self.sub, "hd": self.hd}
        if "email" in scope.split():
            shown |= {"email": self.email, "email_verified": self.email_verified}
        if "profile" in scope.split():
            shown |= {"name": self.name}
        return {**shown, **self.more}


class Grant(NamedTuple):
    """Of a code or an access token: for whom, what was asked for, and until when."""

    account: Account
    asked: dict[str, str]
    until: float
