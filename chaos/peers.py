"""Others whom the provider has to ask or to tell: OpenID providers by which people sign in, and
products that want to hear of sign-outs. A fifth of each has one of four troubles, and one none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from werkzeug.wrappers import Request, Response

from chaos.crowd import FIRST
from chaos.directory import product
from chaos.history import FAIL, OK, Operation, Pen
from chaos.registry import CLUB, REDIRECT_URI, SCOPE, VICTIM, email, secret_of
from idp import setup
from idp.directory.identity_providers import return_uri
from idp.directory.users import User
from idp.federation.linked_accounts import LinkedAccount
from idp.provider import Provider
from idp.secret_values import new_id
from tests.machine.processes import LOOPBACK, free_port
from tests.machine.upstream import Account, Fault, UpstreamProvider, running_upstream
from tests.machine.upstream.serving import Server, failing_answer

PEERS = 50
HANGS, GARBAGE, HUGE, STRANGE, WELL = TROUBLES = ("hangs", "garbage", "1 GiB", "strange", "well")
OF_PROVIDERS = {
    HANGS: Fault.TOKEN_HANGS,
    GARBAGE: Fault.TOKEN_GARBAGE,
    HUGE: Fault.TOKEN_HUGE,
    STRANGE: Fault.KID_UNKNOWN,
}
OF_PRODUCTS = {HANGS: "hang", GARBAGE: "500", HUGE: "1 GiB"}
TOLD = "logout token"
DRIP = 1.0
NO_CONTENT, BUSY = 204, 503


def trouble_of(number: int) -> str:
    return TROUBLES[number % len(TROUBLES)]


def is_rotated(number: int) -> bool:
    """Of those whose keys are strange every other one has new ones, and the rest sign by what they
    do not publish."""
    return trouble_of(number) == STRANGE and number // len(TROUBLES) % 2 == 1


def product_of(number: int) -> str:
    """The client that is told of sign-outs."""
    return f"peer-{number}"


def provider_of(number: int) -> str:
    return f"elsewhere-{number}"


class Receivers:
    """What they hear is in the history: the token, and whether they took it."""

    def __init__(self, pen: Pen) -> None:
        self.is_in_trouble = False
        self._pen = pen
        self._server = Server(free_port(), self)

    def uri(self, number: int) -> str:
        return f"http://{LOOPBACK}:{self._server.port}/{number}"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self._answer(Request(environ))(environ, start_response)

    def close(self) -> None:
        self._server.close()

    def _answer(self, request: Request) -> Response:
        number, at = int(request.path[1:]), time.time()
        trouble = OF_PRODUCTS.get(trouble_of(number), "") if self.is_in_trouble else ""
        token = request.form["logout_token"]
        is_taken = trouble not in ("hang", "500")
        self._pen.write(_told(self._pen.number(), product_of(number), token, at, is_taken))
        connection = request.environ["werkzeug.socket"]
        answer = failing_answer(trouble, connection, self._server.is_closing, DRIP)
        return answer or Response(status=NO_CONTENT)


def _told(number: int, product: str, token: str, at: float, is_taken: bool) -> Operation:
    return Operation(
        number=number,
        user=FIRST,
        kind=TOLD,
        node=product,
        due=at,
        start=at,
        end=at,
        outcome=OK if is_taken else FAIL,
        status=NO_CONTENT if is_taken else BUSY,
        meant=True,
        tokens=[token],
    )


class Peers:
    """`providers` by their number."""

    def __init__(self, providers: list[UpstreamProvider], receivers: Receivers) -> None:
        self.providers = providers
        self._receivers = receivers

    @contextmanager
    def in_trouble(self) -> Iterator[None]:
        for number, each in enumerate(self.providers):
            if is_rotated(number):
                each.rotate()
            else:
                each.fault = OF_PROVIDERS.get(trouble_of(number))
        self._receivers.is_in_trouble = True
        yield
        self._receivers.is_in_trouble = False
        for each in self.providers:
            each.fault = None

    def key_sets_sent(self) -> dict[int, int]:
        """How often each strange one was asked for its keys."""
        return {
            number: each.asked["jwks"]
            for number, each in enumerate(self.providers)
            if trouble_of(number) == STRANGE
        }


@contextmanager
def peers_known_to(held: Provider, users: int, pen: Pen) -> Iterator[Peers]:
    """As many providers as there are people who have an account at one, PEERS at most."""
    with ExitStack() as stack:
        made = [_provider(stack, held, number) for number in range(min(users, PEERS))]
        receivers = Receivers(pen)
        stack.callback(receivers.close)
        described = setup.read(_described(made, receivers), {}, "the peers")
        setup.apply(held, described, time.time(), base_dir=Path())
        _link(held, made)
        yield Peers(made, receivers)


def _provider(stack: ExitStack, held: Provider, number: int) -> UpstreamProvider:
    there = return_uri(held.settings.issuer, provider_of(number))
    made = stack.enter_context(running_upstream(there, alg="ES256"))
    made.account = Account(str(number), email(number, VICTIM))
    return made


def _described(providers: list[UpstreamProvider], receivers: Receivers) -> dict[str, Any]:
    """In the form of a set-up file."""
    keys = [provider_of(number) for number in range(len(providers))]
    of_people = {
        "product": CLUB,
        "first_party": True,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": SCOPE,
    }
    told = {
        product_of(number): {"backchannel_logout_uri": receivers.uri(number)}
        for number in range(PEERS)
    }
    return {
        "identity_providers": [
            {
                "key": key,
                "name": key,
                "issuer": each.issuer,
                "client_id": each.client_id,
                "client_secret": each.client_secret,
            }
            for key, each in zip(keys, providers, strict=True)
        ],
        "products": [{**product(CLUB), "identity_providers": keys}],
        "clients": [
            {**of_people, "client_id": each, "client_name": each, "client_secret": secret_of(each)}
            | more
            for each, more in {CLUB: {}, **told}.items()
        ],
    }


def _link(held: Provider, providers: list[UpstreamProvider]) -> None:
    """Each person's account there to the one here, as if they had proven both."""
    with held.database.engine.begin() as connection:
        people = connection.execute(sa.select(User.email, User.id))
        ids = {str(address): str(user_id) for address, user_id in people}
        connection.execute(sa.delete(LinkedAccount))
        rows = [
            {
                "id": new_id(),
                "user_id": ids[email(number, VICTIM)],
                "company_id": "",
                "provider_key": provider_of(number),
                "issuer": each.issuer,
                "subject": each.account.sub,
                "email": each.account.email,
                "linked_at": time.time(),
            }
            for number, each in enumerate(providers)
        ]
        connection.execute(sa.insert(LinkedAccount), rows)
