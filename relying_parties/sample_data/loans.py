"""Loans and their schedules. Balances follow from the terms; nothing is typed in twice."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

CENT = Decimal("0.01")
AS_OF = date(2026, 11, 20)


@dataclass(frozen=True)
class Installment:
    """One line of a schedule. `state` is paid, late, next or open."""

    number: int
    due: date
    payment: Decimal
    interest: Decimal
    principal: Decimal
    balance: Decimal
    state: str


@dataclass(frozen=True)
class Loan:
    number: str
    borrower: str
    purpose: str
    principal: Decimal
    rate: Decimal
    months: int
    first_due: date
    paid: int

    @cached_property
    def payment(self) -> Decimal:
        """The level monthly payment of an annuity loan."""
        monthly = self.rate / 1200
        return (self.principal * monthly / (1 - (1 + monthly) ** -self.months)).quantize(CENT)

    @cached_property
    def schedule(self) -> tuple[Installment, ...]:
        balance, lines = self.principal, []
        for number in range(1, self.months + 1):
            interest = (balance * self.rate / 1200).quantize(CENT)
            repaid = balance if number == self.months else self.payment - interest
            balance -= repaid
            due = months_after(self.first_due, number - 1)
            state = self._state(number, due)
            lines.append(
                Installment(number, due, interest + repaid, interest, repaid, balance, state)
            )
        return tuple(lines)

    @property
    def balance(self) -> Decimal:
        return self.schedule[self.paid - 1].balance if self.paid else self.principal

    @property
    def repaid_percent(self) -> int:
        return int(100 * (self.principal - self.balance) / self.principal)

    @property
    def next_installment(self) -> Installment | None:
        return self.schedule[self.paid] if self.paid < self.months else None

    @property
    def days_late(self) -> int:
        upcoming = self.next_installment
        return max(0, (AS_OF - upcoming.due).days) if upcoming else 0

    @property
    def status(self) -> str:
        if self.next_installment is None:
            return "repaid"
        return "late" if self.days_late else "current"

    def _state(self, number: int, due: date) -> str:
        if number <= self.paid:
            return "paid"
        if due < AS_OF:
            return "late"
        return "next" if number == self.paid + 1 else "open"


@dataclass(frozen=True)
class Book:
    """All loans of one tenant, and their totals."""

    loans: tuple[Loan, ...]

    def find(self, number: str) -> Loan | None:
        return next((loan for loan in self.loans if loan.number == number), None)

    def with_status(self, status: str) -> tuple[Loan, ...]:
        return tuple(loan for loan in self.loans if loan.status == status)

    @property
    def open_loans(self) -> tuple[Loan, ...]:
        return tuple(loan for loan in self.loans if loan.status != "repaid")

    @property
    def next_to_pay(self) -> tuple[Loan, ...]:
        return tuple(sorted(self.open_loans, key=lambda loan: loan.schedule[loan.paid].due))

    @property
    def outstanding(self) -> Decimal:
        return sum((loan.balance for loan in self.loans), Decimal(0))

    @property
    def due_this_month(self) -> Decimal:
        upcoming = [loan.next_installment for loan in self.open_loans]
        return sum((line.payment for line in upcoming if line), Decimal(0))

    @property
    def late_balance(self) -> Decimal:
        return sum((loan.balance for loan in self.with_status("late")), Decimal(0))

    @property
    def average_rate(self) -> Decimal:
        """Weighted by what is outstanding."""
        weighted = sum((loan.rate * loan.balance for loan in self.loans), Decimal(0))
        return weighted / self.outstanding


def months_after(start: date, months: int) -> date:
    """The same day of a later month; days after the 28th are not used in these books."""
    year, month = divmod(start.month - 1 + months, 12)
    return start.replace(year=start.year + year, month=month + 1)


def _loan(
    number: str, borrower: str, purpose: str, principal: int, rate: str, months: int, paid: int
) -> Loan:
    day = 1 + int(number[-2:]) * 3 % 28
    due_next = date(2026, 12, day) if day < AS_OF.day else date(2026, 11, day)
    first_due = months_after(due_next, -paid)
    return Loan(
        number, borrower, purpose, Decimal(principal), Decimal(rate), months, first_due, paid
    )


def _late(loan: Loan) -> Loan:
    """The same loan with its latest installment missed."""
    return Loan(
        loan.number,
        loan.borrower,
        loan.purpose,
        loan.principal,
        loan.rate,
        loan.months,
        months_after(loan.first_due, -1),
        loan.paid,
    )


NORTHWIND = Book(
    (
        _loan("NW-20418", "Alder & Finch Bakery", "Ovens and fit-out", 186_000, "7.25", 60, 14),
        _loan("NW-20422", "Bluestem Veterinary Group", "Practice purchase", 742_500, "6.40", 84, 9),
        _late(
            _loan("NW-20427", "Carrow Freight", "Two refrigerated trucks", 318_000, "8.10", 48, 21)
        ),
        _loan("NW-20431", "Dunmore Joinery", "Working capital", 95_000, "9.35", 36, 18),
        _loan("NW-20436", "Eastgate Dental", "Imaging equipment", 264_000, "6.85", 60, 31),
        _loan("NW-20440", "Foxglove Nurseries", "Greenhouse extension", 410_000, "6.95", 72, 5),
        _late(_loan("NW-20445", "Garrick Print Works", "Digital press", 152_750, "8.60", 48, 27)),
        _loan("NW-20449", "Hollis Brewing", "Bottling line", 528_000, "7.10", 72, 11),
        _loan("NW-20453", "Inverleith Physio", "Clinic lease", 48_000, "7.90", 24, 24),
        _loan("NW-20458", "Juniper Housing Trust", "Roof programme", 1_260_000, "5.85", 120, 38),
    )
)
HARBOR = Book(
    (
        _loan("HC-7714", "Amara Okafor", "Home improvement", 38_500, "6.20", 60, 17),
        _loan("HC-7719", "Benoit Laurent", "Used car", 17_900, "7.45", 48, 29),
        _late(_loan("HC-7723", "Caitlin Moore", "Debt consolidation", 24_000, "9.10", 48, 8)),
        _loan("HC-7728", "Daniel Ferreira", "Boat and trailer", 46_250, "7.85", 72, 20),
        _loan("HC-7732", "Elif Demir", "Tuition", 21_600, "5.40", 60, 12),
        _loan("HC-7737", "Frances Whitlock", "Solar panels", 29_800, "4.95", 84, 33),
        _loan("HC-7741", "Gustavo Pires", "Motorcycle", 9_750, "8.25", 36, 36),
        _loan("HC-7746", "Hana Novak", "Home improvement", 52_000, "6.05", 96, 6),
    )
)
ANYWHERE = Book(
    (
        _loan("LN-1003", "Alpine Outfitters", "Seasonal stock", 82_000, "8.05", 24, 7),
        _loan("LN-1007", "Brightwater Cafe", "Second location", 140_000, "7.50", 60, 16),
        _late(_loan("LN-1012", "Cobalt Machining", "Lathe", 205_000, "7.95", 60, 22)),
        _loan("LN-1016", "Delmar Optical", "Equipment", 67_500, "6.75", 48, 40),
        _loan("LN-1021", "Everly Childcare", "Building works", 315_000, "6.30", 96, 13),
    )
)
BOOKS = {"northwind": NORTHWIND, "harbor": HARBOR}


def book_of(tenant: str) -> Book:
    return BOOKS.get(tenant, ANYWHERE)
