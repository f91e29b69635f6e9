"""What a product looks like, and what belongs to one running product."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import current_app

from relying_parties.base.configuration import Configuration
from relying_parties.base.expiring import ExpiringValues
from relying_parties.base.issuer_keys import IssuerKeys
from relying_parties.base.provider import Provider
from relying_parties.base.sessions import SessionStore


@dataclass(frozen=True)
class Section:
    """An entry of the product's navigation, shown to those who have the permission."""

    label: str
    path: str
    permission: str


@dataclass(frozen=True)
class Face:
    """A product's name, mark and words. `key` also names its cookies and its colours."""

    key: str
    name: str
    icon: str
    color: str
    promise: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Product:
    face: Face
    configuration: Configuration
    provider: Provider
    sessions: SessionStore
    keys: IssuerKeys
    spent_logout_tokens: ExpiringValues
    clock: Callable[[], float]

    @property
    def session_cookie(self) -> str:
        return f"{self.face.key}_session"

    @property
    def silent_attempt_cookie(self) -> str:
        return f"{self.face.key}_tried"


def current_product() -> Product:
    return cast(Product, current_app.extensions["product"])
