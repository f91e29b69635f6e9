"""An export is a set-up file: it changes nothing here and makes the same directory elsewhere."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from idp import tenancy
from idp.directory.memberships import KINDS, Membership
from idp.directory.products import Product
from idp.directory.tenants import Tenant
from idp.directory.users import User
from idp.errors import SetupMistake
from idp.policies import (
    password_age,
    password_terms,
    second_factor_terms,
    sign_up_terms,
    tenant_policy,
)
from idp.registration.tenant_form import PolicyForm
from idp.setup import apply, export, parse, to_yaml
from idp.setup.demonstration import DEMO_FILE
from tests.setup.conftest import Desk, small

DEMO_ADDRESSES = {
    "issuer": "http://localhost:8000",
    "lms": "http://localhost:8001",
    "payments": "http://localhost:8002",
    "connections": "http://localhost:8003",
}


def policy() -> dict[str, Any]:
    return {
        "session_idle_minutes": 20,
        "session_absolute_hours": 8,
        "second_factor": {
            "staff": {"mode": "required", "since": 1_700_000_000.5},
            "customer": {"mode": "off", "was_on": True},
            "organization": {"mode": "optional"},
        },
        "second_factor_methods": ["passkey", "totp"],
        "second_factor_products": {"loans": 15},
        "password_after_enrolment": True,
        "reset_needs_second_admin": True,
        "password_max_age_days": 90,
        "password_max_age_since": 1_700_000_001.5,
        "password_min_alnum": 0,
        "password_min_length": 15,
        "password_history": 24,
        "password_reset": "link",
        "sign_up": "admitted",
        "sign_up_role": "clerk",
        "sign_up_since": 1_700_000_002.5,
    }


def varied() -> dict[str, Any]:
    """Everything that the form can say, and texts that a careless writer would spoil."""
    content = small()
    content["products"][0] |= {"description": "costs $${money}: \"a\" # 'b' – ñ 漢", "position": 7}
    content["products"][0] |= {"password_max_age_days": 60, "password_max_age_since": 1.6e9}
    content["products"][0] |= {"sign_up": True}
    content["tenants"].append(
        {"slug": "founded", "name": "Founded", "confirmed": False, "roles": []}
    )
    content["products"].append({"key": "empty", "name": "no", "second_factor": True})
    content["clients"][0] |= {"default_max_age": 0, "first_party": True, "scope": ""}
    content["clients"].append(
        {
            "client_id": "batch",
            "client_name": "Batch",
            "product": "loans",
            "tenant": "acme",
            "status": "disabled",
            "grant_types": ["client_credentials"],
            "permissions": ["loans.read"],
        }
    )
    content["tenants"][0] |= {"status": "suspended", "policy": policy()}
    content["tenants"][0]["roles"].append({"key": "account_admin", "name": "Chief"})
    content["users"] += [
        {"email": "Kai@acme.example", "name": "Kai", "status": "disabled", "operator": True},
        {
            "email": "ana@acme.example",
            "name": "Ana",
            "invitation": True,
            "memberships": [
                {
                    "tenant": "acme",
                    "kind": "customer",
                    "status": "disabled",
                    "second_factor_selected": True,
                }
            ],
        },
    ]
    return content


def read_back(desk: Desk, directory: dict[str, Any]) -> list[str]:
    """What applying an export to a provider changes."""
    path = desk.folder / "export.yaml"
    path.write_text(to_yaml(directory))
    run = apply(desk.provider, parse(path), desk.now, base_dir=desk.folder)
    return [str(change) for change in run.changes]


@pytest.mark.parametrize("content", [{}, small(), varied()])
def test_here_an_export_changes_nothing(desk: Desk, content: dict[str, Any]) -> None:
    desk.apply(copy.deepcopy(content))
    assert read_back(desk, export(desk.provider)) == []


@pytest.mark.parametrize("content", [{}, small(), varied()])
def test_elsewhere_an_export_makes_the_same_directory(
    new_desk: Callable[..., Desk], content: dict[str, Any]
) -> None:
    here, elsewhere = new_desk(), new_desk()
    here.apply(copy.deepcopy(content))
    directory = export(here.provider)
    elsewhere.now += 1000
    read_back(elsewhere, directory)
    assert export(elsewhere.provider) == directory
    for desk in (here, elsewhere):
        desk.now += 1000
        assert read_back(desk, directory) == []


def test_a_file_can_say_every_term_of_a_policy() -> None:
    stated = {*(limit.name for limit in tenant_policy.SESSION), *password_terms.NAMES}
    said = {*stated, *second_factor_terms.NAMES, *sign_up_terms.DATED, password_age.SINCE}
    assert set(PolicyForm.model_fields) == said == set(policy())


@pytest.mark.parametrize("slug", ["acme", "other"])
def test_a_policy_means_the_same_elsewhere(new_desk: Callable[..., Desk], slug: str) -> None:
    """Word for word as it is stored, also in a company that had turned everything off before."""
    here, elsewhere = new_desk(), new_desk()
    here.apply(varied())
    for mode in ("required", "off"):
        kinds = {kind: {"mode": mode} for kind in KINDS}
        company = {"slug": slug, "name": "A", "policy": {"second_factor": kinds}}
        elsewhere.apply({"tenants": [company]})
    read_back(elsewhere, export(here.provider))
    assert stored(elsewhere) == stored(here)
    assert stored(here)["second_factor"]["organization"] == {"mode": "optional"}


def test_how_old_passwords_may_be_and_who_is_selected_is_the_same_elsewhere(
    new_desk: Callable[..., Desk],
) -> None:
    here, elsewhere = new_desk(), new_desk()
    here.apply(varied())
    elsewhere.now += 1000
    read_back(elsewhere, export(here.provider))
    for desk in (here, elsewhere):
        with desk.provider.database.engine.connect() as connection:
            ages = connection.execute(sa.select(Product.key, Product.password_max_age_since))
            assert ("loans", 1.6e9) in ages.all()
            selected = sa.select(User.email).join(Membership, Membership.user_id == User.id)
            chosen = selected.where(Membership.second_factor_selected)
            assert connection.scalars(chosen).all() == ["ana@acme.example"]


def stored(desk: Desk) -> dict[str, Any]:
    with tenancy.every_tenant(desk.provider.database) as session:
        found: dict[str, Any] = session.scalars(
            sa.select(Tenant.policy).where(Tenant.slug == "acme")
        ).one()
        return found


def test_since_when_an_age_holds_is_said_with_the_age(desk: Desk) -> None:
    since = {"password_max_age_since": 1.0}
    for wrong in (since, {**since, "password_max_age_days": None}):
        content = {"slug": "acme", "name": "A", "policy": wrong}
        with pytest.raises(SetupMistake, match="is given with password_max_age_days"):
            desk.apply({"tenants": [content]})
    endless = {"password_max_age_days": 90, "password_max_age_since": float("inf")}
    with pytest.raises(SetupMistake):
        desk.apply({"tenants": [{"slug": "acme", "name": "A", "policy": endless}]})


def test_the_demo_comes_back_too(new_desk: Callable[..., Desk]) -> None:
    here, elsewhere = new_desk(), new_desk()
    apply(here.provider, parse(DEMO_FILE, DEMO_ADDRESSES), here.now, base_dir=here.folder)
    directory = export(here.provider)
    assert read_back(here, directory) == []
    read_back(elsewhere, directory)
    assert export(elsewhere.provider) == directory


def test_the_order_is_by_name_whatever_came_first(new_desk: Callable[..., Desk]) -> None:
    one, other = new_desk(), new_desk()
    content = varied()
    one.apply(content)
    content["products"][1]["position"] = 8
    one.apply(content)
    for name in ("products", "clients", "tenants", "users"):
        content[name].reverse()
    content["tenants"][0]["roles"].reverse()
    other.apply(content)
    assert to_yaml(export(one.provider)) == to_yaml(export(other.provider))


def test_an_export_names_its_schema_and_is_plain_yaml(desk: Desk) -> None:
    desk.apply(varied())
    text = to_yaml(export(desk.provider))
    assert text.startswith("# yaml-language-server: $schema=")
    loaded = yaml.safe_load(text)
    assert loaded["products"][0]["description"] == varied()["products"][0]["description"]


def test_an_export_says_nothing_of_what_only_machines_know(desk: Desk) -> None:
    desk.apply(small())
    text = to_yaml(export(desk.provider))
    ids = [row[0] for table in ("users", "tenants", "roles") for row in desk.dump()[table]]
    assert [each for each in ids if each in text] == []
    assert "created_at" not in text
    assert "password:" not in text
    assert "client_secret:" not in text
