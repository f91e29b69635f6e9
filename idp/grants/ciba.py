"""grant_type=urn:openid:params:grant-type:ciba, in poll mode (CIBA Core): a client names a person,
who decides on a page of their account. What comes of it then is told by `decoupled.py`.

Whoever can ask can also wear people down, so each is asked so often by a client, and so often by
all. What they allow does not count.
"""

from __future__ import annotations

from idp import audit, limits
from idp.audit import Origin
from idp.credentials.tries import WINDOW
from idp.database import Connection
from idp.directory.clients import Client
from idp.errors import OAuthRefusal
from idp.grants import decoupled
from idp.limits import Ration
from idp.oidc.client_metadata import CIBA
from idp.secret_values import new_id, new_secret

GRANT_TYPE = CIBA
UNKNOWN = 100  # hints of one client in ten minutes that lead to nobody whom it may ask
OF_PERSON = 10  # requests in ten minutes
OF_PERSON_BY_CLIENT = 5
DISOWNED_FOR = 86400.0  # seconds that a client does not ask somebody who was surprised by it
NOT_NOW = "The person is not asked: too often of late, or they want nothing of this client today."


def take_hint(db: Connection, client: Client, now: float) -> None:
    """Before anybody is looked for; given back with somebody whom the client may ask. Raises
    OAuthRefusal, whoever was meant."""
    if not limits.take(db, _hints(client), now, UNKNOWN, WINDOW):
        sentence = "Too many hints of this client have led to nobody. Wait ten minutes."
        raise OAuthRefusal("access_denied", sentence, client.client_id, 403)


def unknown(db: Connection, client: Client, now: float, origin: Origin) -> OAuthRefusal:
    """The same for all whom it may not ask (docs/decisions/0044)."""
    audit.record(db, "backchannel_request.unknown", now, origin, client=client.client_id)
    sentence = "There is nobody of that name who could open the product by this client."
    return OAuthRefusal("unknown_user_id", sentence)


def begin(
    db: Connection,
    client: Client,
    user_id: str,
    tenant_id: str | None,
    parameters: dict[str, str],
    lifetime: float,
    now: float,
    origin: Origin,
) -> str:
    """In a transaction. The `auth_req_id`, of 256 bits; the person hears of it by a letter. Raises
    OAuthRefusal."""
    limits.give_back_ration(db, _hints(client), now)
    disowned = limits.is_taken(db, _disowned(client.client_id, user_id), now)
    if disowned or limits.take_each(db, now, _rations(client.client_id, user_id)) is not None:
        _record_withheld(db, client, user_id, "disowned" if disowned else "too many", now, origin)
        raise OAuthRefusal("access_denied", NOT_NOW, f"of {user_id}", 403)
    auth_req_id = new_secret()
    decoupled.begin(
        *(db, auth_req_id, new_id(), GRANT_TYPE, client, parameters, lifetime, now, origin),
        user_id=user_id,
    )
    audit.record(
        *(db, "backchannel_request.asked", now, origin),
        tenant=tenant_id,
        client=client.client_id,
        person=user_id,
    )
    return auth_req_id


def _record_withheld(
    db: Connection, client: Client, user_id: str, reason: str, now: float, origin: Origin
) -> None:
    """Once in ten minutes."""
    tag = "backchannel_request.withheld"
    if limits.take(db, f"{tag}:{client.client_id}:{user_id}", now, 1, WINDOW):
        audit.record(db, tag, now, origin, client=client.client_id, person=user_id, reason=reason)


def welcome(db: Connection, client_id: str, user_id: str, now: float) -> None:
    """The person has allowed one: it was no nuisance."""
    for key, _most, _window in _rations(client_id, user_id):
        limits.give_back_ration(db, key, now)


def deny(
    db: Connection, name: str, user_id: str, now: float, origin: Origin, *, is_disowned: bool
) -> bool:
    """By the page that lists them, without a look at it; False if there is nothing left to decide.
    One that is disowned keeps its client from asking again for a day."""
    client_id = decoupled.deny_own(db, name, user_id, now)
    if client_id is None:
        return False
    record_denial(db, client_id, user_id, now, origin, is_disowned=is_disowned)
    if is_disowned:
        limits.take(db, _disowned(client_id, user_id), now, 1, DISOWNED_FOR)
    return True


def record_denial(
    db: Connection,
    client_id: str,
    user_id: str | None,
    now: float,
    origin: Origin,
    *,
    is_disowned: bool = False,
) -> None:
    audit.record(
        *(db, "backchannel_request.denied", now, origin),
        actor=user_id,
        client=client_id,
        disowned=is_disowned,
    )


def _hints(client: Client) -> str:
    return f"backchannel hints of:{client.client_id}"


def _disowned(client_id: str, user_id: str) -> str:
    return f"backchannel disowned:{client_id}:{user_id}"


def _rations(client_id: str, user_id: str) -> list[Ration]:
    return [
        (f"backchannel of:{user_id}", OF_PERSON, WINDOW),
        (f"backchannel of:{user_id}:{client_id}", OF_PERSON_BY_CLIENT, WINDOW),
    ]
