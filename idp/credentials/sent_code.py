"""Codes by SMS and by e-mail: one rule for both channels.

Six digits, five minutes, five tries. A code is bound to its person, channel, destination, purpose
and browser, kept as a keyed MAC, and spent by one conditional write. A new one replaces the old,
whose tries it goes on counting (security.md S50, S51). It leaves by the outbox, sealed, and never
once it has expired; whether it was sent is told to nobody who asks.
"""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import audit, outbox
from idp.audit import Origin
from idp.credentials import code_budgets, code_destinations, second_factor_tries
from idp.credentials.code_destinations import EMAIL, SMS
from idp.credentials.enrolled import Evidence, Hold
from idp.credentials.second_factor_tries import Authenticator
from idp.database import Base, Connection, Database
from idp.directory import join_requests, users
from idp.directory.users import Person
from idp.secret_values import LETTER_SECRET, SecretKeys
from idp.settings import Settings
from idp.statements import Upsert

SIGN_IN, ENROL = "sign_in", "enrol"
LIFETIME = 300.0
MOST_TRIES = 5
RESEND_AFTER = code_budgets.MINUTE


class SentCode(Base):
    """The newest code of a browser's attempt (`binding`); `tries` counts those of its predecessors
    too."""

    __tablename__ = "sent_codes"

    user_id: Mapped[str] = mapped_column(
        sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    channel: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str] = mapped_column(primary_key=True)
    binding: Mapped[str] = mapped_column(primary_key=True)
    destination: Mapped[str]
    mac: Mapped[str]
    tries: Mapped[int]
    expires_at: Mapped[float] = mapped_column(index=True)


class Place(NamedTuple):
    """Where a code is good. `binding` names the browser's attempt, whatever it has proven since."""

    user_id: str
    channel: str
    purpose: str
    binding: str


_CODE: Any = SentCode.__table__
_NOW = sa.bindparam("now", type_=sa.Double)
_HERE = sa.and_(*(_CODE.c[n] == sa.bindparam(f"at_{n}", type_=sa.Text) for n in Place._fields))
_TAKE_TRY = (
    sa.update(_CODE)
    .where(_HERE, _CODE.c.tries < MOST_TRIES, _CODE.c.expires_at > _NOW)
    .values(tries=_CODE.c.tries + 1)
    .returning(_CODE.c.destination)
)
_SPEND = (
    sa.delete(_CODE)
    .where(_HERE, _CODE.c.mac == sa.bindparam("claimed_mac", type_=sa.Text))
    .returning(_CODE.c.destination)
)


def _store(insert: Any) -> Any:
    """The tries of the last code count on, unless it is long gone."""
    values: dict[str, Any] = {name: sa.bindparam(f"at_{name}") for name in Place._fields}
    values |= {name: sa.bindparam(name) for name in ("destination", "mac", "expires_at")}
    row = insert(_CODE).values(**values, tries=0)
    gone = _CODE.c.expires_at <= sa.bindparam("gone_at", type_=sa.Double)
    return row.on_conflict_do_update(
        index_elements=list(Place._fields),
        set_={
            **{name: row.excluded[name] for name in ("destination", "mac", "expires_at")},
            "tries": sa.case((gone, 0), else_=_CODE.c.tries),
        },
    )


_STORE = Upsert(_store)


def send(
    database: Database,
    keys: SecretKeys,
    settings: Settings,
    place: Place,
    now: float,
    origin: Origin,
    *,
    number: str = "",
    tenant_id: str = "",
    locale: str = "",
) -> None:
    """Have a new code sent, if there is room for one: the caller can't tell. `number` is that of a
    phone to be enrolled."""
    with database.transaction() as db:
        person = users.find_person(db, place.user_id)
        destination = number or _destination(db, person, place)
        if person is None or not destination:
            return
        lacking = code_budgets.take(
            db,
            keys,
            settings,
            user_id=place.user_id,
            channel=place.channel,
            destination=destination,
            is_enrolled=place.purpose == SIGN_IN,
            tenant_id=tenant_id or _waited_for(db, place.user_id, now),
            address=origin.address,
            now=now,
        )
        if not lacking:
            _send(db, keys, settings, place, person, destination, locale, now)
        _record(db, place, lacking, now, origin)


def _waited_for(db: Connection, user_id: str, now: float) -> str:
    """Those who wait for a company have a budget of their own: they take nothing from its people,
    nor from who waits elsewhere."""
    company = join_requests.company_of(db, user_id, now)
    return f"who waits for {company}" if company else ""


def _send(
    db: Connection,
    keys: SecretKeys,
    settings: Settings,
    place: Place,
    person: Person,
    destination: str,
    locale: str,
    now: float,
) -> None:
    code = f"{secrets.randbelow(10**6):06}"
    db.run(
        _STORE,
        **_at(place),
        destination=destination,
        mac=_mac(keys, place, destination, code),
        expires_at=now + LIFETIME,
        gone_at=now - settings.second_factor_pause,
    )
    message = {
        "template": "code_text" if place.channel == SMS else "code",
        "to": destination,
        "name": person.name,
        "locale": locale or person.locale,
        "sealed_code": keys.encrypt(code.encode(), LETTER_SECRET),
        "minutes": round(LIFETIME / 60),
        "expires_at": now + LIFETIME,
    }
    outbox.enqueue(db, outbox.TEXT if place.channel == SMS else outbox.CODE, message, now)


def _record(db: Connection, place: Place, lacking: str, now: float, origin: Origin) -> None:
    about = {"method": place.channel, "purpose": place.purpose}
    tag = "second_factor.code_withheld" if lacking else "second_factor.code_sent"
    reason = {"reason": lacking} if lacking else {}
    audit.record(db, tag, now, origin, actor=place.user_id, **about, **reason)


def verify(
    database: Database,
    keys: SecretKeys,
    settings: Settings,
    place: Place,
    claimed_code: str,
    now: float,
    origin: Origin,
) -> Evidence:
    """By the code that was sent to the enrolled destination. Raises SecondFactorRefused."""
    with database.transaction() as db:
        enrolled = code_destinations.find(db, place.user_id, place.channel)
        destination = _destination(db, users.find_person(db, place.user_id), place)

        def spend() -> bool:
            return _spend(db, keys, place, claimed_code, now) == destination

        tried = Authenticator(place.user_id, place.channel, enrolled.id if enrolled else "")
        second_factor_tries.judge(db, settings, tried, spend, now, origin)
        assert enrolled
        code_destinations.tell_use(db, enrolled.id, now)
    return Evidence(place.channel, enrolled.enrolled_at)


def enrol(
    database: Database,
    keys: SecretKeys,
    settings: Settings,
    hold: Hold,
    place: Place,
    claimed_code: str,
    now: float,
    origin: Origin,
) -> Evidence:
    """By the code that was sent to what is enrolled, which replaces what was. Raises
    SecondFactorRefused, and what `hold` does."""
    with database.transaction() as db:
        hold(db)
        proven: list[str] = []

        def spend() -> bool:
            destination = _spend(db, keys, place, claimed_code, now)
            proven.extend([destination] if destination else [])
            return bool(destination)

        tried = Authenticator(place.user_id, place.channel, "")
        second_factor_tries.judge(db, settings, tried, spend, now, origin, signs_in=False)
        code_destinations.store(db, place.user_id, place.channel, proven[0], now, origin)
    return Evidence(place.channel, now)


def _destination(db: Connection, person: Person | None, place: Place) -> str:
    """Where a code of the place goes to; nowhere where nothing is enrolled."""
    address = person.email if person else ""
    if place.purpose == ENROL:
        return address if place.channel == EMAIL else ""
    enrolled = code_destinations.find(db, place.user_id, place.channel)
    if enrolled is None:
        return ""
    return address if place.channel == EMAIL else enrolled.number or ""


def _spend(db: Connection, keys: SecretKeys, place: Place, claimed: str, now: float) -> str | None:
    """The destination of the code, for exactly one of all who have it."""
    taken = db.row(_TAKE_TRY, **_at(place), now=now)
    if taken is None:
        return None
    mac = _mac(keys, place, taken[0], "".join(claimed.split()))
    row = db.row(_SPEND, **_at(place), claimed_mac=mac)
    return str(row[0]) if row else None


def _mac(keys: SecretKeys, place: Place, destination: str, code: str) -> str:
    return keys.blind("\n".join(("sent code", *place, destination, code)))


def _at(place: Place) -> dict[str, str]:
    return {f"at_{name}": value for name, value in place._asdict().items()}
