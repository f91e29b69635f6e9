"""Which accounts nobody can sign in to any more, since their address is none by today's rules."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from idp.commands import database
from idp.directory import lost_addresses
from tests.world import PASSWORD, World

LOST = (
    *("u@foo_bar.example", "u@-a.example", "u@a-.example", "u@ab--c.example", "u@10.0.0.1"),
    *("u@localhost", "u@fresh.example.", "u@☃.net", "u@xn--n3h.net", "=?utf-8?q?u?=@fresh.example"),
    *("u!@fresh!.example", f"u@{'a' * 64}.example", '"u"@fresh.example'),
)
SOUND = (
    *("u@fresh.example", "u+tag@sub.fresh-fish.example", "u@xn--strae-oqa.example"),
    *("ü@fresh.example", "o'hara@fresh.example", "u_v@a--b.example"),
)


def add(world: World, addresses: tuple[str, ...]) -> list[str]:
    """The ids of accounts that have them, as an older version kept them."""
    for number, address in enumerate(addresses):
        email = f"user-{number}@kept.example"
        world.apply(users=[{"email": email, "name": "U", "password": PASSWORD}])
        world.run(
            "UPDATE users SET email = :a, email_canonical = :a WHERE email = :e", a=address, e=email
        )
    found = dict(map(tuple, world.run("SELECT email, id FROM users")))
    return sorted(found[address] for address in addresses)


def test_those_whose_address_is_none_today_are_found(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_addresses, "_NEXT", lost_addresses._NEXT.limit(4))
    monkeypatch.setattr(lost_addresses, "BATCH", 4)
    assert lost_addresses.find(either_world.held.database) == []
    add(either_world, SOUND)
    assert lost_addresses.find(either_world.held.database) == []
    lost = add(either_world, LOST)
    assert lost_addresses.find(either_world.held.database) == lost


@pytest.mark.parametrize("typed", ["u@fresh.example", "u@straße.example"])
def test_so_are_those_whose_form_of_today_is_anothers(either_world: World, typed: str) -> None:
    """Whoever types it means the other one."""
    [kept] = add(either_world, ("u@strasse.example",))
    either_world.run("UPDATE users SET email = 'U@Strasse.example' WHERE id = :k", k=kept)
    assert lost_addresses.find(either_world.held.database) == []
    either_world.run("UPDATE users SET email = :t WHERE id = :k", t=typed, k=kept)
    assert lost_addresses.find(either_world.held.database) == [kept]


def test_an_upgrade_says_how_many_and_which(
    either_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_database", lambda: either_world.held.database)
    said = CliRunner().invoke(database.db, ["upgrade"])
    assert (said.exit_code, said.output) == (0, "The database has the newest schema.\n")
    lost = add(either_world, LOST[:2])
    said = CliRunner().invoke(database.db, ["upgrade"])
    assert said.exit_code == 0
    assert "2 accounts have an address that leads to nobody by today's rules" in said.output
    assert said.output.endswith(f"Their ids: {', '.join(lost)}\n")
    either_world.run("UPDATE alembic_version SET version_num = '9999'")
    said = CliRunner().invoke(database.db, ["upgrade"])
    assert said.output.startswith("The database is at revision 9999, newer than this version's")
