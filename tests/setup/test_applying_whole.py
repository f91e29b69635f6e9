"""A run is one thing: all of it or nothing, one event, and known to every process."""

import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from idp import audit
from idp.audit_chain import AuditEvent
from idp.directory.catalog_version import CatalogVersion
from idp.errors import SetupMistake, StoreUnavailable
from idp.setup import apply
from tests.setup.conftest import PASSWORD, SECRET, Desk, small, with_everything_changed


def events(desk: Desk) -> list[AuditEvent]:
    with desk.provider.database.session() as session:
        found = list(session.scalars(sa.select(AuditEvent).order_by(AuditEvent.id)))
        session.expunge_all()
    return found


def version(desk: Desk) -> int:
    with desk.provider.database.session() as session:
        return session.scalars(sa.select(CatalogVersion.version)).one()


def test_a_run_is_one_event_in_the_audit_log(desk: Desk) -> None:
    desk.apply(small())
    (event,) = events(desk)
    assert (event.tag, event.at) == ("setup.applied", desk.now)
    assert [change["name"] for change in event.detail["changes"]][:2] == ["loans", "acme"]
    content = small()
    content["tenants"][0]["name"] = "Acme & Sons"
    desk.apply(content)
    assert events(desk)[-1].detail == {
        "changes": [
            {
                "kind": "tenant",
                "name": "acme",
                "action": "update",
                "fields": {"name": ["Acme", "Acme & Sons"]},
            }
        ]
    }


@pytest.mark.parametrize(
    ("what", "change", "is_touched"),
    [
        ("products", {"color": "#000000"}, True),
        ("clients", {"first_party": True}, True),
        ("clients", {"client_secret": SECRET[::-1]}, True),
        ("tenants", {"name": "Acme & Sons"}, True),
        ("users", {"name": "Mia Berg"}, False),
        ("users", {}, False),
    ],
)
def test_other_processes_hear_of_what_they_hold(
    desk: Desk, what: str, change: dict[str, Any], is_touched: bool
) -> None:
    desk.apply(small())
    before = version(desk)
    content = small()
    content[what][0] |= change
    desk.apply(content)
    assert (version(desk) > before) == is_touched


def test_a_new_client_is_known_at_once(desk: Desk) -> None:
    assert "loans-web" not in desk.provider.catalog.current(desk.now).clients
    desk.apply(small())
    assert "loans-web" in desk.provider.catalog.current(desk.now + 1).clients


def late_mistake() -> dict[str, Any]:
    """Good until its last word."""
    content = with_everything_changed()
    content["clients"].append(
        {
            "client_id": "batch",
            "client_name": "Batch",
            "product": "loans",
            "grant_types": ["client_credentials"],
            "client_secret_file": "batch.secret",
        }
    )
    content["users"][0]["memberships"].append({"tenant": "acme2"})
    return content


def test_a_mistake_midway_takes_everything_back(desk: Desk) -> None:
    desk.apply(small())
    before = desk.dump()
    with pytest.raises(SetupMistake, match="acme2"):
        desk.apply(late_mistake())
    assert (desk.dump(), desk.files()) == (before, [])


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), RuntimeError("a bug")])
def test_a_failure_midway_takes_everything_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    desk.apply(small())
    before = desk.dump()

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(type(failure)):
        desk.apply(with_everything_changed())
    assert desk.dump() == before


def test_a_change_by_somebody_else_meanwhile_is_told_without_what_was_to_be_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply(small())
    before = desk.dump()
    taken = before["users"][0][0]
    monkeypatch.setattr("idp.setup.users.new_id", lambda: taken)
    another = {"email": "kai@acme.example", "name": "Kai", "password": PASSWORD}
    with pytest.raises(SetupMistake, match="apply it again") as caught:
        desk.apply({"users": [another]})
    assert desk.dump() == before
    shown = "".join(traceback.format_exception(caught.value))
    assert "kai@acme.example" not in shown


def test_applied_by_several_at_once_it_is_applied_once(
    new_desk: Callable[..., Desk], database_url: str
) -> None:
    desk = new_desk(database_url)
    content = small()
    del content["clients"][0]["client_secret"]
    content["clients"][0]["client_secret_file"] = "loans.secret"
    file = desk.read(content)

    def one(_: int) -> int:
        run = apply(desk.provider, file, desk.now, base_dir=desk.folder)
        return len(run.changes)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(one, range(4))) == [0, 0, 0, 7]
    assert len(events(desk)) == 1
    assert desk.files() == ["loans.secret"]
