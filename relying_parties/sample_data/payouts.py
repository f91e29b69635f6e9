"""Payouts: what went out, what waits, and to whom money can be sent. Kept in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from threading import Lock


@dataclass(frozen=True)
class Payee:
    key: str
    name: str
    account: str


@dataclass(frozen=True)
class Payout:
    reference: str
    payee: Payee
    amount: Decimal
    purpose: str
    created: datetime
    status: str
    sender: str


@dataclass
class Ledger:
    """One tenant's payouts, newest first. `names` are those of the senders whom it has seen."""

    prefix: str
    payees: tuple[Payee, ...]
    available: Decimal
    payouts: list[Payout]
    names: dict[str, str] = field(default_factory=dict)
    _sent: dict[str, Payout] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def find(self, reference: str) -> Payout | None:
        return next((payout for payout in self.payouts if payout.reference == reference), None)

    def find_payee(self, key: str) -> Payee | None:
        return next((payee for payee in self.payees if payee.key == key), None)

    def send(
        self, payee: Payee, amount: Decimal, purpose: str, *, sender: str, now: float, key: str = ""
    ) -> Payout:
        """Add a payout, take it from what is available, and number it after the newest. With a
        `key` that was used before, it is the one that was sent then."""
        created = datetime.fromtimestamp(int(now), UTC)
        with self._lock:
            if key in self._sent:
                return self._sent[key]
            latest = max(int(payout.reference.rpartition("-")[2]) for payout in self.payouts)
            reference = f"{self.prefix}-{latest + 1}"
            payout = Payout(reference, payee, amount, purpose, created, "scheduled", sender)
            self.payouts.insert(0, payout)
            self.available -= amount
            if key:
                self._sent[key] = payout
        return payout

    def total(self, status: str) -> Decimal:
        return sum((p.amount for p in self.payouts if p.status == status), Decimal(0))


def ledger_of(tenant: str) -> Ledger:
    """A new ledger with that tenant's history; the product keeps it while it runs."""
    prefix, available, payees, history = HISTORIES.get(tenant, ANYWHERE)
    known = tuple(Payee(*row) for row in payees)
    latest = 4100 + len(history)
    payouts = [
        _past(f"{prefix}-{latest - row_number}", known, row)
        for row_number, row in enumerate(history)
    ]
    return Ledger(prefix, known, Decimal(available), payouts)


def _past(reference: str, payees: tuple[Payee, ...], row: "Row") -> Payout:
    payee_number, amount, purpose, created, status, sender = row
    moment = datetime.fromisoformat(created).replace(tzinfo=UTC)
    return Payout(reference, payees[payee_number], Decimal(amount), purpose, moment, status, sender)


Row = tuple[int, str, str, str, str, str]
History = tuple[str, str, tuple[tuple[str, str, str], ...], tuple[Row, ...]]

NORTHWIND: History = (
    "NWP",
    "1284550.20",
    (
        ("carrow", "Carrow Freight", "•••• 4471"),
        ("foxglove", "Foxglove Nurseries", "•••• 0926"),
        ("hollis", "Hollis Brewing", "•••• 7310"),
        ("juniper", "Juniper Housing Trust", "•••• 5582"),
        ("meridian", "Meridian Title & Escrow", "•••• 2204"),
    ),
    (
        (3, "86400.00", "Draw 4, roof programme", "2026-11-20T15:12", "scheduled", "Nora Quist"),
        (1, "41000.00", "Greenhouse, stage 2", "2026-11-20T09:48", "scheduled", "Nora Quist"),
        (4, "3150.00", "Title search fees", "2026-11-19T16:30", "sent", "Ivo Brandt"),
        (2, "128000.00", "Bottling line, delivery", "2026-11-18T11:05", "sent", "Nora Quist"),
        (0, "9420.75", "Insurance refund", "2026-11-17T13:22", "sent", "Ivo Brandt"),
        (4, "2875.50", "Recording fees", "2026-11-16T10:01", "returned", "Ivo Brandt"),
        (3, "112250.00", "Draw 3, roof programme", "2026-11-12T14:40", "sent", "Nora Quist"),
        (1, "38500.00", "Greenhouse, stage 1", "2026-11-10T09:15", "sent", "Nora Quist"),
    ),
)
HARBOR: History = (
    "HCP",
    "212904.66",
    (
        ("okafor", "Amara Okafor", "•••• 3318"),
        ("lakeside", "Lakeside Motors", "•••• 9047"),
        ("novak", "Hana Novak", "•••• 6150"),
        ("sunfield", "Sunfield Solar", "•••• 1173"),
    ),
    (
        (2, "12000.00", "Home improvement, draw 2", "2026-11-20T14:02", "scheduled", "Priya Raman"),
        (1, "17900.00", "Vehicle purchase", "2026-11-19T10:36", "sent", "Priya Raman"),
        (3, "14900.00", "Solar panels, first half", "2026-11-18T09:20", "sent", "Tom Ashby"),
        (0, "640.00", "Fee refund", "2026-11-17T15:55", "sent", "Tom Ashby"),
        (2, "8000.00", "Home improvement, draw 1", "2026-11-13T12:10", "sent", "Priya Raman"),
    ),
)
ANYWHERE: History = (
    "PAY",
    "96420.00",
    (
        ("brightwater", "Brightwater Cafe", "•••• 2210"),
        ("cobalt", "Cobalt Machining", "•••• 8841"),
        ("everly", "Everly Childcare", "•••• 0357"),
    ),
    (
        (2, "22500.00", "Building works, draw 1", "2026-11-19T11:30", "scheduled", "Operations"),
        (0, "4800.00", "Kitchen equipment", "2026-11-18T09:00", "sent", "Operations"),
        (1, "910.40", "Insurance refund", "2026-11-14T16:45", "sent", "Operations"),
    ),
)
HISTORIES: dict[str, History] = {"northwind": NORTHWIND, "harbor": HARBOR}
