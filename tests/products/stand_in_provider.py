"""A small OpenID provider for the products' tests: real HTTP, real signatures, no pages.

It signs its one person in at once. A test changes what it answers by setting its attributes.
"""

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OKPKey

PERMISSIONS = {
    "lms": ["loans.read", "loans.write", "reports.read"],
    "payments": ["payouts.read", "payouts.send"],
    "connections": ["connections.read", "connections.manage"],
}


@dataclass
class StandInProvider:
    """`error` refuses every authorization, `is_signed_in` answers prompt=none with a code."""

    issuer: str = ""
    is_signed_in: bool = True
    error: str | None = None
    sends_iss: bool = True
    announces_iss: bool = True
    forged_iss: str | None = None
    switcher_status: int = 200
    has_switcher: bool = True
    enable_mfa_url: str | None = None
    refresh_error: str | None = None
    expires_in: int = 600
    claims: dict[str, Any] = field(default_factory=dict)
    product_urls: dict[str, str] = field(default_factory=dict)
    alg: str = "ES256"
    at_hash: str | None = None
    key: ECKey | OKPKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refresh_tokens: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def metadata(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/end-session",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": [self.alg],
            "authorization_response_iss_parameter_supported": self.announces_iss,
        }
        if self.has_switcher:
            document["product_switcher_endpoint"] = f"{self.issuer}/switcher"
        return document

    def authorize(self, asked: dict[str, str]) -> str:
        """Where the browser goes next: back to the product with a code or an error."""
        self.asked.append(asked)
        silent_refusal = asked.get("prompt") == "none" and not self.is_signed_in
        error = self.error or ("login_required" if silent_refusal else None)
        answer = {"error": error} if error else {"code": self.new_code(asked)}
        answer["state"] = asked["state"]
        if self.sends_iss:
            answer["iss"] = self.forged_iss or self.issuer
        return f"{asked['redirect_uri']}?{urlencode(answer)}"

    def new_code(self, asked: dict[str, str]) -> str:
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return code

    def token(self, form: dict[str, str], client_id: str) -> tuple[int, dict[str, Any]]:
        if form["grant_type"] == "refresh_token":
            return self.refresh(form["refresh_token"], client_id)
        asked = self.codes.pop(form["code"], None)
        if asked is None or asked["code_challenge"] != _challenge_of(form["code_verifier"]):
            return 400, {"error": "invalid_grant"}
        return 200, self.tokens(client_id, asked.get("tenant"), nonce=asked["nonce"])

    def refresh(self, token: str, client_id: str) -> tuple[int, dict[str, Any]]:
        owner, tenant = self.refresh_tokens.pop(token, (None, None))
        if self.refresh_error or owner != client_id:
            return 400, {"error": self.refresh_error or "invalid_grant"}
        return 200, self.tokens(client_id, tenant)

    def tokens(self, client_id: str, tenant: str | None, **more: Any) -> dict[str, Any]:
        refresh_token = secrets.token_urlsafe(16)
        self.refresh_tokens[refresh_token] = (client_id, tenant)
        access_token = self.access_token(client_id, tenant)
        at_hash = self.at_hash or _half_hash(access_token, self.alg)
        return {
            "token_type": "Bearer",
            "expires_in": self.expires_in,
            "access_token": access_token,
            "refresh_token": refresh_token,
            "id_token": self.id_token(client_id, tenant, at_hash=at_hash, **more),
        }

    def id_token(self, client_id: str, tenant: str | None = None, **more: Any) -> str:
        claims = {**self.person_claims(client_id, tenant), "aud": client_id, **more}
        return self.sign(claims, typ="JWT")

    def access_token(self, client_id: str, tenant: str | None = None, **more: Any) -> str:
        claims = {
            **self.person_claims(client_id, tenant),
            "aud": [f"urn:product:{client_id}"],
            "client_id": client_id,
            "scope": "openid profile email",
            "jti": secrets.token_hex(8),
            **more,
        }
        return self.sign(claims, typ="at+jwt")

    def logout_token(self, client_id: str, *, typ: str | None = "logout+jwt", **more: Any) -> str:
        """A good one; an override of None takes a claim away."""
        claims = {
            "iss": self.issuer,
            "aud": client_id,
            "iat": int(time.time()),
            "exp": int(time.time()) + 120,
            "jti": secrets.token_hex(8),
            "sub": "person-1",
            "sid": "session-1",
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            **more,
        }
        return self.sign({name: c for name, c in claims.items() if c is not None}, typ=typ)

    def person_claims(self, client_id: str, tenant: str | None) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": "person-1",
            "sid": "session-1",
            "iat": now,
            "exp": now + 600,
            "auth_time": now,
            "acr": "aal2",
            "tenant_id": "t-1",
            "tenant": tenant or "northwind",
            "roles": ["account_admin"],
            "permissions": PERMISSIONS[client_id],
            **self.claims,
        }

    def sign(self, claims: dict[str, Any], *, typ: str | None = "JWT", **header: Any) -> str:
        full = {"alg": self.alg, "kid": self.key.kid, **header}
        if typ:
            full["typ"] = typ
        return jwt.encode(full, claims, self.key, algorithms=[self.alg], default_type=None)

    def switcher(self, tenant: str, client_id: str) -> dict[str, Any]:
        faces = {"lms": "#0f6b5c", "payments": "#4a3fb5", "connections": "#a8481c"}
        icons = {"lms": "building-bank", "payments": "shield-dollar"}
        names = {"lms": "LMS", "payments": "Secure Payments", "connections": "Connections"}
        tenants = {"northwind": "Northwind Lending", "harbor": "Harbor Credit Union"}
        return {
            "person": {"name": "Nora Quist", "email": "nora@northwind.example"},
            "tenant": {"id": "t-1", "slug": tenant, "name": tenants.get(tenant, tenant)},
            "products": [
                {
                    "key": key,
                    "name": names[key],
                    "color": color,
                    "icon": icons.get(key, "plug-connected"),
                    "url": self.product_urls.get(key, "http://localhost/")
                    + "/login?"
                    + urlencode({"iss": self.issuer, "tenant": tenant}),
                    "current": key == client_id,
                }
                for key, color in faces.items()
            ],
            "tenants": [
                {"slug": slug, "name": name, "current": slug == tenant, "url": ""}
                for slug, name in tenants.items()
            ],
            "console_url": f"{self.issuer}/manage/{tenant}",
            "account_url": f"{self.issuer}/account",
            "enable_mfa_url": self.enable_mfa_url,
            "end_session_endpoint": f"{self.issuer}/end-session",
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: StandInProvider

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = _single(url.query)
        self.provider.calls.append(url.path)
        if url.path == "/.well-known/openid-configuration":
            self._json(200, self.provider.metadata())
        elif url.path == "/jwks":
            self._json(200, dict(KeySet([self.provider.key]).as_dict(private=False)))
        elif url.path == "/authorize":
            self._redirect(self.provider.authorize(query))
        elif url.path == "/end-session":
            self.provider.asked.append(query)
            state = urlencode({"state": query.get("state", "")})
            self._redirect(f"{query['post_logout_redirect_uri']}?{state}")
        elif url.path == "/userinfo":
            self._json(200, {"sub": "person-1", "name": "Nora Quist", "email": "nora@n.example"})
        elif url.path == "/switcher":
            self._json(self.provider.switcher_status, self._switcher())
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        self.provider.calls.append(self.path)
        form = _single(self.rfile.read(int(self.headers["Content-Length"])).decode())
        basic = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        client_id, _, secret = basic.partition(":")
        if secret != f"secret of {client_id}":
            self._json(401, {"error": "invalid_client"})
        else:
            self._json(*self.provider.token(form, client_id))

    def _switcher(self) -> dict[str, Any]:
        token = self.headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, self.provider.key, algorithms=[self.provider.alg]).claims
        return self.provider.switcher(claims["tenant"], claims["client_id"])

    def _json(self, status: int, body: dict[str, Any]) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _redirect(self, location: str) -> None:
        self.send_response(303)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the base class's name
        pass


def serve(provider: StandInProvider, port: int = 0) -> ThreadingHTTPServer:
    """Serve it on loopback until `shutdown()`; sets its issuer."""
    handler = type("Handler", (_Handler,), {"provider": provider})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    provider.issuer = f"http://localhost:{server.server_port}"
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


def _single(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def _challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _half_hash(access_token: str, alg: str) -> str:
    """`at_hash` (OpenID Connect Core 3.1.3.6)."""
    made = hashlib.sha512 if alg == "Ed25519" else hashlib.sha256
    digest = made(access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
