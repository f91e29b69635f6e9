"""What is typed by whoever opens an account: names, a company, a password."""

from __future__ import annotations

from typing import Any

import pytest

from idp.login import new_password
from tests.mailed import NEW
from tests.security.test_sec_44_enumeration import hashing_nothing
from tests.signing_up import (
    COMPANY,
    FREDA,
    NADIA,
    fill_in,
    is_somebody,
    link_for,
    requests_of,
    sign_up,
    state,
    verify_domain,
)
from tests.world import World


@pytest.mark.parametrize(
    "setting", [{"password_min_length": 40}, {"password_min_alnum": 20, "sign_up": "approval"}]
)
def test_the_password_is_as_the_company_of_the_domain_wants_it(
    either_world: World, setting: dict[str, Any]
) -> None:
    world = either_world
    verify_domain(world)
    state(world, **setting)
    short = "Quiet otters 57"
    answer = fill_in(world, link_for(world, NADIA), password=short)
    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text
    assert short not in answer.text
    assert not is_somebody(world, NADIA)
    assert fill_in(world, link_for(world, FREDA), password=short).status_code == 303


@pytest.mark.parametrize(
    "password",
    [
        "short",
        "aaaaaaaaaaaaaaa",
        "freda@fresh.example",
        "FreshFishSons1",
        "password1234",
        "x" * 1025,
    ],
)
def test_a_bad_password_is_refused_and_what_was_typed_is_kept(world: World, password: str) -> None:
    answer = fill_in(world, link_for(world, FREDA), password=password)
    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text
    assert 'value="Freda Fresh"' in answer.text
    assert "Fresh Fish &amp; Sons" in answer.text
    assert not is_somebody(world, FREDA)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "  "),
        ("name", "x" * 121),
        ("name", "a\u202eb"),
        ("name", "a\u0007b"),
        ("company", ""),
        ("company", "x" * 121),
        ("company", "Acme\u200b"),
        ("company", "North\u200dwind"),
        ("company", "\u200d"),
        ("name", "\u3164"),
        ("name", "A\u2800\u2800"),
        ("name", "\u0301\u0302"),
        ("name", "- . -"),
    ],
)
def test_a_name_that_nobody_can_read_is_refused(world: World, field: str, value: str) -> None:
    filled: dict[str, Any] = {"name": "Freda Fresh", "company": COMPANY, field: value}
    answer = fill_in(world, link_for(world, FREDA), **filled)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert not is_somebody(world, FREDA)
    assert world.run("SELECT count(*) FROM sign_up_links") == [(1,)]


@pytest.mark.parametrize(
    "name",
    [
        "Ng\u00f4 Th\u1ecb H\u1ed3ng",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "O'Neil 3.",
    ],
)
def test_a_name_of_any_script_is_taken(world: World, name: str) -> None:
    sign_up(world, FREDA, name=name)
    assert world.run("SELECT name FROM users WHERE email = :e", e=FREDA) == [(name,)]


def test_nothing_is_hashed_for_a_form_that_lacks_something(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_for(world, FREDA)
    hashing_nothing(monkeypatch)
    for lacking in ("name", "company"):
        filled: dict[str, Any] = {"name": "Freda", "company": COMPANY, lacking: ""}
        assert fill_in(world, link, **filled).status_code == 422
        twice = fill_in(world, link, **filled, password="aaaaaaaaaaaaaaa")
        assert 'id="password-error"' in twice.text
        assert f'id="{lacking}-error"' in twice.text


def test_who_belongs_elsewhere_by_now_sees_so_and_keeps_what_they_typed(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The domain became a company's while the password was hashed."""
    world = either_world
    link = link_for(world, FREDA)
    prepare = new_password.prepare

    def meanwhile(*given: Any) -> Any:
        verify_domain(world, "fresh.example", "harbor")
        return prepare(*given)

    monkeypatch.setattr(new_password, "prepare", meanwhile)
    browser = world.browser()
    again = fill_in(world, link, visitor=browser)
    assert again.status_code == 409
    assert "Look, and send it again." in again.text
    assert 'value="Freda Fresh"' in again.text
    assert "has to let you in" in again.text
    assert not is_somebody(world, FREDA)
    monkeypatch.undo()
    assert browser.submit(again, name="Freda Fresh", password=NEW).status_code == 303
    assert requests_of(world, FREDA) == ["waiting"]
