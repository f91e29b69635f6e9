"""What a company asks of passwords, as its admins see and change it (product.md P1 to P3, P5).

A term that is not stated is what is shipped.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from idp.directory.acting import Administration, Mistake
from idp.errors import told
from idp.policies import password_age, stating
from idp.policies.password_rules import HISTORY, MIN_ALNUM, MIN_LENGTH

PERMISSION = stating.PERMISSION
RESET = "password_reset"
FORMS = ("temporary_password", "link")  # what is shipped first
RECOMMENDED_FORM = "link"


class Whole(NamedTuple):
    """A whole number from `least` to `most`; None of `shipped` or `recommended` is no rule."""

    name: str
    least: int
    most: int
    shipped: int | None
    recommended: int | None


AGE = Whole(password_age.MAX_AGE, password_age.LEAST_DAYS, password_age.MOST_DAYS, None, None)
WHOLES = (Whole(*MIN_ALNUM), Whole(*MIN_LENGTH), Whole(*HISTORY), AGE)
NAMES = (*(whole.name for whole in WHOLES), RESET)


class Compared(StrEnum):
    """What is in force, to what is recommended. DISCOURAGED is a rule that is best not had."""

    SAME = "same"
    STRICTER = "stricter"
    WEAKER = "weaker"
    DISCOURAGED = "discouraged"


class Term(NamedTuple):
    """`stated` is the company's own; None where it follows what is shipped."""

    whole: Whole
    stated: int | None

    @property
    def in_force(self) -> int | None:
        return self.whole.shipped if self.stated is None else self.stated

    @property
    def compared(self) -> Compared:
        best = self.whole.recommended
        if self.in_force == best:
            return Compared.SAME
        if self.in_force is None or best is None:
            return Compared.DISCOURAGED
        return Compared.STRICTER if self.in_force > best else Compared.WEAKER


class Terms(NamedTuple):
    """`form` is what a letter for a forgotten password leads to, one of FORMS. `seen` is a digest
    of them all."""

    wholes: tuple[Term, ...]
    form: str
    seen: str


def terms(admin: Administration) -> Terms:
    """Raises Forbidden."""
    admin.check(PERMISSION)
    policy = stating.policy_of(admin)
    wholes = tuple(Term(whole, policy.get(whole.name)) for whole in WHOLES)
    seen = stating.digest([policy.get(name) for name in NAMES])
    return Terms(wholes, policy.get(RESET, FORMS[0]), seen)


def change(admin: Administration, seen: str, claimed: dict[str, str]) -> None:
    """State each term anew; an empty one follows what is shipped. Raises Mistake, Changed,
    Forbidden."""
    stating.check_seen(admin, seen, lambda: terms(admin).seen)
    stating.state(
        admin, _stated(claimed), lambda policy, old: password_age.dated(policy, old, admin.now)
    )


def _stated(claimed: dict[str, str]) -> dict[str, int | str | None]:
    stated: dict[str, int | str | None] = {}
    errors = {}
    for whole in WHOLES:
        text = claimed.get(whole.name, "").strip()
        value = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else None
        if text and (value is None or not whole.least <= value <= whole.most):
            errors[whole.name] = told("Enter a whole number within these bounds, or nothing.")
        stated[whole.name] = value
    form = claimed.get(RESET, "")
    if form not in FORMS:
        errors[RESET] = told("Choose one of the two.")
    if errors:
        raise Mistake(**errors)
    return {**stated, RESET: form if form != FORMS[0] else None}
