"""Somebody else's OpenID provider: OpenID Connect Core's code flow with PKCE, and nothing more.

It signs its `account` in at once, without a page.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import orjson
from werkzeug.wrappers import Request, Response

from tests.machine.processes import LOOPBACK, free_port
from tests.machine.upstream.accounts import Account, Grant
from tests.machine.upstream.documents import key_set, metadata
from tests.machine.upstream.faults import (
    SPOILED_CLAIMS,
    SPOILED_PERSON,
    SPOILED_RESPONSE,
    SPOILED_USERINFO,
    Claims,
    Fault,
    spoiled,
)
from tests.machine.upstream.keys import (
    SigningKey,
    half_hash,
    new_key,
    signed_by_secret,
    unsigned,
)
from tests.machine.upstream.redeeming import (
    NOT_STORED,
    Refused,
    check_client,
    check_grant,
    check_request,
)
from tests.machine.upstream.serving import JSON, Server, failing_answer

CODE_SECONDS, TOKEN_SECONDS = 60, 3600


class UpstreamProvider:
    """What tests set, at any time: `account` is signed in next, `fault` spoils the answers from now
    on, `redirect_uris` are allowed, `another_account` is whose code a swapped one is. Of a sign-in
    there it tells the time where it is asked (`max_age`), unless it `tells_no_time`; somebody was
    seen at `signed_in_at`, or now where that is asked for (`prompt=login`), unless it
    `sees_nobody_anew`.

    What they read: `authorizations` and `redemptions` are the parameters of each such request
    (of the latter with `method`, by which the client authenticated), `asked` counts requests by
    endpoint, `sent` the bytes of the last endless answer by endpoint.
    """

    def __init__(
        self, *redirect_uris: str, alg: str = "RS256", clock: Callable[[], float] = time.time
    ) -> None:
        self.client_id = "latchkey-at-upstream"
        self.client_secret = secrets.token_urlsafe(32)
        self.redirect_uris = list(redirect_uris)
        self.account = Account()
        self.another_account = Account("6666", "mallory@elsewhere.example", name="Mallory Vane")
        self.fault: Fault | None = None
        self.drip_seconds = 1.0
        self.tells_no_time = self.sees_nobody_anew = False
        self.signed_in_at: float | None = None
        self.clock = clock
        self.keys = [new_key(alg)]
        self.authorizations: list[dict[str, str]] = []
        self.redemptions: list[dict[str, str]] = []
        self.asked: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self._stranger = new_key(alg)
        self._codes: dict[str, Grant] = {}
        self._access_tokens: dict[str, Grant] = {}
        self._counting = Lock()
        self._port = free_port()
        self._server: Server | None = None

    @property
    def issuer(self) -> str:
        """By address, so that browsers hold it for another site than one on `localhost`."""
        return f"http://{LOOPBACK}:{self._port}"

    def up(self) -> None:
        """At the same port as before."""
        self._server = Server(self._port, self)

    def down(self) -> None:
        """Nobody is at the port; whoever was being answered is cut off."""
        if self._server:
            self._server.close()
            self._server = None

    def is_quiet_within(self, seconds: float) -> bool:
        """Whether everybody who asked has an answer, or has hung up, by then."""
        return self._server is None or self._server.is_quiet_within(seconds)

    def rotate(self, alg: str | None = None) -> None:
        """Sign with a new key; the others are gone."""
        self.keys = [new_key(alg or self.keys[0].alg)]

    def publish_another_key(self, alg: str | None = None) -> SigningKey:
        """Beside those there are; the first of `keys` is the one that signs."""
        self.keys.append(new_key(alg or self.keys[0].alg))
        return self.keys[-1]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.path not in _ENDPOINTS:
            return Response("Not Found", 404)
        name, method, answer = _ENDPOINTS[request.path]
        with self._counting:
            self.asked[name] += 1
        if request.method != method:
            return Response("Method Not Allowed", 405)
        return self._failing(name, request) or answer(self, request)

    def _failing(self, endpoint: str, request: Request) -> Response | None:
        if self.fault is None or self.fault.part != endpoint or self._server is None:
            return None
        connection, closing = request.environ["werkzeug.socket"], self._server.is_closing
        answer = failing_answer(self.fault.trouble, connection, closing, self.drip_seconds)
        if answer is not None and answer.is_streamed:
            answer.response = self._counted(endpoint, answer.iter_encoded())
        return answer

    def _counted(self, endpoint: str, body: Iterable[bytes]) -> Iterator[bytes]:
        self.sent[endpoint] = 0
        for block in body:
            yield block
            self.sent[endpoint] += len(block)

    def _discovery(self, _: Request) -> Response:
        return _json(metadata(self.issuer, self.fault))

    def _jwks(self, _: Request) -> Response:
        return _json(key_set(self.keys, self._stranger, self.fault))

    def _authorization(self, request: Request) -> Response:
        """OpenID Connect Core 3.1.2, with `iss` in its answer (RFC 9207)."""
        asked = request.args.to_dict()
        self.authorizations.append(asked)
        if asked.get("client_id") != self.client_id:
            return Response("No such client", 400)
        if asked.get("redirect_uri") not in self.redirect_uris:
            return Response("Not a redirect URI of this client", 400)
        error = _error_of(request)
        answer = {"error": error} if error else {"code": self._new_code(asked)}
        whole = {**answer, "state": asked.get("state"), "iss": self.issuer}
        query = urlencode(spoiled(whole, SPOILED_RESPONSE, self.fault))
        return Response(status=303, headers={"Location": f"{asked['redirect_uri']}?{query}"})

    def _new_code(self, asked: dict[str, str]) -> str:
        code, until = secrets.token_urlsafe(24), self.clock() + CODE_SECONDS
        grant = Grant(self.account, asked, until)
        if self.fault in {Fault.CODE_SWAPPED, Fault.CODE_SWAPPED_UNBOUND}:
            theirs = {**asked, "nonce": secrets.token_urlsafe(16)}
            if self.fault is Fault.CODE_SWAPPED:
                theirs["code_challenge"] = secrets.token_urlsafe(32)
            grant = Grant(self.another_account, theirs, until)
        self._codes[code] = grant
        return code

    def _token(self, request: Request) -> Response:
        """A code is good for one request, however that ends."""
        now = self.clock()
        try:
            method = check_client(request, self.client_id, self.client_secret)
            form = check_request(request)
            self.redemptions.append({**form, "method": method})
            grant = check_grant(self._codes.pop(form["code"], None), form, now)
        except Refused as refused:
            return refused.answer
        return _json(self._tokens(grant, now), NOT_STORED)

    def _tokens(self, grant: Grant, now: float) -> dict[str, Any]:
        access_token = secrets.token_urlsafe(24)
        self._access_tokens[access_token] = grant._replace(until=now + TOKEN_SECONDS)
        tokens = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": grant.asked["scope"],
        }
        if self.fault is not Fault.ID_TOKEN_MISSING:
            tokens["id_token"] = self._signed(self._claims(grant, access_token, int(now)))
        return tokens

    def _claims(self, grant: Grant, access_token: str, now: int) -> Claims:
        account = grant.account
        claims = {
            "iss": self.issuer,
            "aud": self.client_id,
            "azp": self.client_id,
            "iat": now,
            "exp": now + TOKEN_SECONDS,
            "auth_time": self._auth_time(grant, now),
            "nonce": grant.asked["nonce"],
            "at_hash": half_hash(access_token, self.keys[0].alg),
            "acr": account.acr,
            "amr": list(account.amr) or None,
            **self._person(grant),
        }
        return spoiled(claims, SPOILED_CLAIMS, self.fault)

    def _auth_time(self, grant: Grant, now: int) -> int | None:
        if self.tells_no_time or "max_age" not in grant.asked:
            return None
        is_anew = grant.asked.get("prompt") == "login" and not self.sees_nobody_anew
        if is_anew or self.signed_in_at is None:
            return now
        return int(self.signed_in_at)

    def _signed(self, claims: Claims) -> str:
        key = self.keys[0]
        if self.fault is Fault.ALG_NONE:
            return unsigned(claims)
        if self.fault is Fault.HS256_BY_SECRET:
            return signed_by_secret(claims, self.client_secret.encode())
        if self.fault is Fault.HS256_BY_PUBLIC_KEY:
            return signed_by_secret(claims, key.key.as_pem(private=False), key.kid)
        if self.fault is Fault.KEY_UNKNOWN:
            return self._stranger.sign(claims, kid=key.kid)
        if self.fault is Fault.KID_UNKNOWN:
            return key.sign(claims, kid=self._stranger.kid)
        if self.fault is Fault.KID_MISSING:
            return key.sign(claims, kid=None)
        return key.sign(claims)

    def _userinfo(self, request: Request) -> Response:
        """OpenID Connect Core 5.3, for the access token in the header (RFC 6750)."""
        bearer = request.authorization
        token = bearer.token if bearer and bearer.type == "bearer" else None
        grant = self._access_tokens.get(token or "")
        if grant is None or self.clock() >= grant.until:
            error = 'Bearer error="invalid_token"' if token else "Bearer"
            return Response(status=401, headers={"WWW-Authenticate": error})
        return _json(spoiled(self._person(grant), SPOILED_USERINFO, self.fault))

    def _person(self, grant: Grant) -> Claims:
        return spoiled(grant.account.claims(grant.asked["scope"]), SPOILED_PERSON, self.fault)


@contextmanager
def running_upstream(*redirect_uris: str, **chosen: Any) -> Iterator[UpstreamProvider]:
    """Up, until the end. `chosen` as UpstreamProvider has it."""
    upstream = UpstreamProvider(*redirect_uris, **chosen)
    upstream.up()
    try:
        yield upstream
    finally:
        upstream.down()


def _error_of(request: Request) -> str | None:
    """What is wrong with an authorization request of a known client."""
    asked = request.args
    if any(len(values) > 1 for _, values in asked.lists()) or not asked.get("nonce"):
        return "invalid_request"
    if asked.get("response_type") != "code":
        return "unsupported_response_type"
    if "openid" not in asked.get("scope", "").split():
        return "invalid_scope"
    if len(asked.get("code_challenge", "")) != 43 or asked.get("code_challenge_method") != "S256":
        return "invalid_request"
    return None


def _json(document: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(document), headers=headers, content_type=JSON)


_ENDPOINTS = {
    "/.well-known/openid-configuration": ("discovery", "GET", UpstreamProvider._discovery),
    "/jwks": ("jwks", "GET", UpstreamProvider._jwks),
    "/authorize": ("authorization", "GET", UpstreamProvider._authorization),
    "/token": ("token", "POST", UpstreamProvider._token),
    "/userinfo": ("userinfo", "GET", UpstreamProvider._userinfo),
}
