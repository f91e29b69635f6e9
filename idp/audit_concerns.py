"""Whom each event of the audit log concerns: in whose history it is told, and who gets a letter.

One table for all tags. Whose history it is follows from what is hashed of an event, so that nobody
can list it under somebody else unnoticed (`audit_inspection`). To change that for a tag which has
events already takes a migration that lists them anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

import orjson


class About(Enum):
    """The person whom an event is about: whoever did it, or whom its detail names as `person`."""

    NOBODY = auto()
    ACTOR = auto()
    NAMED = auto()


class Reader(Enum):
    """Who gets a letter (`directory/event_letters.py`), first of all the person whom it is about.
    ASKER is who had asked for what is decided, `asked_by` of its detail. OWNERS are the account
    admins of the event's tenant, and the operators for an event of none; PEERS are the account
    admins of a tenant in which somebody has become one, KEEPERS whoever manages the people of the
    event's tenant."""

    PERSON = auto()
    ASKER = auto()
    OWNERS = auto()
    PEERS = auto()
    KEEPERS = auto()
    OPERATORS = auto()


class Concern(NamedTuple):
    about: About = About.NOBODY
    readers: frozenset[Reader] = frozenset()


def _concern(about: About, *readers: Reader) -> Concern:
    return Concern(about, frozenset(readers))


_NOBODY = _concern(About.NOBODY)
_ACTOR = _concern(About.ACTOR)
_NAMED = _concern(About.NAMED)
_TELLS_OWNERS = _concern(About.NOBODY, Reader.OWNERS)
_TELLS_OPERATORS = _concern(About.NOBODY, Reader.OPERATORS)
_TELLS_BOTH = _concern(About.NOBODY, Reader.OWNERS, Reader.OPERATORS)

CONCERNS: Mapping[str, Concern] = {
    "sign_in.succeeded": _ACTOR,
    "sign_in.failed": _ACTOR,
    # Its letter has the link that lifts it (credentials/unlocking.py).
    "sign_in.locked": _ACTOR,
    "sign_in.unlocked": _NAMED,
    "sign_in.held_up": _NOBODY,
    "sign_in.new_device": _concern(About.ACTOR, Reader.PERSON),
    "password.made": _NAMED,
    "password.changed": _concern(About.NAMED, Reader.PERSON),
    # What follows goes out with its own letter, to the same person.
    "password.reset_asked": _NAMED,
    "password.reset": _NAMED,
    "password.worn_out": _concern(About.ACTOR, Reader.PERSON),
    "sign_in.refused": _ACTOR,
    "factor.enrolled": _concern(About.ACTOR, Reader.PERSON),
    "factor.removed": _concern(About.ACTOR, Reader.PERSON),
    "recovery_codes.made": _concern(About.ACTOR, Reader.PERSON),
    "recovery_codes.used": _concern(About.ACTOR, Reader.PERSON),
    "second_factor.failed": _ACTOR,
    "second_factor.paused": _concern(About.ACTOR, Reader.PERSON),
    "second_factor.switched_off": _concern(About.ACTOR, Reader.PERSON),
    "passkey.renamed": _ACTOR,
    "passkey.refused": _ACTOR,
    "passkey.count_fell": _concern(About.ACTOR, Reader.PERSON),
    "second_factor.code_sent": _ACTOR,
    "second_factor.code_withheld": _ACTOR,
    "session.ended": _ACTOR,
    "tenant.chosen": _ACTOR,
    "consent.given": _concern(About.ACTOR, Reader.PERSON),
    "consent.withdrawn": _ACTOR,
    "sign_in.federated_refused": _NAMED,
    "account.linked": _concern(About.NAMED, Reader.PERSON),
    "account.unlinked": _concern(About.NAMED, Reader.PERSON),
    "email.change_asked": _concern(About.ACTOR, Reader.PERSON),
    # The old address gets a letter of its own, with a link (login/email_change.py).
    "email.changed": _ACTOR,
    "email.given_back": _concern(About.ACTOR, Reader.PERSON),
    "profile.changed": _ACTOR,
    # The letter of `consent.given` goes out with it.
    "device.allowed": _ACTOR,
    "device_code.unknown": _ACTOR,
    "backchannel_request.asked": _concern(About.NAMED, Reader.PERSON),
    "backchannel_request.unknown": _NOBODY,
    "backchannel_request.withheld": _NAMED,
    "backchannel_request.allowed": _ACTOR,
    "backchannel_request.denied": _ACTOR,
    # A client that repeats itself does the same as a thief, far more often.
    "code.replayed": _ACTOR,
    "device_code.replayed": _ACTOR,
    "backchannel_request.replayed": _ACTOR,
    "refresh_token.replayed": _ACTOR,
    "token.revoked": _ACTOR,
    "token.exchanged": _ACTOR,
    "console.refused": _ACTOR,
    "client.refused": _NOBODY,
    "logout.delivered": _ACTOR,
    "logout.undelivered": _ACTOR,
    # Their letters go to both companies and to whoever is asked next (directory/access_letters.py).
    "access.asked": _NAMED,
    "access.submitted": _NAMED,
    "access.withdrawn": _NAMED,
    "access.approved": _NAMED,
    "access.refused": _NAMED,
    "access.set_up": _NAMED,
    "access.ended": _NAMED,
    "access.form_read": _NAMED,
    "sealing_key.in_use": _NOBODY,
    "signing_key.made": _NOBODY,
    "database.restored": _TELLS_OPERATORS,
    "signing_key.revoked": _TELLS_OPERATORS,
    "tenant.created": _NOBODY,
    "tenant.confirmed": _TELLS_OWNERS,
    "tenant.suspended": _TELLS_BOTH,
    "tenant.signed_out": _NOBODY,
    "tenant.resumed": _TELLS_OWNERS,
    "tenant.ended": _TELLS_BOTH,
    "tenant.evidence_made": _NOBODY,
    "tenant.evidence_taken": _NOBODY,
    "tenant.evidence_refused": _TELLS_OPERATORS,
    # What was asked of an address may come to nobody; its letter has the link.
    "invitation.sent": _NOBODY,
    "invitation.sent_again": _NOBODY,
    "invitation.revoked": _NOBODY,
    "invitation.accepted": _concern(About.NAMED, Reader.PERSON, Reader.PEERS),
    # Their letters have the link, or say that there is an account (login/sign_up.py).
    "sign_up.known": _NAMED,
    "sign_up.held_up": _TELLS_OPERATORS,
    "sign_up.done": _NAMED,
    "join.asked": _concern(About.NAMED, Reader.KEEPERS),
    "join.admitted": _concern(About.NAMED, Reader.KEEPERS),
    "join.approved": _concern(About.NAMED, Reader.PERSON, Reader.PEERS),
    "join.refused": _concern(About.NAMED, Reader.PERSON),
    "import.uploaded": _NOBODY,
    "import.started": _NOBODY,
    "import.dropped": _NOBODY,
    "import.line_done": _NOBODY,
    "person.admitted": _concern(About.NAMED),
    "person.account_linked": _NAMED,  # the letter is of `account.linked`
    "person.account_unlinked": _NAMED,
    "person.roles_changed": _concern(About.NAMED, Reader.PERSON, Reader.PEERS),
    "person.disabled": _concern(About.NAMED, Reader.PERSON),
    "person.enabled": _concern(About.NAMED, Reader.PERSON),
    "person.sessions_ended": _concern(About.NAMED, Reader.PERSON),
    "person.second_factors_reset": _concern(About.NAMED, Reader.PERSON, Reader.ASKER),
    "person.second_factors_reset_asked": _concern(About.NAMED, Reader.OWNERS),
    "person.second_factors_reset_refused": _concern(About.NAMED, Reader.ASKER, Reader.OWNERS),
    "person.second_factors_reset_elsewhere": _concern(About.NAMED, Reader.OWNERS),
    "branding.changed": _NOBODY,
    "domain.added": _NOBODY,
    "domain.verified": _TELLS_OWNERS,
    "domain.lost": _TELLS_OWNERS,
    "domain.removed": _NOBODY,
    "domain.routed": _TELLS_OWNERS,
    "identity_provider.added": _TELLS_OWNERS,
    "identity_provider.changed": _TELLS_OWNERS,
    "identity_provider.disabled": _TELLS_OWNERS,
    "identity_provider.enabled": _TELLS_OWNERS,
    "identity_provider.removed": _TELLS_OWNERS,
    "role.made": _NOBODY,
    "role.changed": _NOBODY,
    "role.deleted": _NOBODY,
    "product.made": _NOBODY,
    "product.changed": _NOBODY,
    "client.registered": _TELLS_OWNERS,
    "client.changed": _NOBODY,
    "client.disabled": _TELLS_OWNERS,
    "client.enabled": _TELLS_OWNERS,
    "client.self_registered": _NOBODY,
    "client.self_changed": _NOBODY,
    "client.self_deleted": _NOBODY,
    "registration_token.made": _TELLS_OPERATORS,
    "registration_token.ended": _NOBODY,
    "client.secret_rotated": _TELLS_OWNERS,
    "client.secret_removed": _TELLS_OWNERS,
    "operator.added": _concern(About.NAMED, Reader.PERSON, Reader.OPERATORS),
    "operator.removed": _concern(About.NAMED, Reader.PERSON, Reader.OPERATORS),
    "visit.started": _TELLS_OWNERS,
    "visit.ended": _NOBODY,
    "policy.changed": _TELLS_OWNERS,
    "policy.people_selected": _NOBODY,
    "audit.exported": _NOBODY,
    "audit.chain_started": _NOBODY,
    "audit.chain_broken": _TELLS_BOTH,
    "setup.applied": _NOBODY,
}


def person_of(tag: str, actor_id: str | None, detail: str) -> str | None:
    """The id of the person in whose history an event is told; `detail` is its JSON. Nobody for a
    tag that is not ours, which an event that somebody changed can have."""
    about = CONCERNS.get(tag, _NOBODY).about
    if about is About.ACTOR:
        return actor_id
    if about is About.NAMED:
        named = orjson.loads(detail).get("person")
        return named if isinstance(named, str) else None
    return None
