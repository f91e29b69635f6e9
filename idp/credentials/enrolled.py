"""What a person has enrolled to prove who they are, what a proof by it is worth, and what holds who
enrols.

Whatever enrols takes a `Hold`, and calls it first in its transaction. It raises where what the
person had proven has ended since they were let in, and keeps it from ending before what is enrolled
is there to be removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from idp.database import Connection

Hold = Callable[[Connection], None]


class Factor(NamedTuple):
    """`method` is its name everywhere (totp, sms, email, recovery, passkey, security_key), `id` is
    never used again, `label` tells it from others of its kind and gives nothing away."""

    method: str
    id: str
    label: str
    enrolled_at: float
    last_used_at: float | None


class Evidence(NamedTuple):
    """The person has just proven `method`, by an authenticator enrolled at that time."""

    method: str
    enrolled_at: float
