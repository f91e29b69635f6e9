"""What a company asks of passwords, at the API."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.directory.acting import Administration
from idp.errors import told
from idp.policies import password_terms
from idp.policies.password_terms import RECOMMENDED_FORM, RESET, WHOLES, Term
from idp.web.manage.api import TENANT, Answer, Noun
from idp.web.manage.json_reading import Sent

api = Noun("password_policy", told("Passwords"))

POLICY = f"{TENANT}/password-policy"
NEEDS = password_terms.PERMISSION

Form = Literal["temporary_password", "link"]


class PasswordTerm(Answer):
    """What can be stated, from `least` to `most`; what is `in_force`, and what is `recommended`
    (null is no rule), and how the one is `compared` to the other: same, stricter, weaker, or
    discouraged, for a rule that is best not had."""

    name: str
    least: int
    most: int
    in_force: int | None
    recommended: int | None
    compared: str


class PasswordPolicy(Answer):
    """Null follows what is shipped. `terms` tells of the numbers, `recommended_reset` of what the
    letter for a forgotten password best leads to."""

    password_min_alnum: int | None
    password_min_length: int | None
    password_history: int | None
    password_max_age_days: int | None
    password_reset: str
    recommended_reset: str
    terms: list[PasswordTerm]


def _number(name: str) -> Any:
    whole = next(each for each in WHOLES if each.name == name)
    return Field(None, ge=whole.least, le=whole.most)


class NewPasswordPolicy(Sent):
    """All of it: what is left out follows what is shipped."""

    example: ClassVar[dict[str, Any]] = {
        **{whole.name: whole.recommended for whole in WHOLES},
        RESET: RECOMMENDED_FORM,
    }

    password_min_alnum: int | None = _number("password_min_alnum")
    password_min_length: int | None = _number("password_min_length")
    password_history: int | None = _number("password_history")
    password_max_age_days: int | None = _number("password_max_age_days")
    password_reset: Form = "temporary_password"


@api.get(POLICY, told("See what the company asks of passwords"), needs=NEEDS)
def show(admin: Administration) -> PasswordPolicy:
    found = password_terms.terms(admin)
    stated = {each.whole.name: each.stated for each in found.wholes}
    terms = [_term(each) for each in found.wholes]
    resets = {RESET: found.form, "recommended_reset": RECOMMENDED_FORM}
    return PasswordPolicy.model_validate({**stated, **resets, "terms": terms})


@api.put(POLICY, told("Change what the company asks of passwords"), needs=NEEDS, current=show)
def change(admin: Administration, body: NewPasswordPolicy) -> PasswordPolicy:
    fields = {name: "" if value is None else str(value) for name, value in body}
    password_terms.change(admin, password_terms.terms(admin).seen, fields)
    return show(admin)


def _term(term: Term) -> PasswordTerm:
    compared = {"in_force": term.in_force, "compared": term.compared}
    return PasswordTerm.model_validate({**term.whole._asdict(), **compared})
