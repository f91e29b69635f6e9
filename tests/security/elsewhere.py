"""A client that calls another product, and what it may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.security.protocol import Party, asked_by, of_people, post_as
from tests.world import DANA, PASSWORD, VERIFIER, sent_back

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.world import Visitor, World

LMS, PAYMENTS, CONNECTIONS = (f"urn:product:{key}" for key in ("lms", "payments", "connections"))
READS = {"payments": ["payouts.read"]}
CALLING = of_people("calling", resources=READS)
Fields = list[tuple[str, str]]


def ask_for(visitor: Visitor, party: Party, *resources: str, **changed: str | None) -> TestResponse:
    """An authorization request with so many resources."""
    fields = [*asked_by(party, **changed).items(), *(("resource", each) for each in resources)]
    return visitor.follow(visitor.get(f"/authorize?{urlencode(fields)}"))


def code_for(
    visitor: Visitor, party: Party, *resources: str, email: str = DANA, **changed: str | None
) -> str:
    answer = ask_for(visitor, party, *resources, **changed)
    if answer.status_code == 200:
        answer = visitor.follow(visitor.submit(answer, email=email, password=PASSWORD))
    return sent_back(answer)["code"]


def redeemed(world: World, party: Party, code: str, *resources: str) -> TestResponse:
    return token(
        world,
        party,
        *resources,
        grant_type="authorization_code",
        code=code,
        redirect_uri=party.redirect_uri,
        code_verifier=VERIFIER,
    )


def refreshed(world: World, party: Party, refresh_token: str, *resources: str) -> TestResponse:
    return token(world, party, *resources, grant_type="refresh_token", refresh_token=refresh_token)


def token(world: World, party: Party, *resources: str, **form: Any) -> TestResponse:
    """The test's client sends a list as a field that is repeated."""
    return post_as(world, party, "/token", **{**form, "resource": list(resources) or None})


def tokens_for(world: World, party: Party, *resources: str, email: str = DANA) -> dict[str, Any]:
    """Of one who signs in with a browser of their own, for the first of the resources."""
    code = code_for(world.browser(), party, *resources, email=email)
    answer = redeemed(world, party, code)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})
