"""Who the operators are, at the API."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from idp.directory.operating import Operation
from idp.errors import told
from idp.operators import staff
from idp.web.manage.api import PLATFORM, Answer, Listing, Noun, listed
from idp.web.manage.json_reading import Sent

api = Noun("operators", told("Operators"))

OPERATORS = f"{PLATFORM}/operators"
NEEDS = "operators.manage"


class Colleague(Answer):
    """`id` is the person's."""

    id: str
    name: str
    email: str
    status: str


class NewOperator(Sent):
    example: ClassVar[dict[str, Any]] = {"email": "amara@northwind.example"}

    email: str = Field(max_length=320, description=told("A proven address of who has an account."))


@api.get(OPERATORS, told("List operators"), needs=NEEDS)
def listing(operation: Operation) -> Listing[Colleague]:
    return listed(Colleague, staff.operators(operation))


@api.post(OPERATORS, told("Make somebody an operator"), needs=NEEDS)
def add(operation: Operation, body: NewOperator) -> Colleague:
    return Colleague.model_validate(staff.add(operation, body.email))


@api.get(f"{OPERATORS}/<user_id>", told("See an operator"), needs=NEEDS)
def show(operation: Operation, user_id: str) -> Colleague:
    return Colleague.model_validate(staff.get_operator(operation, user_id))


@api.delete(f"{OPERATORS}/<user_id>", told("Take an operator's part away"), needs=NEEDS)
def remove(operation: Operation, user_id: str) -> None:
    staff.remove(operation, user_id)
