"""By which other providers a sign-in may go on: those that the product takes (product.md S4), and
a company's own for its people."""

from __future__ import annotations

from collections.abc import Iterable

from idp.directory import domain_names
from idp.directory.catalog import ProductView
from idp.directory.identity_providers import UpstreamProvider
from idp.login import federated
from idp.login.attempt import Attempt
from idp.policies import assurance
from idp.policies.assurance import FEDERATED, Proof
from idp.web.context import catalog, current_session, identity_providers
from idp.web.login import step

NEVER = Proof(0.0)


def offered(attempt: Attempt | None, tiles: Iterable[ProductView]) -> list[UpstreamProvider]:
    """None while one of them waits to be linked: then the proof has to be our own."""
    if attempt is None:
        return _of_products(tiles)
    if attempt.linking:
        return []
    return [*_of_platform(attempt), *_of_company(attempt)]


def picked(attempt: Attempt, key: str, email: str) -> UpstreamProvider | None:
    """The one of that key, if it is offered; without a key, the one of that address's company."""
    if key:
        return next((each for each in offered(attempt, ()) if each.key == key), None)
    return None if attempt.linking else of_address(email)


def of_address(email: str) -> UpstreamProvider | None:
    domain = domain_names.of_address(email)
    return identity_providers().of_domain(domain) if domain else None


def companies_have_some() -> bool:
    return any(each.domains for each in identity_providers().by_key.values())


def wants_anew(attempt: Attempt, upstream: UpstreamProvider) -> bool:
    """Whether it has to see the person anew: what it said before is not recent enough."""
    return federated.wants_anew(attempt) or _proof_so_far(attempt).by == upstream.key


def _of_platform(attempt: Attempt) -> list[UpstreamProvider]:
    """Not where a recent proof is asked for, which they can't give, nor where what they have said
    already was not enough. Pages of ours that belong to no product take what any product takes."""
    if federated.wants_anew(attempt):
        return []
    product = step.product_of(attempt)
    found = _of_products([product] if product else catalog().products.values())
    return [each for each in found if each.key != _proof_so_far(attempt).by]


def _of_products(products: Iterable[ProductView]) -> list[UpstreamProvider]:
    taken = {key for product in products for key in product.identity_providers}
    return [each for key, each in identity_providers().by_key.items() if key in taken]


def _of_company(attempt: Attempt) -> list[UpstreamProvider]:
    """That the request names, or the person's own."""
    slug, person = attempt.parameters.get("tenant"), step.who(attempt)
    own = of_address(person.email) if person else None
    return [
        each
        for each in identity_providers().by_key.values()
        if each.tenant_id and (each is own or (each.tenant == slug and person is None))
    ]


def _proof_so_far(attempt: Attempt) -> Proof:
    session = current_session()
    before = assurance.from_text(session.proofs) if session else {}
    return attempt.proven.get(FEDERATED) or before.get(FEDERATED, NEVER)
