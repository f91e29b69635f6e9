"""Which proofs count: as the request asks, and where they would open something.

What another provider has found out says nothing of when the person was there, unless it tells; and
a company's own provider speaks for that company alone: else whoever administers one company could
sign in to others as its people, and change how they sign in.
"""

from __future__ import annotations

from collections.abc import Sequence

from idp.directory import domain_names
from idp.directory.catalog import ProductView
from idp.directory.identity_providers import UpstreamProvider
from idp.directory.products import BUILT_IN
from idp.login.steps import Asked, Entry, Proven
from idp.policies.assurance import FEDERATED, UPSTREAM_SECOND, Proof, Proofs
from idp.policies.sessions import WALK


def counting(asked: Asked, proven: Proven, now: float) -> Proofs:
    """The proofs that the request lets count: `prompt=login` those of this attempt, `max_age` those
    that are younger, though nobody has to hurry through the pages. Another provider's count unless
    it is none any more, or the product takes none of it."""
    if not _is_particular(asked) and FEDERATED not in proven.proofs:
        return proven.proofs
    return {
        method: proof
        for method, proof in proven.proofs.items()
        if _may_count(asked, proof, now, is_fresh=method in proven.fresh)
        and (not proof.by or _takes(asked.product, proven.providers.find(proof.by)))
    }


def counting_in(asked: Asked, proven: Proven, going_on: Sequence[Entry], now: float) -> Proofs:
    """Of those, the ones that count for somebody who goes on as these entries. How one signs in
    changes nobody but who has proven something of ours, or by their only company's provider."""
    proofs = counting(asked, proven, now)
    if FEDERATED not in proofs:
        return proofs
    speaks_for = company_of(proven, proofs[FEDERATED])
    if speaks_for is None:
        return _without(proofs, FEDERATED) if asked.own_level else proofs
    tenants = {each.standing.tenant_id for each in going_on if each.standing.is_active}
    if tenants == {speaks_for}:
        return proofs
    decides_nothing = asked.product is None and not asked.is_own_page
    return _without(proofs, UPSTREAM_SECOND, *(() if decides_nothing else (FEDERATED,)))


def demanded(proven: Proven, entry: Entry) -> UpstreamProvider | None:
    """The provider by which alone the company lets its own people in whose address is of one of its
    domains; not who is left out, to mend what breaks."""
    found = [
        each
        for each in proven.providers.of_company(entry.standing.tenant_id or "")
        if each.is_only_way and proven.user_id not in each.left_out
    ]
    domain = domain_names.of_address(proven.email) if found else None
    return next((each for each in found if domain in each.domains), None)


def company_of(proven: Proven, proof: Proof) -> str | None:
    """Whose provider made it; None for one of the platform's."""
    upstream = proven.providers.find(proof.by)
    return upstream.tenant_id or None if upstream else None


def _without(proofs: Proofs, *lost: str) -> Proofs:
    return {method: proof for method, proof in proofs.items() if method not in lost}


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


def _takes(product: ProductView | None, upstream: UpstreamProvider | None) -> bool:
    """The consoles are opened by a proof of ours, or of the company's own provider."""
    if upstream is None:
        return False
    if upstream.tenant_id or product is None:
        return True
    if product.key in BUILT_IN:
        return False
    return not product.refuses_federated or upstream.key in product.identity_providers
