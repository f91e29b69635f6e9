"""The identity providers that are active, as everybody else sees them (`identity_providers` has
their rows)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from idp.directory import domain_names

OPEN_TO_ALL = frozenset({"accounts.google.com"})


def is_open_to_all(issuer: str, hosted_domain: str) -> bool:
    """Whether anybody can open an account there, with an address of any company at which they read
    mail but once: it then vouches for nobody of that company. Google's Workspaces, each by its
    hosted domain, have accounts of their own."""
    return not hosted_domain and urlsplit(issuer).hostname in OPEN_TO_ALL


def words_of(acr: Iterable[str], amr: Iterable[str]) -> frozenset[str]:
    """Values of these claims of an ID token, each told apart by its claim."""
    return frozenset({*(f"acr:{each}" for each in acr), *(f"amr:{each}" for each in amr)})


@dataclass(frozen=True)
class UpstreamProvider:
    """One that is active, as everybody else sees it. Its ID tokens tell the address and the name of
    somebody in `email_claim` and `name_claim`. The platform's have no `tenant_id`; a company's own
    have `domains`, verified now, by their names in the DNS."""

    key: str
    name: str
    issuer: str
    client_id: str
    sealed_secret: str
    hosted_domain: str = ""
    email_claim: str = "email"
    name_claim: str = "name"
    tenant_id: str = ""
    tenant: str = ""
    domains: frozenset[str] = frozenset()
    is_only_way: bool = False
    left_out: frozenset[str] = frozenset()
    trusted_acr: frozenset[str] = frozenset()
    trusted_amr: frozenset[str] = frozenset()

    def trusted(self, words: Iterable[str]) -> frozenset[str]:
        """Of `words_of` a sign-in there, those by which it counts as a second factor."""
        return words_of(self.trusted_acr, self.trusted_amr).intersection(words)

    @property
    def trusts_any(self) -> bool:
        """Whether a second factor there may count."""
        return bool(self.trusted_acr or self.trusted_amr)

    @property
    def vouches(self) -> bool:
        """Whether its word counts. The platform's own links by a proof of ours in any case."""
        return not (self.tenant_id and is_open_to_all(self.issuer, self.hosted_domain))


@dataclass(frozen=True)
class IdentityProviders:
    """All that are active, by key."""

    by_key: dict[str, UpstreamProvider] = field(default_factory=dict)

    def find(self, key: str) -> UpstreamProvider | None:
        return self.by_key.get(key)

    def vouching(self, key: str) -> UpstreamProvider | None:
        """The one of that key whose word counts now, also for what was opened by it before."""
        found = self.by_key.get(key)
        return found if found and found.vouches else None

    def still_trusts(self, key: str, words: str) -> bool:
        """Whether a second factor of that provider's counts now, which did by these words."""
        found = self.vouching(key)
        return found is not None and bool(found.trusted(words.split()))

    def only_way(self, tenant_id: str, user_id: str | None, email: str) -> UpstreamProvider | None:
        """Of somebody who is at home in the company."""
        if not user_id or not self.of_company(tenant_id):
            return None
        upstream = self.only_way_of(user_id, email)
        return upstream if upstream and upstream.tenant_id == tenant_id else None

    def of_company(self, tenant_id: str) -> list[UpstreamProvider]:
        return self._by_company.get(tenant_id, [])

    def of_domain(self, name: str) -> UpstreamProvider | None:
        """The company's own that addresses of this domain route to."""
        return self._by_domain.get(name)

    def only_way_of(self, user_id: str, email: str) -> UpstreamProvider | None:
        """The company's own by which alone it lets its people in whose address is of one of its
        domains; not who is left out, to mend what breaks."""
        upstream = self.of_domain(domain_names.of_address(email) or "")
        is_only = upstream is not None and upstream.is_only_way
        return upstream if upstream and is_only and user_id not in upstream.left_out else None

    @cached_property
    def _by_company(self) -> dict[str, list[UpstreamProvider]]:
        found: dict[str, list[UpstreamProvider]] = defaultdict(list)
        for each in self.by_key.values():
            if each.tenant_id:
                found[each.tenant_id].append(each)
        return dict(found)

    @cached_property
    def _by_domain(self) -> dict[str, UpstreamProvider]:
        return {name: each for each in self.by_key.values() for name in each.domains}
