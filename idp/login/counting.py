"""Which proofs count: as the request asks, and where they would open something.

What another provider has found out says nothing of when the person was there, unless it tells; and
a company's own provider speaks for that company alone: else whoever administers one company could
sign in to others as its people, and change how they sign in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from idp.directory.products import BUILT_IN
from idp.directory.upstream_providers import UpstreamProvider
from idp.login.steps import Asked, Entry, Proven
from idp.policies.assurance import (
    FEDERATED,
    FIRST,
    NEVER,
    OWN_FIRST,
    UPSTREAM_SECOND,
    Proof,
    Proofs,
)
from idp.policies.sessions import WALK


def counting(asked: Asked, proven: Proven, now: float) -> Proofs:
    """The proofs that the request lets count: `prompt=login` those of this attempt, `max_age` those
    that are younger, though nobody has to hurry through the pages. Another provider's count unless
    its word counts no more, or the page or the product takes none of it; a second factor there
    while one of its words is trusted."""
    if not _is_particular(asked) and not any(proof.by for proof in proven.proofs.values()):
        return proven.proofs
    return {
        method: proof
        for method, proof in proven.proofs.items()
        if _may_count(asked, proof, now, is_fresh=method in proven.fresh)
        and (not proof.by or _takes(asked, proven.providers.vouching(proof.by)))
        and (method != UPSTREAM_SECOND or proven.providers.still_trusts(proof.by, proof.words))
    }


def counting_in(asked: Asked, proven: Proven, going_on: Sequence[Entry], now: float) -> Proofs:
    """Of those, the ones that count for somebody who goes on as these entries."""
    proofs = counting(asked, proven, now)
    tenants = {each.standing.tenant_id for each in going_on}
    return {
        method: proof
        for method, proof in proofs.items()
        if not proof.by or _speaks_for(asked, proven, tenants, method)
    }


def vouched_by(asked: Asked, proven: Proven, going_on: Sequence[Entry], now: float) -> str:
    """The key of the other provider that has said, at whatever time, who goes on as these entries;
    empty where none has. How recent a proof has to be is asked of any that there is."""
    whenever = replace(asked, prompt=frozenset(), max_age=None) if _is_particular(asked) else asked
    return counting_in(whenever, proven, going_on, now).get(FEDERATED, NEVER).by


def spoken_for(
    asked: Asked, proven: Proven, entries: Sequence[Entry], now: float
) -> Sequence[Entry]:
    """The entries that somebody signs in as who has not said yet what they open: all of theirs, or
    those of the company whose word alone there is."""
    proofs = counting(asked, proven, now)
    company = company_of(proven, proofs[FEDERATED]) if FEDERATED in proofs else None
    if asked.is_own_page or company is None or not OWN_FIRST.isdisjoint(proofs):
        return entries
    return [each for each in entries if each.standing.tenant_id == company]


def may_change_ways_in(proven: Proven, entries: Sequence[Entry], now: float) -> bool:
    """A first second factor is set up by what signs in everywhere, or by the word of the only
    company that has anything to lose by it: by less, whoever speaks for one company would come in
    to all of them. To add or take away one takes more (`own_level`)."""
    own = Asked(is_own_page=True)
    return not FIRST.isdisjoint(counting_in(own, proven, entries, now))


def demanded(proven: Proven, entry: Entry) -> UpstreamProvider | None:
    """The only way in, of who goes on as this entry."""
    company = "" if entry.is_guest else entry.standing.tenant_id or ""
    return proven.providers.only_way(company, proven.user_id, proven.email)


def company_of(proven: Proven, proof: Proof) -> str | None:
    """Whose provider made it; None for one of the platform's."""
    upstream = proven.providers.find(proof.by)
    return upstream.tenant_id or None if upstream else None


def _speaks_for(asked: Asked, proven: Proven, tenants: Collection[str | None], method: str) -> bool:
    """Whether another provider's proof counts for who is in all of these. A company's speaks for
    the company; nobody is in one alone who operates the platform."""
    company = company_of(proven, proven.proofs[method])
    if company is None:
        return not (asked.own_level or (asked.is_own_page and proven.is_operator))
    is_all = tenants == {company}
    if asked.product is not None:
        return is_all
    is_on_the_way = method == FEDERATED and not asked.is_own_page
    return is_on_the_way or (is_all and not proven.is_operator)


def _is_particular(asked: Asked) -> bool:
    return asked.max_age is not None or "login" in asked.prompt


def _may_count(asked: Asked, proof: Proof, now: float, *, is_fresh: bool) -> bool:
    if not _is_particular(asked):
        return True
    age = now - proof.shown_at
    if is_fresh:
        is_own = not proof.by
        return (is_own and asked.max_age is None) or age <= max(asked.max_age or 0, WALK)
    if "login" in asked.prompt or asked.max_age is None:
        return False
    return asked.max_age > 0 and age <= asked.max_age


def _takes(asked: Asked, upstream: UpstreamProvider | None) -> bool:
    """The consoles are opened by a proof of ours; a company's also by the company's own provider,
    which products don't refuse."""
    if upstream is None or asked.is_operators_page:
        return False
    if upstream.tenant_id:
        return True
    return all(
        product.key not in BUILT_IN
        and (not product.refuses_federated or upstream.key in product.identity_providers)
        for product in asked.products
    )
