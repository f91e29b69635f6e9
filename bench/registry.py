"""The clients and people of a measurement: the same at every system."""

from __future__ import annotations

import base64
import secrets
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import urlencode

from joserfc.jwk import RSAKey

from bench.messages import basic

REDIRECT_URI = "http://localhost:9/callback"
SCOPE = "openid profile email"
PASSWORD = "a password for measuring with"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PEOPLE = 1000


class BenchClient(NamedTuple):
    """`secret` is empty for a public client; `alg` signs ID tokens, or a machine's access token."""

    client_id: str
    secret: str
    grant_types: tuple[str, ...]
    alg: str

    @property
    def is_machine(self) -> bool:
        return self.grant_types == ("client_credentials",)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": basic(self.client_id, self.secret)} if self.secret else {}

    @property
    def form(self) -> dict[str, str]:
        """How a public client says its name."""
        return {} if self.secret else {"client_id": self.client_id}

    def authorize(self, prompt: str = "none", login_hint: str = "") -> str:
        """The path of an authorization request."""
        asked = {
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "scope": SCOPE,
            "state": "s" * 22,
            "nonce": "n" * 22,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "prompt": prompt,
            "login_hint": login_hint,
        }
        return "/authorize?" + urlencode({name: value for name, value in asked.items() if value})

    def exchange(self, code: str) -> dict[str, str]:
        """The form that redeems a code."""
        return {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
            **self.form,
        }


_PEOPLE_GRANTS = ("authorization_code", "refresh_token")
_MACHINE_GRANTS = ("client_credentials",)


def _secret() -> str:
    return secrets.token_urlsafe(32)


WEB = BenchClient("web", _secret(), _PEOPLE_GRANTS, "RS256")
WEB_ES256 = BenchClient("web-es256", _secret(), _PEOPLE_GRANTS, "ES256")
SPA = BenchClient("spa", "", _PEOPLE_GRANTS, "RS256")
MACHINE_RS256 = BenchClient("machine-rs256", _secret(), _MACHINE_GRANTS, "RS256")
MACHINE_ES256 = BenchClient("machine-es256", _secret(), _MACHINE_GRANTS, "ES256")
CLIENTS = (WEB, WEB_ES256, SPA, MACHINE_RS256, MACHINE_ES256)


def email(number: int) -> str:
    return f"person{number}@bench.example"


def rsa_key() -> tuple[str, str]:
    """For a peer to sign by: PEM, private and public."""
    made = RSAKey.generate_key(2048)
    return made.as_pem(private=True).decode(), made.as_pem(private=False).decode()
