"""One client by a library of Node's: what a test asks of it, and the way through the browser."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.peers.node_process import NodeProcess
from tests.peers.registrations import AWAY
from tests.peers.visitor import Place, Visitor
from tests.world import DANA, PASSWORD


@dataclass
class SignIn:
    """An authorization request under way: where to go, and what the answer has to match."""

    url: str
    checks: dict[str, Any]


class RelyingParty:
    """Discovers the provider when it is made, with what it was registered with; or registers there
    `first`."""

    def __init__(
        self,
        script: NodeProcess,
        issuer: str,
        client_id: str = "",
        *,
        first: str = "discover",
        **known: Any,
    ) -> None:
        self._script = script
        self._party = script.call(first, issuer=issuer, client_id=client_id, **known)

    def call(self, name: str, **given: Any) -> Any:
        """Ask the library; raises Refused where it does or the provider does."""
        return self._script.call(name, party=self._party, **given)

    def start(self, **parameters: Any) -> SignIn:
        return SignIn(**self.call("start", **{"redirect_uri": AWAY, **parameters}))

    def finish(self, started: SignIn, place: Place) -> dict[str, Any]:
        """Tokens, and `claims` of the ID token that the library has checked."""
        posted = place.posted and urlencode(place.posted)
        url, checks = place.url, started.checks
        return dict(self.call("finish", url=url, posted=posted, checks=checks))

    def sign_in(self, visitor: Visitor, email: str = DANA, **parameters: Any) -> dict[str, Any]:
        """All the way, with a browser that nobody is signed in with yet."""
        started = self.start(**parameters)
        place = visitor.sign_in(visitor.open(started.url), email, PASSWORD)
        return self.finish(started, place)


def header_of(jwt: str) -> dict[str, Any]:
    """Unverified: for which algorithm a library has verified."""
    return dict(json.loads(urlsafe_b64decode(jwt.partition(".")[0] + "==")))
