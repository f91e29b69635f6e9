"""LMS: loans, their balances and schedules."""

import os
import time
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, abort, redirect, render_template, request

from relying_parties.base.api_access import token_with
from relying_parties.base.app import create_product_app
from relying_parties.base.configuration import Configuration, configuration_from_environment
from relying_parties.base.gate import signed_in
from relying_parties.base.pages import NO_PERMISSION, problem_page
from relying_parties.base.product import Face, Section
from relying_parties.base.sessions import AppSession
from relying_parties.sample_data.loans import AS_OF, Loan, book_of

FACE = Face(
    key="lms",
    name="LMS",
    icon="building-bank",
    color="#0f6b5c",
    promise="Every loan, its balance and its next payment.",
    sections=(
        Section("Overview", "/", "loans.read"),
        Section("Loans", "/loans", "loans.read"),
        Section("Reports", "/reports", "reports.read"),
    ),
)
PORT = 8001
STATUSES = ("current", "late", "repaid")
screens = Blueprint("lms", __name__)


def create_app(configuration: Configuration, *, clock: Callable[[], float] = time.time) -> Flask:
    return create_product_app(
        FACE, configuration, screens=screens, main_screen=overview, clock=clock
    )


def create_app_from_environment() -> Flask:
    """For any WSGI server: `relying_parties.lms:create_app_from_environment()`."""
    base_url = f"http://localhost:{PORT}"
    return create_app(
        configuration_from_environment(os.environ, client_id=FACE.key, base_url=base_url)
    )


def overview(session: AppSession) -> Any:
    if not session.may("loans.read"):
        if session.may("reports.read"):
            return redirect("/reports", 303)
        return problem_page(NO_PERMISSION)
    book = book_of(session.tenant)
    return render_template(
        "lms/overview.html", book=book, upcoming=book.next_to_pay[:6], as_of=AS_OF
    )


@screens.get("/loans")
@signed_in(permission="loans.read")
def loans(session: AppSession) -> str:
    book = book_of(session.tenant)
    status = request.args.get("status", "")
    shown = book.with_status(status) if status in STATUSES else book.loans
    return render_template(
        "lms/loans.html", book=book, shown=shown, status=status, statuses=STATUSES
    )


@screens.get("/loans/<number>")
@signed_in(permission="loans.read")
def loan_page(session: AppSession, number: str) -> str:
    loan = book_of(session.tenant).find(number) or abort(404)
    return render_template("lms/loan.html", loan=loan)


@screens.get("/reports")
@signed_in(permission="reports.read")
def reports(session: AppSession) -> str:
    book = book_of(session.tenant)
    largest = sorted(book.open_loans, key=lambda loan: loan.balance, reverse=True)
    return render_template("lms/reports.html", book=book, largest=largest, as_of=AS_OF)


@screens.get("/api/loans")
@token_with(permission="loans.read")
def api_loans(claims: dict[str, Any]) -> dict[str, Any]:
    tenant = str(claims.get("tenant", ""))
    return {"tenant": tenant, "loans": [_as_json(loan) for loan in book_of(tenant).loans]}


def _as_json(loan: Loan) -> dict[str, Any]:
    upcoming = loan.next_installment
    return {
        "number": loan.number,
        "borrower": loan.borrower,
        "principal": str(loan.principal),
        "balance": str(loan.balance),
        "rate": str(loan.rate),
        "status": loan.status,
        "next_due": upcoming.due.isoformat() if upcoming else None,
    }
