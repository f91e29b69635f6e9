"""The invariants (I1 to I9): what a history must not show, whatever was broken meanwhile.

Each gives a sentence for everything that violates it. What was not answered may have been done or
not: either is right, and nothing else.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from chaos.caller import NO_RETRY
from chaos.evidence import Evidence
from chaos.history import Fault, History, Operation

Invariant = Callable[[Evidence], Iterable[str]]

PUBLISHED_WITHIN = 1.0  # seconds until every process has a new key: a key leads by far more
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]


def spent_once(evidence: Evidence) -> Iterator[str]:
    """I1: a code, an assertion and whatever else is good once has at most one success."""
    for what, uses in _by(evidence, "spends"):
        done = [each for each in uses if each.is_ok]
        if len(done) > 1:
            yield f"{what} was good {len(done)} times: operations {_numbers(done)}"


def families_are_linear(evidence: Evidence) -> Iterator[str]:
    """I2: every generation has one successor, none that was strict is good twice, and none is good
    after its successor was used."""
    for family, uses in _by(evidence, "family"):
        refreshed = [each for each in uses if each.is_ok and each.generation]
        by_generation = _grouped(refreshed, lambda each: each.generation)
        for generation, done in by_generation.items():
            successors = {each.successor for each in done}
            if len(successors) > 1:
                yield f"{family}: {generation} has {len(successors)} successors"
            rotated = successors != {generation}
            if len(done) > 1 and rotated and any(each.is_strict for each in done):
                yield f"{family}: {generation} was good twice, without a grace: {_numbers(done)}"
            for successor in successors - {generation}:
                used = min((each.end for each in by_generation.get(successor, [])), default=None)
                late = [each for each in done if used is not None and each.start > used]
                if late:
                    yield f"{family}: {generation} was good after its successor: {_numbers(late)}"


def writes_are_kept(evidence: Evidence) -> Iterator[str]:
    """I3: who reads a register gets what was written last: an acknowledged write that nothing
    acknowledged has overwritten since, or one that is under way or was never answered."""
    for register, operations in _by(evidence, "register"):
        writes = [each for each in operations if each.wrote and each.may_be_done]
        for read in (each for each in operations if each.read and each.is_ok):
            over = [each for each in writes if each.is_ok and each.end < read.start]
            newest = max((each.start for each in over), default=0.0)
            right = {
                each.wrote
                for each in writes
                if each.start < read.end and (not each.is_ok or each.end >= newest)
            }
            if over and read.read not in right:
                yield f"{register}: operation {read.number} read {read.read!r}, which is gone"


def what_is_over_stays_over(evidence: Evidence) -> Iterator[str]:
    """I4: what was revoked or disabled is not active again, unless somebody said so since."""
    revivals = dict(_by(evidence, "revives"))
    shown = dict(_by(evidence, "shows"))
    for ending in (each for each in evidence.operations if each.is_ok):
        for what in ending.ends:
            back = [
                each.start
                for each in revivals.get(what, [])
                if each.may_be_done and (not each.is_ok or each.end > ending.start)
            ]
            alive = [
                each
                for each in shown.get(what, [])
                if each.is_ok
                and each.start > ending.end
                and not any(start < each.end for start in back)
            ]
            if alive:
                yield f"{what} ended by {ending.number} and is alive: {_numbers(alive)}"


def nobody_sees_another_tenant(evidence: Evidence) -> Iterator[str]:
    """I5: no answer and no letter holds another tenant's canary, and the log none at all."""
    for each in evidence.operations:
        if foreign := set(each.canaries) - {each.tenant}:
            yield f"operation {each.number} of {each.tenant} shows {sorted(foreign)}"
    for tenant, seen in evidence.letters:
        if foreign := seen - {tenant}:
            yield f"a letter to {tenant} shows {sorted(foreign)}"
    if found := sorted(set(re.findall(r"canary-\w+", evidence.log))):
        yield f"the log shows {found}"


def guesses_are_counted(evidence: Evidence) -> Iterator[str]:
    """I6: no more wrong passwords of a person are evaluated than may be, but anew after a right
    one; and none is right once as many were."""
    for email, moments in evidence.guesses.items():
        right = [
            each
            for each in evidence.operations
            if each.register == f"password {email}" and each.read and each.is_ok
        ]
        if len(moments) > evidence.limit * (1 + len(right)):
            yield f"{len(moments)} guesses at {email} were evaluated"
        before = 0.0
        for each in right:
            if sum(before < moment < each.start for moment in moments) >= evidence.limit:
                yield f"{email} was let in while locked: {each.number}"
            before = each.end


def changes_are_audited_once(evidence: Evidence) -> Iterator[str]:
    """I7: each acknowledged change has exactly one event, one that was refused none, and one that
    was not answered at most one; behind a proxy, all of a kind together. Every chain is whole."""
    yield from evidence.broken_chains
    for tag, changes in _by(evidence, "audit"):
        if evidence.events[tag] and not evidence.audit:
            yield from _audited_together(evidence, tag, changes)
            continue
        for each in changes:
            found = evidence.audit[each.number, tag]
            if not int(each.is_ok) <= found <= int(each.may_be_done):
                yield f"operation {each.number} ({each.outcome}) has {found} events {tag}"


def _audited_together(evidence: Evidence, tag: str, changes: list[Operation]) -> Iterator[str]:
    least = sum(each.is_ok for each in changes)
    unanswered = sum(each.may_be_done and not each.is_ok for each in evidence.operations)
    if not least <= evidence.events[tag] <= least + unanswered:
        yield f"{least} changes have {evidence.events[tag]} events {tag}"


def tokens_verify(evidence: Evidence) -> Iterator[str]:
    """I8: each token verifies by the published keys, at any time from its issue to its end. A key
    that was revoked is revoked."""
    published = {kid: key for each in evidence.operations for kid, key in each.keys.items()}
    if not published:
        return
    looks = [each for each in evidence.operations if each.keys]
    revoked = {what for each in evidence.operations if each.may_be_done for what in each.ends}
    keys = KeySet.import_key_set({"keys": list(published.values())})
    lives: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for each in evidence.operations:
        for token in each.tokens:
            try:
                read = jwt.decode(token, keys, algorithms=ALGORITHMS)
            except (JoseError, ValueError) as problem:
                yield f"a token of operation {each.number} does not verify: {problem}"
                continue
            life = (each.end + PUBLISHED_WITHIN, float(read.claims["exp"]))
            lives[str(read.header["kid"])].append(life)
    for kid, spans in lives.items():
        yield from _unpublished(kid, spans, looks) if f"key {kid}" not in revoked else ()


def _unpublished(
    kid: str, spans: list[tuple[float, float]], looks: list[Operation]
) -> Iterator[str]:
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    missing = [
        each for each in looks if kid not in each.keys and first < each.start and each.end < last
    ]
    if missing:
        yield f"key {kid} was missing while its tokens lived: {_numbers(missing)}"


def health_returns(evidence: Evidence, *, within: float) -> Iterator[str]:
    """I9: after each fault everything is answered as it should be, within so many seconds, unless
    the next fault came before they were over."""
    for fault, seconds, until in recoveries(evidence.history):
        if seconds is None and until > fault.end + within:
            yield f"after {fault.fault} at {fault.end:.1f} nothing was answered any more"
        elif seconds is not None and seconds > within:
            yield f"after {fault.fault} it took {seconds:.1f} s, and not {within:.0f}"


def recoveries(history: History) -> Iterator[tuple[Fault, float | None, float]]:
    """For each fault, seconds from its end until the last wrong answer before the next fault, None
    if nothing was right after that; and when that next one was, to which belongs what was in hand
    then."""
    for fault, following in zip_longest(history.faults, history.faults[1:]):
        until = following.start if following else float("inf")
        after = [each for each in history.operations if fault.end < each.start]
        since = [each for each in after if each.end <= until]
        wrong = max((each.start for each in since if each.is_wrong), default=fault.end)
        is_right = any(each.start > wrong for each in since if not each.is_wrong)
        yield fault, wrong - fault.end if is_right or not since else None, until


def failures_are_told(operations: Iterable[Operation]) -> Iterator[str]:
    """What fails because a store is away fails by 503 with Retry-After, and is answered."""
    for each in operations:
        if each.status >= 500 and (each.status != 503 or each.error.endswith(NO_RETRY)):
            yield f"operation {each.number} ({each.kind}) is {each.status} {each.error}"
        if each.is_wrong and each.status == 0:
            yield f"operation {each.number} ({each.kind}) was not answered: {each.error}"


def none_failed(operations: Iterable[Operation]) -> Iterator[str]:
    """Of those that nothing that is broken has to do with."""
    wrong = [each for each in operations if each.is_wrong]
    if wrong:
        told = "; ".join(f"{each.kind}: {each.status} {each.error}" for each in wrong[:5])
        yield f"{len(wrong)} requests failed: {told}; the first one was {wrong[0].number}"


INVARIANTS: dict[str, Invariant] = {
    "I1": spent_once,
    "I2": families_are_linear,
    "I3": writes_are_kept,
    "I4": what_is_over_stays_over,
    "I5": nobody_sees_another_tenant,
    "I6": guesses_are_counted,
    "I7": changes_are_audited_once,
    "I8": tokens_verify,
}


def violations(evidence: Evidence, *, recovery: float) -> list[str]:
    """Of all of them, I9 with so many seconds to recover."""
    found = [f"{name}: {each}" for name, check in INVARIANTS.items() for each in check(evidence)]
    return found + [f"I9: {each}" for each in health_returns(evidence, within=recovery)]


def _by(evidence: Evidence, name: str) -> Iterator[tuple[str, list[Operation]]]:
    """The operations that say something there, by what they say."""
    said = [each for each in evidence.operations if getattr(each, name)]
    yield from _grouped(said, lambda each: str(getattr(each, name))).items()


def _grouped(
    operations: Iterable[Operation], key: Callable[[Operation], str]
) -> dict[str, list[Operation]]:
    groups: dict[str, list[Operation]] = defaultdict(list)
    for each in operations:
        groups[key(each)].append(each)
    return groups


def _numbers(operations: Iterable[Operation]) -> str:
    return ", ".join(str(each.number) for each in list(operations)[:5])
