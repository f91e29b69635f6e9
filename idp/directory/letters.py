"""How many letters a company may have us send to people who did not ask for them (security.md S52).

Counted exactly, in the transaction that writes the letter: for the address and for the company.
Companies that nobody has confirmed cost nothing (`confirming`): they have a small part of an
address's letters apart, so that they use up nothing of what another company has to invite that
person, and are bounded together. What is refused has written nothing.
"""

from __future__ import annotations

from idp import limits
from idp.database import Connection
from idp.directory import confirming
from idp.directory.acting import TooOften
from idp.directory.confirming import Share
from idp.directory.users import canonical_email
from idp.errors import told
from idp.limits import Ration
from idp.secret_values import SecretKeys

HOUR, DAY = 3600.0, 86400.0
TO_AN_ADDRESS = ((5, HOUR), (10, DAY))
BY_UNCONFIRMED = ((2, DAY),)  # to an address
OF_A_COMPANY = 10_000  # invitations a day
UNCONFIRMED = Share(of_one=50, of_a_network=200, of_all=2_000)  # invitations
REQUESTS_A_DAY = 50  # of a company, each of which is written to every operator
JOINING_A_DAY = 20  # of a company, each of which is written to all who manage its people


def take_room(db: Connection, keys: SecretKeys, tenant_id: str, email: str, now: float) -> None:
    """For one more invitation. Raises TooOften."""
    if confirming.is_confirmed(db, tenant_id):
        there = to_address(keys, "letters", email, TO_AN_ADDRESS)
        own = [(f"letters:{tenant_id}", OF_A_COMPANY, DAY)]
    else:
        there = to_address(keys, "letters of unconfirmed", email, BY_UNCONFIRMED)
        own = confirming.rations(db, tenant_id, "letters", UNCONFIRMED)
    lacking = limits.take_each(db, now, [*there, *own])
    if lacking is None:
        return
    if lacking < len(there):
        sentence = told("This address has had many invitations. Wait before you send another.")
        raise TooOften(there[lacking][2], email=sentence)
    sentence = told("Your company has sent as many invitations as it may in a day.")
    raise TooOften(DAY, email=sentence)


def to_address(
    keys: SecretKeys, what: str, email: str, most: tuple[tuple[int, float], ...]
) -> list[Ration]:
    """Of one mailbox: by whichever spelling of its address."""
    address = keys.blind(canonical_email(email) or email)
    return [(f"{what}:{window:.0f}:{address}", number, window) for number, window in most]


def take_room_at_operators(db: Connection, tenant_id: str, now: float) -> None:
    """For one more access request. Raises TooOften."""
    if not limits.take(db, f"requests:{tenant_id}", now, REQUESTS_A_DAY, DAY):
        sentence = told("Your company has sent as many requests as it may in a day.")
        raise TooOften(DAY, form=sentence)


def take_room_about_joining(db: Connection, tenant_id: str, tag: str, now: float) -> bool:
    """To tell of one more who came by a domain of the company, as the event `tag` says; they are
    listed all the same."""
    return limits.take(db, f"letters of {tag}:{tenant_id}", now, JOINING_A_DAY, DAY)
