"""What is still to be asked of a second factor: one of the person's, one to set up, or none.

Two factors out of one mailbox are one (security.md section 4.3): what a letter stood in for, or
another provider vouched for, is no company for a code by e-mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from idp.login.steps import (
    Decision,
    Enrolled,
    Entry,
    Proven,
    Refused,
    Step,
    ToEnrol,
    ToProve,
    ToSignIn,
)
from idp.policies.assurance import (
    EMAIL,
    FEDERATED,
    OWN_FIRST,
    PASSWORD,
    RECOVERY,
    SECOND,
    UPSTREAM_SECOND,
    Proofs,
)
from idp.policies.mfa import Requirement

RESET_BY_MAIL_COUNTS = 86400.0  # seconds


def second_factor(
    proven: Proven,
    proofs: Proofs,
    requirement: Requirement,
    entries: Sequence[Entry],
    now: float,
) -> Decision | None:
    """None where the requirement is met, or was skipped. `entries` are all of the person's."""
    if _rests_on_mail(proven, proofs, now) or _rests_elsewhere(proofs):
        return _without_mail(proven, proofs, requirement, entries, now)
    return _asked_for(proven, proofs, requirement, entries, now)


def has_own(proven: Proven, proofs: Proofs, now: float) -> bool:
    """Whether somebody who gets another password has a second factor to show for it, whoever else
    asks for one: the old one alone may be a thief's. True where nobody has looked."""
    if proven.enrolled is None:
        return True
    no_proof = {RECOVERY}
    if _rests_on_mail(proven, proofs, now) or _rests_elsewhere(proofs):
        no_proof = {RECOVERY, EMAIL}
    return any(each.method not in no_proof for each in proven.enrolled)


def own_methods(enrolled: Iterable[Enrolled], entries: Iterable[Entry]) -> frozenset[str]:
    """By what somebody proves that they may add, change or remove an authenticator. One that no
    company of theirs counts any more, since all have turned their policy off and on again, is as
    good as none (product.md M5)."""
    since = [e.sides[0].rule.since for e in entries if e.standing.is_active and e.sides]
    return frozenset(
        each.method for each in enrolled if not since or each.enrolled_at >= min(since)
    )


def _rests_on_mail(proven: Proven, proofs: Proofs, now: float) -> bool:
    """A letter stood in for the password within a day."""
    state = proven.password
    if state is None or state.reset_by_mail_at is None or PASSWORD not in proofs:
        return False
    return now - state.reset_by_mail_at < RESET_BY_MAIL_COUNTS


def _rests_elsewhere(proofs: Proofs) -> bool:
    """Whoever keeps the account at another provider may keep the mailbox as well."""
    return FEDERATED in proofs and OWN_FIRST.isdisjoint(proofs)


def _without_mail(
    proven: Proven,
    proofs: Proofs,
    requirement: Requirement,
    entries: Sequence[Entry],
    now: float,
) -> Decision | None:
    """Two factors out of one mailbox are one (security.md section 4.3). Who has no other has to
    wait, or to prove a first one of ours: they could else add one by what does not count."""
    others = {method: proof for method, proof in proofs.items() if method != EMAIL}
    enrolled = proven.enrolled and tuple(e for e in proven.enrolled if e.method != EMAIL)
    had = replace(proven, enrolled=enrolled)
    found = _asked_for(had, others, requirement.without(EMAIL), entries, now)
    if isinstance(found, ToEnrol) and proven.enrolled and not enrolled:
        if _rests_elsewhere(proofs):
            return Step.PASSWORD
        return Refused("access_denied", "A code by e-mail does not count for a day after a reset.")
    return found


def _asked_for(
    proven: Proven,
    proofs: Proofs,
    requirement: Requirement,
    entries: Sequence[Entry],
    now: float,
) -> Decision | None:
    """Recovery codes stand in for what would do and is lost, and never for what is not there."""
    if requirement.was_skipped or requirement.is_met(proofs, proven.fresh, now):
        return None
    if proven.turned_back:
        return Refused("access_denied", "The person did not prove a second factor.")
    if proven.enrolled is None:
        return ToProve(requirement, None)
    would_do = {each.method for each in proven.enrolled if requirement.counts(*each)}
    if would_do - {RECOVERY}:
        return ToProve(requirement, frozenset(would_do))
    if requirement.may_skip and proven.skipped:
        return None
    again = _to_be_had_again(proofs, requirement)
    if again:
        return again
    theirs = own_methods(proven.enrolled, entries)
    if theirs and SECOND.isdisjoint(proofs):
        return ToProve(requirement, theirs, before_enrolling=True)
    return ToEnrol(requirement)


def _to_be_had_again(proofs: Proofs, requirement: Requirement) -> ToSignIn | None:
    """The second factor that another provider had asked for, and that is too old by now."""
    had = proofs.get(UPSTREAM_SECOND)
    if had is None:
        return None
    return ToSignIn(had.by) if UPSTREAM_SECOND in requirement.methods else None
