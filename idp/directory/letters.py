"""How many letters a company may have us send to people who did not ask for them (security.md S52).

Counted exactly, in the transaction that writes the letter: for the address, whoever writes to it,
and for the company; of companies that nobody has confirmed for all of them together too, since they
cost nothing (`confirming`). What is refused has written nothing.
"""

from __future__ import annotations

from idp import limits
from idp.database import Connection
from idp.directory import confirming
from idp.directory.acting import TooOften
from idp.directory.users import canonical_email
from idp.errors import told
from idp.secret_values import SecretKeys

HOUR, DAY = 3600.0, 86400.0
TO_AN_ADDRESS = ((5, HOUR), (10, DAY))
OF_A_COMPANY = 10_000  # invitations a day
OF_AN_UNCONFIRMED, OF_ALL_UNCONFIRMED = 50, 2_000
REQUESTS_A_DAY = 50  # of a company, each of which is written to every operator
JOINING_A_DAY = 20  # of a company, each of which is written to all who manage its people


def take_room(db: Connection, keys: SecretKeys, tenant_id: str, email: str, now: float) -> None:
    """For one more invitation. Raises TooOften."""
    address = keys.blind(canonical_email(email) or email)
    of_address = [
        (f"letters:{window:.0f}:{address}", most, window) for most, window in TO_AN_ADDRESS
    ]
    lacking = limits.take_each(db, now, [*of_address, *_of_company(db, tenant_id)])
    if lacking is None:
        return
    if lacking < len(TO_AN_ADDRESS):
        sentence = told("This address has had many invitations. Wait before you send another.")
        raise TooOften(TO_AN_ADDRESS[lacking][1], email=sentence)
    sentence = told("Your company has sent as many invitations as it may in a day.")
    raise TooOften(DAY, email=sentence)


def _of_company(db: Connection, tenant_id: str) -> list[limits.Ration]:
    if confirming.is_confirmed(db, tenant_id):
        return [(f"letters:{tenant_id}", OF_A_COMPANY, DAY)]
    own = (f"letters:{tenant_id}", OF_AN_UNCONFIRMED, DAY)
    return [own, ("letters of unconfirmed", OF_ALL_UNCONFIRMED, DAY)]


def take_room_at_operators(db: Connection, tenant_id: str, now: float) -> None:
    """For one more access request. Raises TooOften."""
    if not limits.take(db, f"requests:{tenant_id}", now, REQUESTS_A_DAY, DAY):
        sentence = told("Your company has sent as many requests as it may in a day.")
        raise TooOften(DAY, form=sentence)


def take_room_about_joining(db: Connection, tenant_id: str, tag: str, now: float) -> bool:
    """To tell of one more who came by a domain of the company, as the event `tag` says; they are
    listed all the same."""
    return limits.take(db, f"letters of {tag}:{tenant_id}", now, JOINING_A_DAY, DAY)
