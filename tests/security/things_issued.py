"""Whatever the provider has issued to somebody: how one comes by it, and whether it is good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson

from idp.credentials import devices
from idp.credentials.second_factor_tries import SecondFactorRefused
from idp.credentials.sent_code import ENROL, Place
from idp.directory import operator_visits, users
from idp.login import email_change
from idp.login.email_move import LinkOver
from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.operators import tenants, visits
from tests import mailed, signing_up
from tests.account.proving import link_in, mail_to
from tests.console.inviting import invite, newest_token
from tests.console.operations import operation
from tests.credentials.proving import (
    answer,
    code_of,
    enrol_app,
    enter,
    new_codes,
    place,
    recover,
    send,
    user_id,
)
from tests.security import device_flow, proving_possession
from tests.security.changing_address import asked_link
from tests.security.changing_address import changed as change_address
from tests.security.device_flow import TILL
from tests.security.protocol import (
    ASKING,
    KEEPING,
    MACHINE,
    SIGNING,
    Party,
    answer_to,
    asked_by,
    assertion,
    code_for,
    is_active,
    is_signed_in,
    post_as,
    redeem,
    refresh,
    tokens_for,
)
from tests.security.registering import SOUND, initial_token, post
from tests.security.test_sec_28_backchannel_clients import SIGNS, bring, signed
from tests.world import BEN, DANA, HANA, PRIYA, Visitor, World

TOMAS, INGRID = "tomas@customer.example", "ingrid@broker.example"
OPAQUE = Party(
    "opaque-machine",
    form={"product": "payments", "grant_types": ["client_credentials"], "scope": "payouts.read"},
)
PARTIES = (KEEPING, MACHINE, OPAQUE, SIGNING, ASKING, TILL, SIGNS, proving_possession.MACHINE)


class Kind(NamedTuple):
    """`issue` is for a person, by their address; `is_good` may use it up. `people` are two."""

    issue: Callable[[World, str], Any]
    is_good: Callable[[World, Any], bool]
    people: tuple[str, str] = (BEN, DANA)


def take_up(world: World, visitor: Visitor) -> Visitor:
    """The same browser, at another provider of that address."""
    visitor.world = world
    visitor.client.application = world.app
    return visitor


def _browser(world: World, email: str) -> Visitor:
    visitor = world.browser()
    visitor.sign_in(email)
    assert is_signed_in(visitor)
    return visitor


def _machine_token(world: World, party: Party) -> str:
    answer = post_as(world, party, "/token", grant_type="client_credentials")
    return str((answer.json or {})["access_token"])


def _device_code(world: World, email: str) -> str:
    told = device_flow.codes(world, TILL)
    device_flow.allow(world, told["user_code"], email)
    return str(told["device_code"])


def _opens(world: World, link: str) -> bool:
    return world.browser().get(link).status_code == 200


def _new_address(world: World, email: str) -> tuple[str, str]:
    visitor = world.browser()
    visitor.enter("/account/email", email)
    _, _, secret = asked_link(world, visitor, f"moved.{email}").partition("token=")
    return user_id(world, email), secret


def _moves(world: World, asked: tuple[str, str]) -> bool:
    with world.held.database.connection() as db:
        try:
            email_change.look(db, *asked, world.clock())
        except LinkOver:
            return False
    return True


def _undo_link(world: World, email: str) -> str:
    visitor = world.browser()
    visitor.enter("/account/email", email)
    change_address(world, visitor, f"new.{email}")
    return link_in(world, mail_to(world, email, "email_changed"))


def _invitation(world: World, email: str) -> str:
    invite(world, f"new.{email}")
    return f"/invitation?token={newest_token(world)}"


def _sent_code(world: World, email: str) -> tuple[str, Place]:
    there = place(world, "email", ENROL, email)
    send(world, there)
    return mailed.newest_code(world, email), there


def _visit(world: World, company: str) -> str:
    with operation(world) as opened:
        tenant = tenants.get_tenant(opened, company)
        return visits.begin(opened, tenant, "Ticket 4711", 60).id


def _goes_on(world: World, visit: str) -> bool:
    with world.held.database.connection() as db:
        return operator_visits.goes_on(db, visit, world.clock())


def _is_proven(prove: Callable[..., Any], world: World, code: str, email: str) -> bool:
    try:
        prove(world, code, email)
    except SecondFactorRefused:
        return False
    return True


def _device(world: World, email: str) -> tuple[str, str]:
    visitor = _browser(world, email)
    cookie = visitor.client.get_cookie("latchkey-device")
    assert cookie
    return email, cookie.decoded_value


def _is_known(world: World, device: tuple[str, str]) -> bool:
    email, cookie = device
    with world.held.database.connection() as db:
        person = users.find_by_email(db, email)
    assert person
    return bool(devices.recognise(world.held.secret_keys, cookie, person, world.clock()))


def _consent(world: World, email: str) -> str:
    visitor = world.browser()
    page = answer_to(visitor, ASKING, email)
    visitor.follow(visitor.submit(page, path="/login/consent", decision="allow"))
    return email


def _is_unasked(world: World, email: str) -> bool:
    return answer_to(world.browser(), ASKING, email).status_code == 303


def _ask_by(world: World, signed: str) -> bool:
    fields = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
    return world.post("/token", None, grant_type="client_credentials", **fields).status_code == 200


def _pushed(world: World, _email: str) -> str:
    answer = post_as(world, KEEPING, "/par", **asked_by(KEEPING))
    return str((answer.json or {})["request_uri"])


def _begins(world: World, request_uri: str) -> bool:
    asked = {"client_id": KEEPING.client_id, "request_uri": request_uri}
    return world.get("/authorize?" + urlencode(asked)).status_code == 303


def _signs_in(world: World, given: tuple[str, str]) -> bool:
    return world.browser().sign_in(*given).request.path == "/login/new_password"


def _key(world: World, _email: str) -> str:
    return str(_published(world)[-1])


def _published(world: World) -> list[str]:
    return [key["kid"] for key in orjson.loads(world.get("/jwks").data)["keys"]]


# What moves the clock stands first, so that what is short-lived is young.
KINDS = {
    "a link for a new password": Kind(mailed.link_for, _opens),
    "a temporary password": Kind(
        lambda world, email: (email, mailed.temporary_for(world, email)),
        _signs_in,
        (PRIYA, HANA),
    ),
    "a link that opens an account": Kind(
        lambda world, email: signing_up.link_for(world, f"new-{email}"), _opens
    ),
    "a link that gives an address back": Kind(
        _undo_link, _opens, ("tomas@customer.example", "ingrid@broker.example")
    ),
    "a link to a new address": Kind(_new_address, _moves),
    "an invitation": Kind(_invitation, _opens),
    "an authenticator app's step": Kind(
        lambda world, email: (email, enrol_app(world, email)),
        lambda world, app: _is_proven(enter, world, code_of(app[1], world.clock()), app[0]),
    ),
    "a code by mail": Kind(
        _sent_code,
        lambda world, sent: _is_proven(lambda *by: answer(by[0], by[2], by[1]), world, *sent),
    ),
    "a recovery code": Kind(
        lambda world, email: (email, new_codes(world, email)[0]),
        lambda world, code: _is_proven(recover, world, code[1], code[0]),
    ),
    "an operator's visit": Kind(_visit, _goes_on, ("northwind", "harbor")),
    "a consent": Kind(_consent, _is_unasked),
    "a remembered device": Kind(_device, _is_known),
    "a session": Kind(_browser, lambda world, visitor: is_signed_in(take_up(world, visitor))),
    "a refresh token": Kind(
        lambda world, email: tokens_for(world, KEEPING, email)["refresh_token"],
        lambda world, token: refresh(world, KEEPING, token).status_code == 200,
    ),
    "an access token": Kind(
        lambda world, email: tokens_for(world, KEEPING, email)["access_token"], is_active
    ),
    "a machine's token": Kind(
        lambda world, _: _machine_token(world, MACHINE),
        lambda world, token: bool(world.introspect(token)["active"]),
    ),
    "a machine's opaque token": Kind(
        lambda world, _: _machine_token(world, OPAQUE),
        lambda world, token: bool(world.introspect(token, "payments")["active"]),
    ),
    "an initial access token": Kind(
        lambda world, email: initial_token(world, email.partition("@")[0]),
        lambda world, token: post(world, token, SOUND).status_code == 201,
    ),
    "a signing key": Kind(_key, lambda world, kid: kid in _published(world)),
    "a device code": Kind(
        _device_code,
        lambda world, code: device_flow.poll(world, TILL, code).status_code == 200,
    ),
    "an authorization code": Kind(
        lambda world, email: code_for(world, KEEPING, email),
        lambda world, code: redeem(world, KEEPING, code).status_code == 200,
    ),
    "a pushed request": Kind(_pushed, _begins),
    "an assertion": Kind(lambda world, _: assertion(world, SIGNING), _ask_by),
    "an assertion by a clock that is ahead": Kind(
        lambda world, _: assertion(world, SIGNING, iat=int(world.clock()) + 10), _ask_by
    ),
    "an assertion without a date": Kind(
        lambda world, _: assertion(world, SIGNING, iat=None), _ask_by
    ),
    "a signed request by a clock that is ahead": Kind(
        lambda world, _: signed(world, iat=int(world.clock()) + 10),
        lambda world, by: bring(world, by).status_code == 200,
    ),
    "a proof of possession": Kind(
        lambda world, _: proving_possession.made(world, "/token"),
        lambda world, by: proving_possession.ask_machine(world, by).status_code == 200,
    ),
    "a proof of possession by a clock that is ahead": Kind(
        lambda world, _: proving_possession.made(world, "/token", iat=int(world.clock()) + 60),
        lambda world, by: proving_possession.ask_machine(world, by).status_code == 200,
    ),
}
