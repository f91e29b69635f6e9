"""Importing people: tried line by line, then done, by what the admin may do by hand."""

from __future__ import annotations

import csv
import io
from collections import Counter
from functools import partial

import pytest

from idp.directory import imports, people_file
from idp.directory.acting import RECENT, Forbidden, Mistake, RecentSignInNeeded
from idp.directory.importing import BATCH
from idp.worker import import_people
from tests.console.administering import administering
from tests.console.people_of import add_clerk, administration, letters, member_id, roles
from tests.storage.crew import threads_at_once
from tests.world import AMARA, BEN, DANA, HANA, World

FILE = f"""email,kind,roles,name
ana@x.example,staff,agent,Ana
bo@x.example,customer,borrower,Bo
not an address,staff,agent,Nobody
ana@x.example,staff,analyst,Ana again
{BEN},staff,"analyst; agent",Ben
{DANA},staff,agent analyst payments_officer,Dana
cy@x.example,boss,agent,Cy
di@x.example,staff,no_such_role,Di
{AMARA},staff,agent,Amara
"""
EXPECTED = {
    2: "invite",
    3: "invite",
    4: "refuse",
    5: "refuse",
    6: "change",
    7: "same",
    8: "refuse",
    9: "refuse",
    10: "refuse",
}


def upload(world: World, text: str = FILE, email: str = AMARA) -> str:
    with administering(world, email) as admin:
        return imports.upload(admin, text.encode(), "en")


def work(world: World) -> None:
    while import_people(world.held):
        world.clock.move(1)


def came_to(world: World, made: str, field: str) -> dict[int, str | None]:
    with administration(world) as admin:
        return {line.number: getattr(line, field) for line in imports.lines(admin, made)}


def start(world: World, made: str, email: str = AMARA) -> None:
    with administering(world, email) as admin:
        imports.start(admin, made)


def test_a_file_is_tried_line_by_line_and_changes_nothing(either_world: World) -> None:
    made = upload(either_world)
    work(either_world)
    assert came_to(either_world, made, "plan") == EXPECTED
    with administration(either_world) as admin:
        progress = imports.progress(admin, made)
    assert progress.state == imports.CHECKED
    assert (progress.total, progress.plans) == (
        9,
        {"invite": 2, "change": 1, "same": 1, "refuse": 5},
    )
    assert letters(either_world) == []
    assert roles(either_world, BEN) == {"agent"}
    tags = {event["tag"] for event in either_world.audit()}
    assert not tags & {"invitation.sent", "person.roles_changed", "import.line_done"}


def test_then_it_does_what_it_said_and_no_error_stops_the_others(either_world: World) -> None:
    made = upload(either_world)
    work(either_world)
    start(either_world, made)
    work(either_world)
    assert came_to(either_world, made, "outcome") == EXPECTED
    assert roles(either_world, BEN) == {"agent", "analyst"}
    assert roles(either_world, AMARA) == {"account_admin"}
    to = sorted(letter["to"] for letter in letters(either_world))
    assert to == ["ana@x.example", BEN, "bo@x.example"]
    assert len(either_world.audit("import.line_done")) == 9
    assert len(either_world.audit("invitation.sent")) == 2
    with administering(either_world) as admin, pytest.raises(Mistake):
        imports.start(admin, made)


def test_a_line_may_do_no_more_than_its_admin_by_hand(either_world: World) -> None:
    add_clerk(either_world, BEN)
    text = f"email,roles\neve@x.example,account_admin\n{AMARA},agent\nfay@x.example,agent\n"
    made = upload(either_world, text, BEN)
    work(either_world)
    assert came_to(either_world, made, "plan") == {2: "refuse", 3: "refuse", 4: "invite"}
    start(either_world, made, BEN)
    either_world.run(  # demoted while it waits
        "DELETE FROM membership_roles WHERE membership_id = :m AND role_id IN"
        " (SELECT id FROM roles WHERE key = 'clerk')",
        m=member_id(either_world, BEN),
    )
    work(either_world)
    assert set(came_to(either_world, made, "outcome").values()) == {"refuse"}
    assert letters(either_world) == []
    assert roles(either_world, AMARA) == {"account_admin"}


def test_a_company_has_one_open_import_at_a_time(either_world: World) -> None:
    """It is checked, or waits to be started, or runs."""
    made = upload(either_world)
    for go_on in (work, partial(start, made=made)):
        assert_there_is_room_for_no_other(either_world, made)
        go_on(either_world)
    assert_there_is_room_for_no_other(either_world, made)
    work(either_world)
    dropped = upload(either_world)
    work(either_world)
    with administering(either_world) as admin:
        imports.drop(admin, dropped)
        assert imports.open_one(admin) is None
    assert upload(either_world)


def assert_there_is_room_for_no_other(world: World, made: str) -> None:
    with pytest.raises(Mistake) as refused:
        upload(world)
    assert refused.value.errors == {"file": imports.ANOTHER}
    with administering(world) as admin:
        assert imports.open_one(admin) == made
    with administering(world, HANA, "harbor") as admin:
        assert imports.open_one(admin) is None


def test_of_many_files_that_are_sent_at_once_one_is_taken(either_world: World) -> None:
    def send(number: int) -> str:
        try:
            return upload(either_world, f"email\np{number}@x.example\n")
        except Mistake as mistake:
            return mistake.errors["file"]

    came = Counter(threads_at_once(send, 12))
    assert came.pop(imports.ANOTHER) == 11
    assert list(either_world.run("SELECT id, state FROM people_imports")) == [
        (*came, imports.CHECKING)
    ]
    assert either_world.run("SELECT count(*) FROM people_import_lines") == [(1,)]


def test_the_page_for_a_file_leads_to_the_open_import(world: World) -> None:
    made = upload(world)
    page = world.browser().enter("/manage/northwind/imports/new")
    assert f'href="/manage/northwind/imports/{made}"' in page.text


def test_who_may_not_manage_people_imports_nobody(either_world: World) -> None:
    made = upload(either_world)
    for act in (
        lambda admin: imports.upload(admin, FILE.encode(), "en"),
        lambda admin: imports.start(admin, made),
        lambda admin: imports.drop(admin, made),
        lambda admin: imports.progress(admin, made),
        lambda admin: imports.lines(admin, made),
        imports.open_one,
    ):
        with (
            administration(either_world, may=frozenset({"people.read"})) as admin,
            pytest.raises(Forbidden),
        ):
            act(admin)


def test_starting_wants_a_recent_sign_in_and_a_finished_trial(either_world: World) -> None:
    made = upload(either_world)
    with administering(either_world) as admin, pytest.raises(Mistake):
        imports.start(admin, made)
    work(either_world)
    with administering(either_world) as admin:
        object.__setattr__(admin, "now", admin.now + RECENT + 1)
        with pytest.raises(RecentSignInNeeded):
            imports.start(admin, made)
    with administering(either_world) as admin:
        imports.drop(admin, made)
    assert [event["import"] for event in either_world.audit("import.dropped")] == [made]
    with administering(either_world) as admin, pytest.raises(Mistake):
        imports.start(admin, made)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"name,kind\nAna,staff\n",
        b"email,email\na@b.example,c@d.example\n",
        b"email\n",
        b"email\n\x00a@b.example\n",
        b'email\n"a@b.example\n',
        b"email\n" + b"a@b.example\n" * (people_file.MAX_LINES + 1),
        b"x" * (people_file.MAX_BYTES + 1),
    ],
)
def test_a_file_that_is_none_is_refused_whole(data: bytes) -> None:
    with pytest.raises(Mistake):
        people_file.read(data)


def test_a_file_may_come_from_any_spreadsheet() -> None:
    text = "\ufeffRoles;E-Mail;EMAIL\r\nagent,analyst;x;a@b.example\r\n;;\r\n"
    (line,) = people_file.read(text.encode())
    assert line == (2, "a@b.example", "staff", ["agent", "analyst"])


def test_nothing_in_the_report_is_a_formula(either_world: World) -> None:
    """S70: not even what somebody put into the file."""
    made = upload(either_world, "email,kind\n=cmd|' /C calc'!A0,@SUM(1)\n+1,-1\n")
    work(either_world)
    page = either_world.browser().enter(f"/manage/northwind/imports/{made}/report.csv")
    assert page.headers["Content-Disposition"].startswith("attachment")
    rows = list(csv.reader(io.StringIO(page.text)))
    assert len(rows) == 3
    assert all(not cell.startswith(people_file.FORMULA) for row in rows for cell in row)


def test_the_page_looks_again_until_it_is_done(world: World) -> None:
    browser = world.browser()
    form = browser.enter("/manage/northwind/imports/new")
    token = form.text.split('name="csrf_token" value="')[1].split('"')[0]
    sent = browser.client.post(
        "/manage/northwind/imports/new",
        data={"csrf_token": token, "file": (io.BytesIO(FILE.encode()), "people.csv")},
    )
    page = browser.follow(sent)
    assert page.headers["Refresh"] == "2"
    assert "1 of 9 lines" in page.text
    work(world)
    checked = browser.get(page.request.path)
    assert "Refresh" not in checked.headers
    assert "This address stands in the file twice." in checked.text
    running = browser.follow(browser.submit(checked, f"{page.request.path}/start"))
    assert running.headers["Refresh"] == "2"
    work(world)
    assert "What this import has done" in browser.get(page.request.path).text


def test_a_file_of_nobody_is_told_on_the_page(world: World) -> None:
    browser = world.browser()
    page = browser.submit(browser.enter("/manage/northwind/imports/new"))
    assert page.status_code == 422
    assert "The first line must name the columns" in page.text


def test_a_large_file_is_read_from_who_is_signed_in_alone(world: World) -> None:
    large = {"file": (io.BytesIO(b"email\n" + b"a@b.example\n" * 20_000), "people.csv")}
    stranger = world.browser().client.post("/manage/northwind/imports/new", data=large)
    assert stranger.status_code == 413


def test_whoever_left_is_invited_like_anybody(either_world: World) -> None:
    of_ben = "user_id = (SELECT id FROM users WHERE email = :email)"
    either_world.run(f"UPDATE memberships SET status = 'ended' WHERE {of_ben}", email=BEN)
    made = upload(either_world, f"email,kind,roles,name\n{BEN},staff,agent,Ben\n")
    work(either_world)
    assert came_to(either_world, made, "plan") == {2: "invite"}


def test_a_long_import_keeps_no_other_company_waiting(either_world: World) -> None:
    """A batch of each in turn."""
    lines = "".join(f"p{number}@x.example,staff,agent\n" for number in range(3 * BATCH))
    first = upload(either_world, f"email,kind,roles\n{lines}")
    assert import_people(either_world.held)
    either_world.clock.move(1)
    with administering(either_world, HANA, "harbor") as admin:
        other = imports.upload(admin, b"email,kind,roles\nq@x.example,staff,agent\n", "en")
    for _turn in range(2):
        assert import_people(either_world.held)
        either_world.clock.move(1)
    states = dict(map(tuple, either_world.run("SELECT id, state FROM people_imports")))
    assert states == {first: imports.CHECKING, other: imports.CHECKED}
    with administering(either_world, HANA, "harbor") as admin:
        imports.drop(admin, other)
        last = imports.upload(admin, b"email,kind,roles\nr@x.example,staff,agent\n", "en")
    assert import_people(either_world.held)
    either_world.clock.move(1)
    states = dict(map(tuple, either_world.run("SELECT id, state FROM people_imports")))
    assert states[last] == imports.CHECKED
    assert states[first] == imports.CHECKING
