"""Products at the API."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from idp.directory.operating import Operation
from idp.directory.products import Product
from idp.errors import told
from idp.operators import products
from idp.policies.password_age import LEAST_DAYS, MOST_DAYS
from idp.policies.second_factor_terms import LEAST_MINUTES, MOST_MINUTES
from idp.web.manage.api import PLATFORM, Answer, Listing, Noun, listed
from idp.web.manage.json_reading import Sent

api = Noun("products", told("Products"))

PRODUCTS = f"{PLATFORM}/products"
PRODUCT = f"{PRODUCTS}/<key>"
NEEDS = "products.manage"


class ProductLine(Answer):
    key: str
    name: str
    description: str
    resource: str


class Node(Answer):
    key: str
    name: str
    description: str
    parent: str | None


class ProductTold(ProductLine):
    """`id` is the key."""

    id: str
    color: str
    icon: str
    launch_client_id: str | None
    second_factor: bool
    sign_up: bool
    second_factor_minutes: int | None
    password_max_age_days: int | None
    access_token_format: str
    authorization_details_types: list[dict[str, Any]]
    permissions: list[Node]


class ChangedProduct(Sent):
    """What is left out stays as it is; null takes away what may be absent."""

    example: ClassVar[dict[str, Any]] = {"name": "Wiki", "color": "#334155"}

    name: str | None = Field(None, max_length=120)
    description: str | None = Field(None, max_length=500)
    color: str | None = Field(None, max_length=7, description="#rrggbb")
    icon: str | None = Field(None, max_length=60)
    resource: str | None = Field(
        None, max_length=2048, description=told("The audience of its access tokens.")
    )
    launch_client: str | None = Field(
        None, max_length=64, description=told("The client that opens it from the menu.")
    )
    second_factor: bool | None = Field(
        None, description=told("Whether it asks everybody for a second factor.")
    )
    sign_up: bool | None = Field(
        None, description=told("Whether people without an account may open one on their way.")
    )
    second_factor_minutes: int | None = Field(
        None,
        ge=LEAST_MINUTES,
        le=MOST_MINUTES,
        description=told("How old a second factor may be; null for no limit."),
    )
    password_max_age_days: int | None = Field(
        None,
        ge=LEAST_DAYS,
        le=MOST_DAYS,
        description=told("An older password has to be changed first; null for no limit."),
    )
    authorization_details_types: list[dict[str, Any]] | None = Field(
        None,
        max_length=20,
        description=told("What people allow one by one (RFC 9396), as in a set-up file."),
    )
    access_token_format: Literal["jwt", "opaque"] | None = Field(
        None, description=told("Opaque access tokens can be read by nobody but us.")
    )


class NewProduct(ChangedProduct):
    example: ClassVar[dict[str, Any]] = {"key": "wiki", "name": "Wiki"}

    key: str = Field(max_length=32, description=told("It never changes."))
    name: str = Field(max_length=120)


@api.get(PRODUCTS, told("List products"), needs=NEEDS)
def listing(operation: Operation) -> Listing[ProductLine]:
    return listed(ProductLine, products.all_products(operation))


@api.post(PRODUCTS, told("Make a product"), needs=NEEDS)
def make(operation: Operation, body: NewProduct) -> ProductTold:
    return _told(products.make(operation, body.model_dump(exclude_unset=True)))


@api.get(PRODUCT, told("See a product"), needs=NEEDS)
def show(operation: Operation, key: str) -> ProductTold:
    return _told(products.get_product(operation, key))


@api.patch(PRODUCT, told("Change a product"), needs=NEEDS, current=show)
def change(operation: Operation, key: str, body: ChangedProduct) -> ProductTold:
    product = products.get_product(operation, key)
    return _told(products.change(operation, product, body.model_dump(exclude_unset=True)))


def _told(product: Product) -> ProductTold:
    names = set(ProductTold.model_fields) - {"id", "permissions"}
    return ProductTold.model_validate(
        {
            **{name: getattr(product, name) for name in names},
            "id": product.key,
            "permissions": products.tree(product),
        }
    )
