"""The audit log: who did what, for which tenant, when, from where, and how it ended.

An event is written in the transaction of the change it tells of, as the next link of its chain
(`audit_chain.py`). It never holds a secret.
Each tag is documented in docs/operate.md; a test fails for one that is not.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp import audit_chain
from idp.audit_chain import AuditEvent, Event
from idp.audit_concerns import CONCERNS, About
from idp.canonical_json import canonical_json
from idp.database import Connection
from idp.measures import MEASURES

TAGS = {
    "sign_in.succeeded": "A person proved who they are and a session started or was renewed.",
    "sign_in.failed": "A password, or what `method` says, was refused; `reason` says why.",
    "sign_in.federated_refused": "What came back from another provider signed nobody in.",
    "account.linked": "A person linked an account at another provider, to sign in with it.",
    "account.unlinked": "Somebody's account at another provider was unlinked.",
    "sign_in.locked": "The last allowed wrong password: sign-in for that address now pauses.",
    "sign_in.unlocked": "The pause after wrong passwords was lifted, by its owner or by an admin.",
    "sign_in.held_up": "Too many wrong passwords of one `network`, or for a tenant: others wait.",
    "sign_in.new_device": "Somebody who had signed in before did so in an unknown browser.",
    "password.made": "A person got a first password; `way` says how.",
    "password.changed": "A person got another password, which ended all that went before.",
    "password.reset_asked": "A letter with a link for another password was written to a person.",
    "password.reset": "A link was confirmed: the password is dead, a temporary one is mailed.",
    "password.worn_out": "The last wrong password in a row: it opens nothing until it is replaced.",
    "sign_in.refused": "A proven person may not open a product; `reason` says why.",
    "factor.enrolled": "A person enrolled a second factor; `method` says which.",
    "factor.removed": "A person removed a second factor of theirs; `method` says which.",
    "recovery_codes.made": "A person was given ten recovery codes; earlier ones are dead.",
    "recovery_codes.used": "A recovery code proved who somebody is; `left` are left.",
    "second_factor.failed": "A code was refused; `method` and `reason` say which and why.",
    "second_factor.paused": "The last allowed wrong code: second factors of that person now pause.",
    "second_factor.switched_off": "A hundred wrong codes in a row: that factor is off for good.",
    "passkey.renamed": "A person gave a passkey another name, `label`.",
    "passkey.refused": "A new passkey was refused; `reason` says why.",
    "passkey.count_fell": "A passkey's counter did not go up: there may be a copy of it.",
    "second_factor.code_sent": "A code was sent to a person, by `method` for `purpose`.",
    "second_factor.code_withheld": "A code was asked for and not sent; `reason` says why.",
    "session.ended": "A browser's session ended; `reason` says by whom or by what.",
    "tenant.chosen": "A person chose which tenant to work in.",
    "consent.given": "A person allowed a product that is not first-party to see `scope`.",
    "consent.withdrawn": "A person withdrew what they had allowed; its tokens are dead.",
    "email.change_asked": "A person asked for another e-mail address, which has to confirm it.",
    "email.changed": "A person's e-mail address changed, from `before` to `after`.",
    "email.given_back": "A person's old address was given back by its link; what came since ended.",
    "profile.changed": "A person changed their name, language or time zone.",
    "device.allowed": "A person let another device of theirs sign in as them.",
    "device_code.unknown": "Somebody entered a code that no device shows, or another browser has.",
    "device_code.replayed": "A device code was used again; what it had given is dead.",
    "backchannel_request.asked": "A client asked something of a person whom it named (CIBA).",
    "backchannel_request.unknown": "A client named somebody of whom it may ask nothing.",
    "backchannel_request.withheld": "A person was not asked once more; `reason` says why.",
    "backchannel_request.allowed": "A person allowed what a client had asked of them.",
    "backchannel_request.denied": "A person refused it; `disowned` says whether as not theirs.",
    "backchannel_request.replayed": "An auth_req_id was used again; what it had given is dead.",
    "code.replayed": "An authorization code was used again; what it had given is dead.",
    "refresh_token.replayed": "A spent refresh token was used again; its whole family is dead.",
    "token.revoked": "A client revoked a token (RFC 7009).",
    "token.exchanged": "A product called another one for somebody (RFC 8693).",
    "console.refused": "The console or its API refused somebody; `reason` says why.",
    "client.refused": "A client did not prove who it is.",
    "logout.delivered": "A product confirmed a back-channel logout.",
    "logout.undelivered": "A product could not be told of a sign-out; `reason` says why.",
    "access.asked": "A company asked for access to another one, for one of its own people.",
    "access.submitted": "The signed form of an access request was uploaded.",
    "access.withdrawn": "The company that asked took its request back.",
    "access.approved": "An operator approved an access request; it opens nothing yet.",
    "access.refused": "An operator refused an access request, with a reason.",
    "access.set_up": "The company that is entered gave roles: the access is open.",
    "access.ended": "Access to another company ended, by somebody or by its date.",
    "access.form_read": "Somebody downloaded the signed form of an access request.",
    "sealing_key.in_use": "All that is encrypted is so by `key` now, `values` of them anew.",
    "signing_key.made": "A signing key was made; it signs from `active_from`.",
    "database.restored": "The database was put back to an earlier state, from a backup.",
    "signing_key.revoked": "A signing key was revoked; what it signed is worthless at once.",
    "tenant.created": "A tenant was made, by an operator or by who opened an account.",
    "tenant.confirmed": "An operator confirmed a tenant that somebody had founded.",
    "tenant.suspended": "An operator suspended a tenant: nobody opens anything in it.",
    "tenant.signed_out": "All sign-ins of a suspended tenant were ended, and the products told.",
    "tenant.resumed": "An operator let a suspended tenant go on.",
    "tenant.ended": "An operator ended a tenant for good.",
    "tenant.evidence_made": "It was written down what ended with a tenant; `counts` says how much.",
    "tenant.evidence_taken": "An operator downloaded the evidence pack of a tenant that has ended.",
    "tenant.evidence_refused": "Evidence of an end was not signed; `reason` says what had changed.",
    "invitation.sent": "Somebody was invited.",
    "invitation.sent_again": "An invitation was sent again; the old link is dead.",
    "invitation.revoked": "An invitation was revoked; its link is dead.",
    "invitation.accepted": "Somebody came in by an invitation.",
    "sign_up.known": "Somebody wanted to open an account with the address of one; they are told.",
    "sign_up.held_up": "The last letter of a day to addresses without an account was written.",
    "sign_up.done": "Somebody opened an account by themselves; `way` says where they belong.",
    "join.asked": "Who opened an account by a company's domain waits for it to let them in.",
    "join.admitted": "Who opened an account by a company's domain is in by themselves.",
    "join.approved": "An admin let somebody in who had waited; `after` is what roles they got.",
    "join.refused": "An admin did not let somebody in, with a `reason`.",
    "import.uploaded": "An admin uploaded a file of people, which is tried first.",
    "import.started": "An admin had an import done.",
    "import.dropped": "An admin dropped an import; nothing of it is done.",
    "import.line_done": "A line of an import was done or refused; `to` says which.",
    "person.admitted": "A company's own provider signed somebody in who was no member, and is now.",
    "person.account_linked": "Somebody's account at a company's own provider was linked.",
    "person.account_unlinked": "Somebody's account at a company's own provider was unlinked.",
    "person.roles_changed": "An admin gave somebody roles, or took some away.",
    "person.disabled": "An admin disabled somebody's membership.",
    "person.enabled": "An admin enabled somebody's membership again.",
    "person.sessions_ended": "An admin ended sessions of somebody.",
    "person.second_factors_reset": "An admin unlinked all second factors of somebody.",
    "person.second_factors_reset_asked": "An admin asked for a reset that another has to approve.",
    "person.second_factors_reset_refused": "An admin refused a reset that another had asked for.",
    "person.second_factors_reset_elsewhere": "An operator reset one of the tenant's.",
    "branding.changed": "How a company looks changed, from `before` to `after`.",
    "domain.added": "An admin named a domain, to be verified.",
    "domain.verified": "A company proved that a domain is its own.",
    "domain.lost": "The record of a verified domain was gone for three days.",
    "domain.routed": "An admin chose whose sign-in is by which identity provider of the company.",
    "domain.removed": "An admin took a domain away.",
    "identity_provider.added": "An admin added an identity provider of the company's own.",
    "identity_provider.changed": "An admin changed one; `unlinked` accounts were another issuer's.",
    "identity_provider.disabled": "An admin disabled one: it signs nobody in.",
    "identity_provider.enabled": "An admin let one sign people in again.",
    "identity_provider.removed": "An admin removed one, with its `unlinked` accounts.",
    "role.made": "A role was made; `after` is what it is called and its rank.",
    "role.changed": "A role's name, rank or access changed, from `before` to `after`.",
    "role.deleted": "A role was deleted; whoever had it has it no more.",
    "product.made": "An operator made a product; `fields` says as what.",
    "product.changed": "An operator changed a product or its tree, from and to what `fields` say.",
    "client.registered": "An operator registered a client; `fields` says as what.",
    "client.changed": "An operator changed a client, from and to what `fields` say.",
    "client.disabled": "An operator disabled a client: it gets nothing any more.",
    "client.enabled": "An operator let a disabled client go on.",
    "client.self_registered": "A client registered itself by the initial access token `token`.",
    "client.self_changed": "A client changed what it had registered, as `fields` say.",
    "client.self_deleted": "A client that had registered itself deleted itself, with its grants.",
    "registration_token.made": "An initial access token was made, for `product`, as `fields` say.",
    "registration_token.ended": "An initial access token was ended: nobody registers by it.",
    "client.secret_rotated": "A client got a new secret; the old ones end at `old_until`.",
    "client.secret_removed": "A secret of a client was removed, and is worthless at once.",
    "operator.added": "Somebody was made an operator of the platform.",
    "operator.removed": "Somebody is an operator no more.",
    "visit.started": "An operator began to act for a tenant; `reason` says why, `until` how long.",
    "visit.ended": "A visit was ended before its time, by the operator or by the tenant.",
    "policy.changed": "What a company demands at sign-in changed, from `before` to `after`.",
    "policy.people_selected": "Who must enrol a second factor changed, by `picks`.",
    "audit.exported": "Somebody downloaded this log, as the table or the proof that `as` says.",
    audit_chain.STARTED: "A tenant's chain of this log began; `chain` is the tenant's id.",
    audit_chain.BROKEN: "The chain's head did not bear our seal: somebody else had written to it.",
    "setup.applied": "A set-up file was applied; `changes` lists what it created or updated.",
}


REQUEST_ID = "latchkey.request_id"  # where a request's environment keeps it


class Origin(NamedTuple):
    """Where a request came from. `address` is the client's, by trusted proxies only."""

    address: str = ""
    request_id: str = ""
    user_agent: str = ""


NOWHERE = Origin()


class Entry(NamedTuple):
    """An event as it is read; `seq` is its place in the chain, `person_id` whom it is about."""

    seq: int
    at: float
    tag: str
    actor_id: str | None
    tenant_id: str | None
    client_id: str | None
    address: str
    request_id: str
    digest: str
    person_id: str | None
    detail: dict[str, Any]

    @property
    def name(self) -> str:
        """Names it in its chain, and in no other."""
        return f"{self.seq}-{self.digest[:16]}"


class Wanted(NamedTuple):
    """Which events of a chain: of a tag that begins so, by a person, about one, not before `since`,
    before `until`. Not both by one and about one."""

    tag: str = ""
    actor: str | None = None
    person: str | None = None
    since: float = -math.inf
    until: float = math.inf


class Page(NamedTuple):
    """`older` is what to ask the next page with, None on the last one."""

    entries: list[Entry]
    older: int | None


_TABLE: Any = AuditEvent.__table__
_CHAIN = _TABLE.c.chain == sa.bindparam("chain", type_=sa.Text)
_ONE = sa.select(*(_TABLE.c[name] for name in Entry._fields)).where(
    _CHAIN, _TABLE.c.seq == sa.bindparam("seq", type_=sa.BigInteger)
)
_NEWEST = (
    sa.select(*(_TABLE.c[name] for name in Entry._fields))
    .where(
        _CHAIN,
        _TABLE.c.at >= sa.bindparam("since", type_=sa.Double),
        sa.tuple_(_TABLE.c.at, _TABLE.c.seq)
        < sa.tuple_(
            sa.bindparam("before", type_=sa.Double), sa.bindparam("before_seq", type_=sa.BigInteger)
        ),
    )
    .order_by(_TABLE.c.at.desc(), _TABLE.c.seq.desc())
    .limit(sa.bindparam("size", type_=sa.Integer))
)
_OF_TAG = _TABLE.c.tag == sa.bindparam("tag", type_=sa.Text)
_BY_ACTOR = _TABLE.c.actor_id == sa.bindparam("actor", type_=sa.Text)
_ABOUT = _TABLE.c.person_id == sa.bindparam("person", type_=sa.Text)
_SEARCHES = {  # by whether a tag is wanted, and whose
    (False, None): _NEWEST,
    (False, "actor"): _NEWEST.where(_BY_ACTOR),
    (False, "person"): _NEWEST.where(_ABOUT),
    (True, None): _NEWEST.where(_OF_TAG),
    (True, "actor"): _NEWEST.where(_BY_ACTOR, _OF_TAG),
    (True, "person"): _NEWEST.where(_ABOUT, _OF_TAG),
}


def record(
    db: Connection,
    tag: str,
    now: float,
    origin: Origin = NOWHERE,
    *,
    actor: str | None = None,
    tenant: str | None = None,
    client: str | None = None,
    **detail: Any,
) -> None:
    """`actor` and `tenant` are ids; `detail` is anything JSON that is no secret, and names the
    `person` that the event is about if it is about one who did not do it. Written at the end of the
    transaction; raises RuntimeError outside of one."""
    if CONCERNS[_known(tag)].about is About.NAMED and "person" not in detail:
        raise ValueError(f"{tag} does not say which person it is about")
    plain = orjson.loads(orjson.dumps(detail))
    event = Event(
        at=now,
        tag=tag,
        actor_id=actor,
        tenant_id=tenant,
        client_id=client,
        address=origin.address,
        request_id=origin.request_id,
        detail=canonical_json(plain).decode(),
    )
    audit_chain.add(db, event)
    MEASURES.count("audit_events", tag)


def _known(tag: str) -> str:
    if tag not in TAGS:
        raise ValueError(f"an audit tag that nobody has described: {tag}")
    return tag


def search(db: Connection, chain: str, wanted: Wanted, size: int, older: int | None = None) -> Page:
    """The newest `size` events of a chain, or those that come after event `older`. Each tag that
    begins as wanted is asked for by itself, so that an index has them in their order."""
    bound = (wanted.until, 0)
    if older is not None:
        last = find(db, chain, older)
        bound = min(bound, (last.at, older) if last else (-math.inf, 0))
    asked: dict[str, Any] = {"chain": chain, "since": wanted.since, "size": size + 1}
    asked |= {"before": bound[0], "before_seq": bound[1]}
    people = {"actor": wanted.actor, "person": wanted.person}
    given = {name: each for name, each in people.items() if each is not None}
    tags = [{"tag": tag} for tag in TAGS if tag.startswith(wanted.tag)] if wanted.tag else [{}]
    statement = _SEARCHES[bool(wanted.tag), next(iter(given), None)]
    rows = [row for tag in tags for row in db.rows(statement, **asked, **given, **tag)]
    entries = sorted(map(_entry, rows), key=lambda entry: (entry.at, entry.seq), reverse=True)
    more = len(entries) > size
    return Page(entries[:size], entries[size - 1].seq if more else None)


def find(db: Connection, chain: str, seq: int) -> Entry | None:
    row = db.row(_ONE, chain=chain, seq=seq)
    return _entry(row) if row else None


def _entry(row: tuple[Any, ...]) -> Entry:
    entry = Entry._make(row)
    return entry._replace(detail=orjson.loads(row[-1]))
