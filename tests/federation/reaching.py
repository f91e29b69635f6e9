"""Another provider, as one process of ours reaches it."""

from __future__ import annotations

import weakref
from ipaddress import ip_network
from tempfile import TemporaryDirectory
from typing import Any

import requests

from idp.database import Database
from idp.directory.upstream_providers import UpstreamProvider as Known
from idp.ephemeral import EphemeralValue, SqlEphemeral
from idp.federation.upstream import Metadata, Patience, Tokens, Upstreams
from idp.turns import Turns
from tests.federation.party import BACK, query_of, sent_to
from tests.machine.upstream import UpstreamProvider
from tests.machine.upstream.keys import challenge_of

HERE = (ip_network("127.0.0.0/8"),)
NOW = 1_800_000_000.0
LONG = 20.0  # seconds: more than anything takes, however busy the machine
VERIFIER = "v" * 43


def store() -> SqlEphemeral:
    """What some processes have together; gone with this one."""
    folder = TemporaryDirectory()
    database = Database(f"sqlite:///{folder.name}/shared.db")
    weakref.finalize(database, folder.cleanup)
    table: Any = EphemeralValue.__table__
    table.create(database.engine)
    return SqlEphemeral(database)


class Reaching:
    """`upstreams` may be shared by several."""

    def __init__(self, provider: UpstreamProvider, upstreams: Upstreams | None = None) -> None:
        self.provider = provider
        self.turns = Turns()
        self.upstreams = upstreams or Upstreams(store(), HERE, self.turns)
        self.known = Known("one", "One", provider.issuer, provider.client_id, "sealed")

    def metadata(self, now: float = NOW, seconds: float = LONG) -> Metadata:
        return self.upstreams.metadata(self.known, Patience(seconds), now)

    def kids(self, kid: str | None = None, now: float = NOW) -> list[str]:
        found = self.upstreams.keys(self.known, kid, Patience(LONG), now)
        return [key["kid"] for key in found]

    def exchange(self, code: str = "", secret: str = "", now: float = NOW) -> Tokens:
        form = {"code": code or self.code(), "redirect_uri": BACK, "code_verifier": VERIFIER}
        secret = secret or self.provider.client_secret
        return self.upstreams.exchange(self.known, secret, form, Patience(LONG), now)

    def code(self) -> str:
        asked = {
            "client_id": self.provider.client_id,
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid",
            "nonce": "n",
            "code_challenge": challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        request = requests.Request("GET", f"{self.provider.issuer}/authorize", params=asked)
        return query_of(sent_to(str(request.prepare().url)))["code"]
