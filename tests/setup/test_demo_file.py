"""The demo's directory: who may open what."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from idp.directory import memberships, users
from idp.setup import DEMO_PASSWORD, Applied, apply, parse
from idp.setup.demonstration import DEMO_FILE
from idp.web.presentation import icon_paths
from tests.setup.conftest import Desk
from tests.setup.test_exporting import DEMO_ADDRESSES

OPENS = {
    ("amara@northwind.example", "northwind"): "lms payments connections console",
    ("hana@harbor.example", "harbor"): "lms payments connections console",
    ("ben@northwind.example", "northwind"): "lms",
    ("dana@northwind.example", "northwind"): "lms payments connections",
    ("priya@northwind.example", "northwind"): "lms",
    ("priya@northwind.example", "harbor"): "lms payments",
    ("tomas@customer.example", "northwind"): "lms",
    ("ingrid@broker.example", "harbor"): "lms",
    ("victor@northwind.example", "northwind"): "",
}


def apply_demo(desk: Desk) -> Applied:
    keys = desk.provider.settings.keys_dir
    return apply(desk.provider, parse(DEMO_FILE, DEMO_ADDRESSES), desk.now, base_dir=keys)


@pytest.fixture
def demo(new_desk: Callable[..., Desk], database_url: str) -> Desk:
    desk = new_desk(database_url)
    assert apply_demo(desk).secrets == {}
    return desk


def test_a_second_time_changes_nothing(demo: Desk) -> None:
    before = demo.dump()
    assert apply_demo(demo).changes == []
    assert demo.dump() == before


@pytest.mark.parametrize(("who", "opened"), OPENS.items())
def test_people_open_what_their_roles_say(desk: Desk, who: tuple[str, str], opened: str) -> None:
    apply_demo(desk)
    email, tenant = who
    products = desk.provider.catalog.current(desk.now).products
    with desk.provider.database.connection() as db:
        person = users.find_by_email(db, email)
        assert person is not None
        found = [
            key
            for key, product in products.items()
            for standing in memberships.standings(db, person.id, key, desk.now)
            if standing.tenant == tenant and standing.opens(product)
        ]
    assert found == opened.split()


def test_the_products_can_be_launched_and_have_icons(desk: Desk) -> None:
    apply_demo(desk)
    catalog = desk.provider.catalog.current(desk.now)
    assert list(catalog.products) == ["lms", "payments", "connections", "console", "platform"]
    for key in DEMO_ADDRESSES.keys() & catalog.products.keys():
        product = catalog.products[key]
        assert catalog.launch_uri(product) == f"{DEMO_ADDRESSES[key]}/login"
        assert product.resource == f"urn:product:{key}"
        assert icon_paths(product.icon)


def test_secrets_lie_where_the_products_look_for_them(desk: Desk) -> None:
    apply_demo(desk)
    folder = desk.provider.settings.keys_dir / "clients"
    products, machines = ("connections", "lms", "payments"), ("lms-batch", "northwind-hr")
    names = {f"{name}.secret" for name in (*products, *machines, "platform-automation")}
    assert {path.name for path in folder.iterdir()} == names


def test_every_address_can_be_another(desk: Desk) -> None:
    there = {name: f"https://{name}.example" for name in DEMO_ADDRESSES}
    file = parse(DEMO_FILE, there)
    assert "localhost" not in file.model_dump_json()
    assert file.issuer == "https://issuer.example"


def test_the_demos_password_is_one_for_all_and_long() -> None:
    people = yaml.safe_load(DEMO_FILE.read_text())["users"]
    (word,) = {person["password"] for person in people}
    assert word == DEMO_PASSWORD
    assert len(word) >= 20
    assert all(person.keys() >= {"locale", "zoneinfo"} for person in people)
    assert "es" in {person["locale"] for person in people}


def test_its_schema_hint_leads_to_the_schema() -> None:
    hint = DEMO_FILE.read_text().splitlines()[0].partition("$schema=")[2]
    assert (DEMO_FILE.parent / hint).resolve().is_file()
    assert Path(hint).name == "setup.schema.json"
