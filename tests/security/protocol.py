"""Clients that the demo does not have, and how each of them speaks to the provider."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.test import Client

from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.secret_values import new_id
from tests.world import AMARA, ISSUER, PASSWORD, VERIFIER, request_for, sent_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from werkzeug.test import TestResponse

    from tests.world import Visitor, World

EVERY_SCOPE = "openid profile email offline_access"
CODE_AND_REFRESH = ["authorization_code", "refresh_token"]
DESCRIPTION = re.compile(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*")  # RFC 6749 section 5.2

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Party:
    """A client as the set-up file describes it, and the secret or key by which it proves itself."""

    client_id: str
    method: str = "client_secret_basic"
    form: dict[str, Any] = field(default_factory=dict, hash=False)
    key: ECKey | None = None

    @property
    def redirect_uri(self) -> str:
        return str(self.form["redirect_uris"][0])

    @property
    def secret(self) -> str:
        return f"a-secret-that-only-these-tests-know-of-{self.client_id}"

    def described(self) -> dict[str, Any]:
        described = {
            "client_id": self.client_id,
            "client_name": f"The client {self.client_id}",
            "product": "lms",
            "token_endpoint_auth_method": self.method,
            **self.form,
        }
        if self.method.startswith("client_secret"):
            described["client_secret"] = self.secret
        if self.key:
            described["jwks"] = {"keys": [self.key.as_dict(private=False)]}
        return described


def of_people(client_id: str, method: str = "client_secret_basic", **form: Any) -> Party:
    """A client that people sign in at, trusted like the demo's unless it says otherwise."""
    usual = {
        "redirect_uris": [f"https://{client_id}.example/cb"],
        "grant_types": CODE_AND_REFRESH,
        "scope": EVERY_SCOPE,
        "first_party": True,
    }
    return Party(client_id, method, {**usual, **form})


KEEPING = of_people("keeping")
ROTATING = of_people("rotating", refresh_token_rotation=True)
SPA = of_people("spa", "none")
NATIVE = of_people(
    "phone",
    "none",
    application_type="native",
    redirect_uris=["http://127.0.0.1/cb", "http://[::1]/cb"],
)
ASKING = of_people("asking", first_party=False)
POSTING = of_people("posting", "client_secret_post")
WITHOUT_PKCE = of_people("without-pkce", require_pkce=False)
CODE_ONLY = of_people("code-only", grant_types=["authorization_code"], scope="openid profile")
MACHINE = Party("machine", form={"grant_types": ["client_credentials"], "scope": "loans.read"})
_KEY = ECKey.generate_key("P-256", {"kid": "signing-1"})
SIGNING = Party(
    "signing",
    "private_key_jwt",
    {"grant_types": ["client_credentials"], "scope": "loans.read loans.write"},
    _KEY,
)


def register(world: World, *parties: Party) -> None:
    """Known to the provider when this returns, whatever it has seen before."""
    world.apply(clients=[party.described() for party in parties])
    world.clock.move(2)


def proof(world: World, party: Party, **claims: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The headers and the form fields by which a client proves itself."""
    if party.method == "client_secret_basic":
        return world.basic(party.client_id, party.secret), {}
    if party.method == "client_secret_post":
        return {}, {"client_id": party.client_id, "client_secret": party.secret}
    if party.method == "private_key_jwt":
        signed = assertion(world, party, **claims)
        return {}, {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
    return {}, {"client_id": party.client_id}


def assertion(
    world: World,
    party: Party,
    key: ECKey | None = None,
    header: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    """A sound assertion (RFC 7523); None leaves a claim out."""
    now = int(world.clock())
    sound = {
        "iss": party.client_id,
        "sub": party.client_id,
        "aud": ISSUER,
        "iat": now,
        "exp": now + 60,
        "jti": new_id(),
    }
    claims = {name: value for name, value in {**sound, **changed}.items() if value is not None}
    signer = key or party.key
    assert signer
    return jwt.encode(header or {"alg": "ES256", "kid": "signing-1"}, claims, signer)


def post_as(world: World, party: Party, path: str, **form: str | None) -> TestResponse:
    headers, fields = proof(world, party)
    return world.post(path, headers, **{**fields, **form})


def redeem(world: World, party: Party, code: str, **changed: str | None) -> TestResponse:
    sound: dict[str, str | None] = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": party.redirect_uri,
        "code_verifier": VERIFIER,
    }
    return post_as(world, party, "/token", **{**sound, **changed})


def refresh(world: World, party: Party, token: str, **more: str | None) -> TestResponse:
    return post_as(world, party, "/token", grant_type="refresh_token", refresh_token=token, **more)


def revoke(world: World, party: Party, token: str) -> TestResponse:
    return post_as(world, party, "/revoke", token=token)


def asked_by(party: Party, **changed: str | None) -> dict[str, str]:
    """A sound authorization request of this client; None leaves a parameter out."""
    sound = {"redirect_uri": party.redirect_uri, "scope": str(party.form["scope"])}
    return request_for(party.client_id, **{**sound, **changed})


def ask(visitor: Visitor, party: Party, **changed: str | None) -> TestResponse:
    return visitor.get("/authorize?" + urlencode(asked_by(party, **changed)))


def answer_to(
    visitor: Visitor, party: Party, email: str = AMARA, **changed: str | None
) -> TestResponse:
    """What comes of a request, with the password entered if it is asked for."""
    answer = visitor.follow(ask(visitor, party, **changed))
    if answer.status_code == 200 and 'name="password"' in answer.text:
        answer = visitor.follow(visitor.submit(answer, email=email, password=PASSWORD))
    return answer


def code_for(world: World, party: Party, email: str = AMARA, **changed: str | None) -> str:
    """A code for a person who signs in with a browser of their own."""
    return sent_back(answer_to(world.browser(), party, email, **changed))["code"]


def tokens_for(
    world: World, party: Party, email: str = AMARA, **changed: str | None
) -> dict[str, Any]:
    """Its offline access outlives the session unless another scope is asked for."""
    answer = redeem(world, party, code_for(world, party, email, **changed))
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def refreshed(world: World, party: Party, token: str) -> dict[str, Any]:
    answer = refresh(world, party, token)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def is_active(world: World, access_token: str) -> bool:
    """As the product's own API sees it, and as our own endpoints do: they have to agree."""
    active = bool(world.introspect(access_token)["active"])
    assert (world.userinfo(access_token).status_code == 200) is active
    return active


def is_refused(answer: TestResponse, error: str, status: int = 400) -> bool:
    """By the code that the RFC has for it, and with nothing in the answer besides."""
    told = answer.json if answer.is_json else {}
    found = (answer.status_code, set(told or {}), (told or {}).get("error"))
    assert found == (status, {"error", "error_description"}, error), (found, answer.text[:500])
    assert DESCRIPTION.fullmatch((told or {})["error_description"]), answer.text
    return True


def is_page_of_ours(answer: TestResponse) -> bool:
    """Shown here, sent nowhere, and with nothing of the attacker's in it."""
    assert answer.status_code == 400, (answer.status, answer.headers.get("Location"))
    assert "Location" not in answer.headers
    assert answer.mimetype == "text/html"
    assert "evil" not in answer.text
    assert "<script>" not in answer.text
    return True


def withdraw(visitor: Visitor, client_name: str = "", company: str = "") -> TestResponse:
    """By the account page: the first consent of the client, in that company if one is named."""
    page = visitor.get("/account/products")
    buttons = re.findall(r'name="consent" value="([^"]+)" aria-label="([^"]*)"', page.text)
    found = [consent for consent, label in buttons if client_name in label and company in label]
    return visitor.submit(page, path="/account/products", consent=found[0])


def together(count: int, act: Callable[[int], Answer]) -> list[Answer]:
    """So many at once, each in a thread of its own."""
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(act, range(count)))


def statuses(answers: Iterable[TestResponse]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


def raw(
    world: World, path: str, query: str = "", method: str = "GET", **headers: str
) -> TestResponse:
    """A request whose path and query no client library has tidied up."""
    as_sent = {"PATH_INFO": path, "QUERY_STRING": query}
    return Client(world.app).open("/", method=method, headers=headers, environ_overrides=as_sent)


def segment(value: object) -> str:
    """One part of a JWT."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def is_signed_in(visitor: Visitor) -> bool:
    return visitor.get("/account").status_code == 200
