"""Services that a tenant has connected: bank feeds, credit bureaus, accounting, e-signature."""

from dataclasses import dataclass
from datetime import UTC, datetime

KINDS = {
    "bank": ("Bank feed", "building-bank"),
    "bureau": ("Credit bureau", "gauge"),
    "accounting": ("Accounting", "calculator"),
    "signature": ("E-signature", "signature"),
    "identity": ("Identity check", "id"),
}


@dataclass(frozen=True)
class Run:
    """One synchronization: when, how many records, and whether it went well."""

    at: datetime
    records: int
    is_good: bool


@dataclass
class Service:
    key: str
    name: str
    kind: str
    summary: str
    shares: tuple[str, ...]
    status: str
    runs: tuple[Run, ...]

    @property
    def kind_name(self) -> str:
        return KINDS[self.kind][0]

    @property
    def icon(self) -> str:
        return KINDS[self.kind][1]

    @property
    def latest(self) -> Run | None:
        return self.runs[0] if self.runs else None


Row = tuple[str, str, str, str, tuple[str, ...], str, int]

NORTHWIND: tuple[Row, ...] = (
    ("first-meridian", "First Meridian Bank", "bank", "Operating and escrow accounts",
     ("Balances", "Transactions", "Account holders"), "connected", 412),
    ("quayside", "Quayside Commercial", "bank", "Warehouse line",
     ("Balances", "Transactions"), "connected", 96),
    ("paragon", "Paragon Business Credit", "bureau", "Scores at application and each quarter",
     ("Business identifiers", "Directors", "Consent dates"), "attention", 18),
    ("tallybook", "Tallybook", "accounting", "General ledger, nightly",
     ("Journal entries", "Chart of accounts"), "connected", 1_204),
    ("inkwell", "Inkwell Sign", "signature", "Loan agreements and guarantees",
     ("Documents", "Signer names and e-mail"), "connected", 27),
    ("verity", "Verity ID", "identity", "Directors and guarantors",
     ("Names", "Dates of birth", "Document images"), "paused", 0),
)  # fmt: skip
HARBOR: tuple[Row, ...] = (
    ("coastal", "Coastal Federal", "bank", "Share drafts and settlement",
     ("Balances", "Transactions"), "connected", 2_318),
    ("trilake", "Trilake Credit Reports", "bureau", "Soft pull at pre-approval",
     ("Names", "Addresses", "Consent dates"), "connected", 64),
    ("ledgerly", "Ledgerly", "accounting", "Daily close",
     ("Journal entries",), "connected", 880),
    ("inkwell", "Inkwell Sign", "signature", "Member agreements",
     ("Documents", "Signer names and e-mail"), "attention", 9),
)  # fmt: skip
ANYWHERE: tuple[Row, ...] = (
    ("openbank", "Openbank Feed", "bank", "Operating account",
     ("Balances", "Transactions"), "connected", 140),
    ("tallybook", "Tallybook", "accounting", "Weekly export",
     ("Journal entries",), "connected", 75),
    ("inkwell", "Inkwell Sign", "signature", "Agreements",
     ("Documents",), "paused", 0),
)  # fmt: skip
ROWS = {"northwind": NORTHWIND, "harbor": HARBOR}


def services_of(tenant: str) -> list[Service]:
    """New services with that tenant's connections; the product keeps them while it runs."""
    return [_service(number, row) for number, row in enumerate(ROWS.get(tenant, ANYWHERE))]


def _service(number: int, row: Row) -> Service:
    key, name, kind, summary, shares, status, records = row
    runs = tuple(
        Run(
            datetime(2026, 11, 20 - day, 2 + number, 7 * number % 60, tzinfo=UTC),
            records + day * (records // 9) if records else 0,
            not (status == "attention" and day == 0),
        )
        for day in range(7)
    )
    return Service(key, name, kind, summary, shares, status, runs if records else ())
