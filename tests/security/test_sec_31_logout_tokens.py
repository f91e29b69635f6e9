"""S31: what products are sent when a session ends (Back-Channel Logout 1.0 section 2.4)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from idp import delivery, worker
from idp.sessions.logout import LOGOUT_EVENT, MESSAGE
from idp.settings import Networks
from idp.worker import tell_product, watch
from tests.security.protocol import KEEPING, answer_to, is_refused, of_people, redeem, register
from tests.world import ADDRESSES, AMARA, ISSUER, PASSWORD, Visitor, World, claims_of, sent_back


@dataclass
class Post:
    """Products that take note, and do as they are told to answer."""

    status: int = 200
    sent: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __call__(self, uri: str, fields: dict[str, str], _allowed: Networks) -> int:
        self.sent.append((uri, fields["logout_token"], fields))
        return self.status


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    made = Post()
    monkeypatch.setattr(worker, "post_form", made)
    return made


def signed_out_of(world: World, *client_ids: str) -> tuple[Visitor, dict[str, dict[str, Any]]]:
    """Signed in at these products and out again; the ID tokens' claims by product."""
    visitor = world.browser()
    held = {c: claims_of(visitor.tokens(AMARA, c)["id_token"]) for c in client_ids}
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    return visitor, held


def deliver(world: World) -> int:
    senders = {MESSAGE: partial(tell_product, world.held)}
    held = world.held
    return sum(iter(lambda: delivery.deliver_due(held.database, senders, watch, held.clock()), 0))


def opened(world: World, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, by the keys that we publish."""
    keys = KeySet.import_key_set(world.get("/jwks").json)  # type: ignore[arg-type]
    verified = jws.deserialize_compact(token, keys, algorithms=["RS256", "ES256", "PS256"])
    return dict(verified.headers()), claims_of(token)


def test_sec_31_a_logout_token_is_what_the_specification_asks(world: World, post: Post):
    _, held = signed_out_of(world, "lms", "payments")
    deliver(world)
    assert {uri for uri, _, _ in post.sent} == {
        f"{ADDRESSES['lms']}/backchannel-logout",
        f"{ADDRESSES['payments']}/backchannel-logout",
    }
    for _, token, _ in post.sent:
        header, claims = opened(world, token)
        id_claims = held[claims["aud"]]
        assert header["typ"] == "logout+jwt"
        assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti", "sid", "events"}
        assert claims["iss"] == ISSUER
        assert (claims["sub"], claims["sid"]) == (id_claims["sub"], id_claims["sid"])
        assert claims["iat"] == int(world.clock())
        assert 0 < claims["exp"] - claims["iat"] <= 120
        assert claims["events"] == {LOGOUT_EVENT: {}}


def test_sec_31_each_product_hears_of_its_own_session_alone(world: World, post: Post):
    signed_out_of(world, "lms", "payments", "connections")
    deliver(world)
    claims = [claims_of(token) for _, token, _ in post.sent]
    for name in ("sid", "jti", "aud"):
        assert len({told[name] for told in claims}) == 3, name
    for uri, token, _ in post.sent:
        assert ADDRESSES[claims_of(token)["aud"]] in uri


def test_sec_31_a_product_that_was_not_signed_into_hears_nothing(world: World, post: Post):
    signed_out_of(world, "lms")
    deliver(world)
    assert [claims_of(token)["aud"] for _, token, _ in post.sent] == ["lms"]


def test_sec_31_a_token_is_made_anew_for_each_try(world: World, post: Post):
    """One that waited in a queue would have expired, and a `jti` counts once."""
    signed_out_of(world, "lms")
    post.status = 503
    deliver(world)
    world.clock.move(600)
    post.status = 200
    deliver(world)
    first, second = (claims_of(token) for _, token, _ in post.sent)
    assert first["jti"] != second["jti"]
    assert second["exp"] > world.clock()
    assert first["sid"] == second["sid"]
    assert [event["attempts"] for event in world.audit("logout.delivered")] == [2]


def test_sec_31_a_redirect_is_no_receipt(world: World, post: Post):
    signed_out_of(world, "lms")
    post.status = 302
    deliver(world)
    ((_, _, sent),) = post.sent
    assert sent.keys() == {"logout_token"}
    assert world.run("SELECT status FROM outbox") == [("pending",)]
    assert world.audit("logout.delivered") == []


def test_sec_31_a_product_that_redirects_has_the_token_sent_nowhere_else(world: World):
    with redirecting_server() as (address, visited):
        moved = of_people("moved", backchannel_logout_uri=f"{address}/told")
        register(world, moved)
        visitor = world.browser()
        redeem(world, moved, sent_back(answer_to(visitor, moved))["code"])
        visitor.submit(visitor.get("/logout"), decision="sign_out")
        deliver(world)
    assert visited == ["/told"]
    assert world.run("SELECT status FROM outbox") == [("pending",)]


@contextmanager
def redirecting_server() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the paths that it is asked for."""
    visited: list[str] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            visited.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", visited
        server.shutdown()
        thread.join()


def test_sec_31_no_token_is_kept_where_it_could_be_read(world: World, post: Post):
    signed_out_of(world, "lms")
    deliver(world)
    ((_, token, _),) = post.sent
    for table in ("outbox", "audit_events"):
        kept = str(world.run(f"SELECT * FROM {table}"))
        assert token not in kept
        assert token.split(".")[2] not in kept


def test_sec_31_a_logout_token_is_good_for_nothing_else(world: World, post: Post):
    register(world, KEEPING)
    _, _ = signed_out_of(world, "lms")
    deliver(world)
    ((_, token, _),) = post.sent
    assert is_refused(world.userinfo(token), "invalid_token", 401)
    assert world.introspect(token) == {"active": False}
    visitor = world.browser()
    hinted = visitor.authorize(id_token_hint=token, prompt="none")
    assert sent_back(hinted)["error"] == "invalid_request"
    visitor.tokens()
    assert visitor.get(f"/logout?id_token_hint={token}").status_code == 400


def test_sec_31_an_end_by_any_door_is_told(world: World, post: Post):
    """Signing out, ending it on the account page, another person signing in."""
    by_account = world.browser()
    by_account.tokens()
    page = by_account.get("/account")
    (row,) = world.run("SELECT id FROM sessions WHERE ended_at IS NULL")
    by_account.submit(page, path="/account/sessions", session=row[0])
    replaced = world.browser()
    replaced.tokens()
    page = replaced.follow(replaced.authorize(prompt="login"))
    replaced.follow(replaced.submit(page, email="ben@northwind.example", password=PASSWORD))
    signed_out_of(world, "lms")
    deliver(world)
    assert len(post.sent) == 3


def test_sec_31_a_client_without_an_address_is_not_told(world: World, post: Post):
    register(world, KEEPING)
    visitor = world.browser()
    code = sent_back(answer_to(visitor, KEEPING))["code"]
    assert redeem(world, KEEPING, code).status_code == 200
    visitor.submit(visitor.get("/logout"), decision="sign_out")
    assert deliver(world) == 0
