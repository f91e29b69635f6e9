"""A client of somebody else's provider: Authlib's, which checks ID tokens as its own users have
it do."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.machine.upstream import UpstreamProvider

BACK = "http://localhost:8000/login/upstream/one/return"
TIMEOUT = 10
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]


class Party:
    """Discovers the provider when it is made. `nonce` and `verifier` are of the last sign-in."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        method: str = "client_secret_basic",
    ) -> None:
        self.metadata = self.get(f"{issuer}/.well-known/openid-configuration")
        self.client_id = client_id
        self.nonce = self.verifier = self.state = ""
        self.session = OAuth2Session(
            client_id,
            client_secret,
            scope="openid email profile",
            redirect_uri=redirect_uri,
            token_endpoint_auth_method=method,
            code_challenge_method="S256",
            default_timeout=TIMEOUT,
        )

    def close(self) -> None:
        self.session.close()

    @staticmethod
    def get(url: str) -> dict[str, Any]:
        document: dict[str, Any] = requests.get(url, timeout=TIMEOUT).json()
        return document

    def start(self, **parameters: str) -> str:
        """Where the browser goes."""
        self.nonce, self.verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        url, self.state = self.session.create_authorization_url(
            self.metadata["authorization_endpoint"],
            **{"nonce": self.nonce, "code_verifier": self.verifier, **parameters},
        )
        return str(url)

    def tokens(self, back_at: str) -> dict[str, Any]:
        """For the code in the address that the browser came back to."""
        return dict(
            self.session.fetch_token(
                self.metadata["token_endpoint"],
                authorization_response=back_at,
                state=self.state,
                code_verifier=self.verifier,
            )
        )

    def claims(self, tokens: dict[str, Any]) -> dict[str, Any]:
        """Of the ID token (OpenID Connect Core 3.1.3.7). Raises a JoseError."""
        token = self.signed(tokens["id_token"])
        claims = CodeIDToken(
            token.claims,
            token.header,
            {
                "iss": {"essential": True, "value": self.metadata["issuer"]},
                "aud": {"essential": True, "value": self.client_id},
            },
            {"nonce": self.nonce, "client_id": self.client_id, **tokens},
        )
        claims.validate()
        return dict(claims)

    def signed(self, id_token: str) -> jwt.Token:
        """Its signature has been verified, and nothing else. Raises a JoseError."""
        return jwt.decode(id_token, self.key_set(), ALGORITHMS)

    def key_set(self) -> KeySet:
        published: Any = self.get(self.metadata["jwks_uri"])
        return KeySet.import_key_set(published)

    def userinfo(self, tokens: dict[str, Any]) -> dict[str, Any]:
        self.session.token = tokens
        answer: dict[str, Any] = self.session.get(self.metadata["userinfo_endpoint"]).json()
        return answer


def party_of(upstream: UpstreamProvider, method: str = "client_secret_basic") -> Party:
    """Its one client, that people come back to at BACK."""
    return Party(upstream.issuer, upstream.client_id, upstream.client_secret, BACK, method)


def sent_to(url: str) -> str:
    """Where the provider sends a browser that comes without anything."""
    answer = requests.get(url, allow_redirects=False, timeout=TIMEOUT)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
