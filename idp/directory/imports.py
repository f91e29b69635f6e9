"""Imports: a file of people that is tried first, line by line, and then done (product.md T8).

The worker does both in steps (`importing.py`). What a line may do is what its admin may do by hand.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp import limits
from idp.database import Base
from idp.directory import confirming, paging, people_file
from idp.directory.acting import Administration, Forbidden, Mistake, TooOften
from idp.directory.confirming import Share
from idp.directory.users import canonical_email
from idp.errors import told
from idp.secret_values import SecretKeys, new_id
from idp.tenancy import TenantOwned

CHECKING = "checking"
CHECKED = "checked"
RUNNING = "running"
DONE = "done"
DROPPED = "dropped"

INVITE = "invite"
CHANGE = "change"
SAME = "same"
REFUSE = "refuse"

OPEN = (CHECKING, CHECKED, RUNNING)

PAGE = 100
_IS_OPEN = sa.text("state IN ('checking', 'checked', 'running')")
TWICE = told("This address stands in the file twice.")

DAY = 86400.0
UPLOADS = 100  # of a company in a day
UNCONFIRMED = Share(of_one=10, of_a_network=40, of_all=200)  # uploads
LINES_OF_AN_UNCONFIRMED = 200
TOO_MANY_LINES = told("A company that is not confirmed yet imports 200 people at a time.")
TOO_OFTEN = told("Your company has sent as many files as it may in a day.")

ANOTHER = told("Another import of your company's is open. Finish it or drop it first.")


class PeopleImport(TenantOwned, Base):
    """`started_by` is whose rights decide; `locked_until` is the worker's that has it. Of a company
    one is OPEN at a time."""

    __tablename__ = "people_imports"
    __table_args__ = (
        sa.Index("uq_people_imports_id_tenant", "id", "tenant_id", unique=True),
        sa.Index(
            "uq_people_imports_open",
            "tenant_id",
            unique=True,
            sqlite_where=_IS_OPEN,
            postgresql_where=_IS_OPEN,
        ),
        sa.Index("ix_people_imports_by_time", "tenant_id", "created_at"),
        sa.Index("ix_people_imports_due", "state", "locked_until"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[str] = mapped_column(sa.ForeignKey("tenants.id"))
    started_by: Mapped[str]
    locale: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[float]
    locked_until: Mapped[float] = mapped_column(default=0.0)


class ImportLine(TenantOwned, Base):
    """`plan` is what trying it came to, and `outcome` what doing it came to: INVITE, CHANGE, SAME
    or REFUSE, and for the last the `reason`."""

    __tablename__ = "people_import_lines"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["import_id", "tenant_id"],
            ["people_imports.id", "people_imports.tenant_id"],
            ondelete="CASCADE",
        ),
    )

    import_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[str]
    email: Mapped[str]
    kind: Mapped[str]
    roles: Mapped[str]
    plan: Mapped[str | None]
    outcome: Mapped[str | None]
    reason: Mapped[str | None]


class Progress(NamedTuple):
    """`plans` and `outcomes` count lines."""

    id: str
    state: str
    created_at: float
    total: int
    plans: dict[str, int]
    outcomes: dict[str, int]

    @property
    def done(self) -> int:
        counted = self.plans if self.state == CHECKING else self.outcomes
        return sum(counted.values())

    @property
    def is_under_way(self) -> bool:
        return self.state in (CHECKING, RUNNING)


_LINES: Any = ImportLine.__table__
_ADD_LINE = sa.insert(_LINES).values(
    {
        column.name: sa.bindparam(column.name)
        for column in _LINES.columns
        if column.name != "outcome"
    }
)


def upload(admin: Administration, data: bytes, locale: str) -> str:
    """The import's id; the worker tries its lines next. Raises Forbidden, or Mistake."""
    started_by = sender(admin)
    lines = people_file.read(data)
    _take_room(admin, len(lines))
    made = PeopleImport(
        id=new_id(),
        tenant_id=admin.tenant.id,
        started_by=started_by,
        locale=locale,
        state=CHECKING,
        created_at=admin.now,
    )
    _add(admin, made)
    seen: set[str] = set()
    for line in lines:
        canonical = canonical_email(line.email) or line.email
        is_twice = canonical in seen
        seen.add(canonical)
        admin.db.run(
            _ADD_LINE,
            import_id=made.id,
            tenant_id=admin.tenant.id,
            number=line.number,
            email=line.email,
            kind=line.kind,
            roles=" ".join(line.roles),
            plan=REFUSE if is_twice else None,
            reason=TWICE if is_twice else None,
        )
    admin.record("import.uploaded", **{"import": made.id}, lines=len(lines))
    return made.id


def _take_room(admin: Administration, lines: int) -> None:
    """Raises Mistake, or TooOften."""
    rations = [(f"imports:{admin.tenant.id}", UPLOADS, DAY)]
    if not admin.tenant.confirmed:
        rations = confirming.rations(admin.db, admin.tenant.id, "imports", UNCONFIRMED)
        if lines > LINES_OF_AN_UNCONFIRMED:
            raise Mistake(file=TOO_MANY_LINES)
    if limits.take_each(admin.db, admin.now, rations) is not None:
        raise TooOften(DAY, file=TOO_OFTEN)


def sender(admin: Administration) -> str:
    """Who may send a file. Raises Forbidden."""
    admin.check("people.manage")
    actor = admin.actor
    if actor.user_id is None or actor.visit_id is not None:
        raise Forbidden("an import acts as one of the company's own people")
    return actor.user_id


def _add(admin: Administration, made: PeopleImport) -> None:
    """The database refuses a second one that is open."""
    try:
        with admin.rows.begin_nested():
            admin.rows.add(made)
    except sa.exc.IntegrityError:
        raise Mistake(file=ANOTHER) from None


def open_one(admin: Administration) -> str | None:
    """The import that has to be over before the next; its id. Raises Forbidden."""
    admin.check("people.manage")
    is_open = sa.select(PeopleImport.id).where(PeopleImport.state.in_(OPEN))
    return admin.rows.scalar(is_open)


def start(admin: Administration, import_id: str) -> None:
    """Raises Forbidden, RecentSignInNeeded, NotFound, or Mistake."""
    admin.check("people.manage")
    admin.check_recent()
    own = admin.get(PeopleImport, import_id)
    if own.started_by != admin.actor.user_id:
        raise Forbidden("somebody else's import")
    _turn(admin, import_id, RUNNING)
    admin.record("import.started", **{"import": import_id})


def drop(admin: Administration, import_id: str) -> None:
    """Nothing of it is done. Raises Forbidden, NotFound, or Mistake."""
    admin.check("people.manage")
    admin.get(PeopleImport, import_id)
    _turn(admin, import_id, DROPPED)
    admin.record("import.dropped", **{"import": import_id})


def progress(admin: Administration, import_id: str) -> Progress:
    """Raises Forbidden, or NotFound."""
    admin.check("people.manage")
    found = admin.get(PeopleImport, import_id)
    counts = {
        column.key: dict(map(tuple, admin.rows.execute(_counted(column, import_id)).all()))
        for column in (ImportLine.plan, ImportLine.outcome)
    }
    waiting = counts["plan"].pop(None, 0)
    total = waiting + sum(counts["plan"].values())
    counts["outcome"].pop(None, 0)
    return Progress(
        found.id, found.state, found.created_at, total, counts["plan"], counts["outcome"]
    )


def _counted(column: Any, import_id: str) -> sa.Select[Any]:
    return (
        sa.select(column, sa.func.count()).where(ImportLine.import_id == import_id).group_by(column)
    )


def lines(
    admin: Administration, import_id: str, after: int = 0, size: int | None = PAGE
) -> list[ImportLine]:
    """In the order of the file, from behind line `after` on; all without a `size`. Raises
    Forbidden, or NotFound."""
    admin.check("people.manage")
    admin.get(PeopleImport, import_id)
    wanted = sa.select(ImportLine).where(
        ImportLine.import_id == import_id, ImportLine.number > after
    )
    return list(admin.rows.scalars(wanted.order_by(ImportLine.number).limit(size)))


class Page(NamedTuple):
    """`next` is the cursor of the page that follows, None on the last one."""

    lines: list[ImportLine]
    next: str | None


def page(
    admin: Administration, keys: SecretKeys, import_id: str, cursor: str = "", size: int = PAGE
) -> Page:
    """The same in parts. Raises CursorRefused."""
    bound = ("import", import_id)
    after = int(paging.opened(keys, admin.tenant.id, bound, cursor)[0]) if cursor else 0
    found = lines(admin, import_id, after, size + 1)
    if len(found) <= size:
        return Page(found, None)
    return Page(found[:size], paging.seal(keys, admin.tenant.id, bound, (found[size - 1].number,)))


def _turn(admin: Administration, import_id: str, state: str) -> None:
    turned = admin.rows.execute(
        sa.update(PeopleImport)
        .where(PeopleImport.id == import_id, PeopleImport.state == CHECKED)
        .values(state=state)
        .returning(PeopleImport.id)
    ).first()
    if turned is None:
        raise Mistake(file=told("This import was started or dropped meanwhile."))
