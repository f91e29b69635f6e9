"""By which other providers a sign-in may go on: those that the product takes (product.md S4), and
a company's own for its people."""

from __future__ import annotations

from collections.abc import Iterable

from idp.directory import domain_names
from idp.directory.catalog import ProductView
from idp.directory.upstream_providers import UpstreamProvider
from idp.login import federated
from idp.login.attempt import Attempt
from idp.login.steps import Step, ToSignIn
from idp.policies import assurance
from idp.policies.assurance import FEDERATED, NEVER, Proof
from idp.policies.sessions import WALK
from idp.web.context import catalog, current_session, identity_providers, now, provider
from idp.web.login import step


def offered(attempt: Attempt | None, tiles: Iterable[ProductView]) -> list[UpstreamProvider]:
    """None while one of them waits to be linked: then the proof has to be our own."""
    if attempt is None:
        return _of_products(tiles)
    if attempt.linking:
        return []
    return [*_of_platform(attempt), *_of_company(attempt)]


def picked(attempt: Attempt, key: str, email: str) -> UpstreamProvider | None:
    """The one of that key, if it is offered, or the only way on; without a key, the one of that
    address's company."""
    if not key:
        return led_to(attempt, email)
    found = next((each for each in offered(attempt, ()) if each.key == key), None)
    only = None if found else only_way(attempt)
    return only if only and only.key == key else found


def only_way(attempt: Attempt) -> UpstreamProvider | None:
    """The one provider that the company of the person lets them in by. It is also while another one
    waits to be linked, which then is not."""
    found = step.asked(attempt, Step.PASSWORD)
    if found is None or not isinstance(found.decision, ToSignIn):
        return None
    return identity_providers().find(found.decision.provider_key)


def led_to(attempt: Attempt | None, email: str) -> UpstreamProvider | None:
    """By an address alone: to the company that it is of, while that can say any more."""
    found = of_address(email)
    if found is None or attempt is None:
        return found
    return found if not attempt.linking and _can_say_more(attempt, found) else None


def says_not_when(attempt: Attempt) -> UpstreamProvider | None:
    """Who has signed the person in just now and did not tell when it saw them, where that is
    asked."""
    said = attempt.proven.get(FEDERATED, NEVER)
    is_untold = federated.asks_anew(attempt) and said.by and not said.active_at
    return identity_providers().find(said.by) if is_untold else None


def of_address(email: str) -> UpstreamProvider | None:
    domain = domain_names.of_address(email)
    return identity_providers().of_domain(domain) if domain else None


def companies_have_some() -> bool:
    return any(each.domains for each in identity_providers().by_key.values())


def oldest(attempt: Attempt, upstream: UpstreamProvider) -> float:
    """How many seconds ago it may have seen the person: what it said before was not recent enough,
    and a second factor is as old as that."""
    if federated.asks_anew(attempt) or _proof_so_far(attempt).by == upstream.key:
        return WALK
    settings = provider().settings
    if upstream.trusts_any:
        return float(settings.second_factor_lifetime)
    return float(settings.session_absolute_lifetime)


def _of_platform(attempt: Attempt) -> list[UpstreamProvider]:
    """Not where a recent proof is asked for, which they can't give, nor where what they have said
    already was not enough. Pages of ours that belong to no product take what any product takes."""
    if federated.asks_anew(attempt):
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
    if person is None:
        known = identity_providers().by_key.values()
        return [each for each in known if each.domains and each.tenant == slug]
    own = of_address(person.email)
    leads_there = own is not None and slug in (None, own.tenant)
    is_chosen = own is not None and attempt.tenant_id in ("", own.tenant_id)
    if own is None or not _can_say_more(attempt, own):
        return []
    return [own] if leads_there and is_chosen else []


def _can_say_more(attempt: Attempt, upstream: UpstreamProvider) -> bool:
    """Whether its word in this very sign-in, which was not enough, could be by another visit there:
    a later one, of who tells the time. It is asked for one where a recent proof is wanted, or where
    its second factor is trusted and may be too old."""
    said = attempt.proven.get(FEDERATED, NEVER)
    if said.by != upstream.key:
        return True
    is_old = 0 < said.active_at < now() - WALK
    return is_old and (federated.asks_anew(attempt) or upstream.trusts_any)


def _proof_so_far(attempt: Attempt) -> Proof:
    session = current_session()
    before = assurance.from_text(session.proofs) if session else {}
    return attempt.proven.get(FEDERATED) or before.get(FEDERATED, NEVER)
