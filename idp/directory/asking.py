"""The company that asks: for one of its own people, with a form that it signs (product.md T5)."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from idp.directory import access_requests, documents, granting, letters, memberships, users
from idp.directory.access_requests import AccessRequest, Action, Side
from idp.directory.access_steps import (
    check_end,
    check_mistakes,
    checked_reason,
    get_asked,
    person_of,
    record,
    take,
)
from idp.directory.acting import Administration, Mistake, NotFound
from idp.directory.catalog import Catalog, ProductView
from idp.directory.document_kinds import Unacceptable
from idp.directory.documents import Content, Document, Sound
from idp.directory.memberships import Membership
from idp.directory.products import BUILT_IN
from idp.directory.users import User, canonical_email
from idp.errors import told
from idp.secret_values import SecretKeys, new_id

MAX_NAME = 200
TOO_MANY = told(
    "Your company has 100 requests that are not decided. Withdraw one, or wait for the operators."
)


class Asked(NamedTuple):
    """What was filled in. `end` is the wanted one, if any."""

    email: str
    company: str
    products: tuple[str, ...]
    reason: str
    end: float | None


def offered(catalog: Catalog) -> list[ProductView]:
    """What can be asked for: never the console, so that nobody administers another company."""
    return [product for product in catalog.products.values() if product.key not in BUILT_IN]


def ask(admin: Administration, asked: Asked) -> AccessRequest:
    """A draft, until its signed form is there. The company is taken as it is named: whether it
    exists is answered by an operator's decision alone. Raises Mistake."""
    admin.check("access.request")
    asker, errors = person_of(admin), dict[str, str]()
    person = _own_person(admin, asked.email, errors)
    company = _company(admin, asked.company, errors)
    products = _products(admin, asked.products, errors)
    reason = checked_reason(asked.reason, errors)
    check_end(asked.end, admin.now, errors, "end")
    check_mistakes(errors)
    assert person is not None
    request = AccessRequest(
        id=new_id(),
        tenant_id=admin.tenant.id,
        receiving_name=company,
        receiving_key=key_of(company),
        user_id=person.id,
        products=" ".join(products),
        reason=reason,
        wanted_end=asked.end,
        status=access_requests.DRAFT,
        asked_by=asker,
        asked_at=admin.now,
    )
    _add(admin, request)
    made = {"status": request.status, "company": company, "products": products}
    record(admin, "access.asked", request, {}, made)
    return request


def _add(admin: Administration, request: AccessRequest) -> None:
    """One at a time in each company, so that the count is right. The database refuses a second one
    that is open for the same person and company."""
    granting.wait_for_turn(admin)
    undecided = sa.select(sa.func.count()).where(
        AccessRequest.tenant_id == admin.tenant.id,
        AccessRequest.status.in_(access_requests.UNDECIDED),
    )
    if (admin.rows.scalar(undecided) or 0) >= access_requests.MOST_UNDECIDED:
        raise Mistake(company=TOO_MANY)
    try:
        with admin.rows.begin_nested():
            admin.rows.add(request)
    except sa.exc.IntegrityError:
        raise Mistake(
            company=told("There is an open request for this person and this company already.")
        ) from None


def _own_person(admin: Administration, claimed: str, errors: dict[str, str]) -> User | None:
    """Somebody whose home this tenant is, and who may come in here."""
    person = admin.rows.scalar(
        sa.select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            User.email_canonical == (canonical_email(claimed) or ""),
            User.status == users.ACTIVE,
            Membership.source == memberships.HOME,
            memberships.STATUS_NOW == memberships.ACTIVE,
        ),
        {"now": admin.now},
    )
    if person is None:
        errors["email"] = told("Nobody who works here has this address.")
    return person


def _company(admin: Administration, claimed: str, errors: dict[str, str]) -> str:
    company = " ".join(claimed.split())
    if not company or len(company) > MAX_NAME:
        errors["company"] = told("Enter the name of the company.")
    elif key_of(company) in (key_of(admin.tenant.name), key_of(admin.tenant.slug)):
        errors["company"] = told("This is your own company. Give roles under People instead.")
    return company


def _products(admin: Administration, claimed: tuple[str, ...], errors: dict[str, str]) -> list[str]:
    known = [product.key for product in offered(admin.catalog)]
    if not claimed or not set(claimed) <= set(known):
        errors["products"] = told("Choose at least one product.")
    return [key for key in known if key in claimed]


def key_of(company: str) -> str:
    """What two spellings of one company have in common."""
    return " ".join(company.casefold().split())


def check_may_submit(admin: Administration, request_id: str) -> tuple[str, AccessRequest]:
    """Before a form is looked at: who sends it, and for which request. Raises Forbidden, or
    NotFound."""
    admin.check("access.request")
    return person_of(admin), get_asked(admin, request_id)


def submit(
    admin: Administration, keys: SecretKeys, request_id: str, sent: Sound | Unacceptable
) -> AccessRequest:
    """With its signed form, which was looked at before, it goes to the operators. Raises Mistake
    for what is no such form, Moved unless it is a draft: a form is uploaded once."""
    sender, request = check_may_submit(admin, request_id)
    if isinstance(sent, Unacceptable):
        raise Mistake(form=str(sent))
    letters.take_room_at_operators(admin.db, admin.tenant.id, admin.now)
    with admin.rows.begin_nested():
        kept = documents.keep(admin.rows, keys, admin.tenant.id, sender, sent, admin.now)
        changed = {
            "document_id": kept.id,
            "submitted_by": sender,
            "submitted_at": admin.now,
        }
        form = {"size": kept.size, "sha256": kept.sha256, "content_type": kept.content_type}
        take(admin, request, Action.SUBMIT, "access.submitted", changed, form=form)
    return request


def withdraw(admin: Administration, request_id: str) -> AccessRequest:
    admin.check("access.request")
    who, request = person_of(admin), get_asked(admin, request_id)
    changed = {"ended_by": who, "ended_at": admin.now, "ended_side": Side.ASKING}
    take(admin, request, Action.WITHDRAW, "access.withdrawn", changed)
    return request


def end(admin: Administration, request_id: str) -> AccessRequest:
    """The access of somebody from here to another company."""
    admin.check("access.request")
    admin.check_recent()
    who, request = person_of(admin), get_asked(admin, request_id)
    changed = {"ended_by": who, "ended_at": admin.now, "ended_side": Side.ASKING}
    take(admin, request, Action.END, "access.ended", changed)
    return request


def signed_form(
    admin: Administration, keys: SecretKeys, request_id: str
) -> tuple[AccessRequest, Content]:
    """What was uploaded, for the company that did. Raises NotFound."""
    admin.check("access.request")
    request = get_asked(admin, request_id)
    if request.document_id is None:
        raise NotFound("no form was uploaded")
    document = admin.get(Document, request.document_id)
    whose = {"request": request.id, "person": request.user_id}
    admin.record("access.form_read", **whose, sha256=document.sha256)
    return request, documents.content_of(keys, document)
