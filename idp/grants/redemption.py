"""What a client comes with to any grant type that rests on a grant of a person's."""

from __future__ import annotations

from typing import NamedTuple

from idp.audit import Origin
from idp.database import Database
from idp.directory.catalog import ProductView
from idp.directory.clients import Client
from idp.directory.upstream_providers import IdentityProviders
from idp.grants.target import Aim
from idp.oidc.confirmation import Confirmation
from idp.secret_values import SecretKeys
from idp.settings import Settings


class Redemption(NamedTuple):
    """Of a `client` of the `product`, that has shown itself to be a `holder`, and wants a token
    where `aim` finds that it may go."""

    database: Database
    secret_keys: SecretKeys
    settings: Settings
    client: Client
    product: ProductView
    providers: IdentityProviders
    aim: Aim
    holder: Confirmation
    now: float
    origin: Origin
