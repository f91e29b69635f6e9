"""Importing people from a file, and a company's look, at the API."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import Client

from idp import worker
from idp.directory import imports
from idp.directory.acting import RECENT
from idp.directory.people_file import MAX_BYTES
from idp.directory.pictures import MAX_BYTES as MAX_LOGO
from tests.console.calling import Caller, person, tenants_machine
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.world import AMARA, BEN, HANA, World

IMPORTS = "/tenants/northwind/imports"
BRANDING = "/tenants/northwind/branding"
LOGO = f"{BRANDING}/logo"
CSV = "text/csv"
PEOPLE = (
    "email,kind,roles\n"
    "new@northwind.example,staff,agent\n"
    f"{BEN},staff,agent analyst\n"
    "no address,staff,agent\n"
    "boss@northwind.example,staff,no_such_role\n"
).encode()
LOOK = {"display_name": "Northwind", "accent": "#0f6b5c", "product_names": {"lms": "Loan desk"}}


@pytest.fixture
def amara(either_world: World) -> Caller:
    return person(either_world, AMARA)


def sent(caller: Caller, data: bytes = PEOPLE) -> str:
    made = caller.send(f"{IMPORTS}?locale=es", data, CSV)
    return f"{IMPORTS}/{told(made, 201)['id']}"


def work(world: World) -> None:
    while worker.import_people(world.held):
        pass


def test_a_file_is_tried_and_then_done(amara: Caller) -> None:
    world, here = amara.world, sent(amara)
    assert told(amara.get(here))["state"] == "checking"
    is_problem(amara.post(f"{here}/start"), 422)  # not tried yet
    work(world)
    tried = told(amara.get(here))
    assert (tried["state"], tried["total"], tried["outcomes"]) == ("checked", 4, {})
    assert tried["plans"] == {"invite": 1, "change": 1, "refuse": 2}
    assert world.audit("invitation.sent") == []
    assert told(amara.post(f"{here}/start", Idempotency_Key="go"))["state"] == "running"
    assert told(amara.post(f"{here}/start", Idempotency_Key="go"))["state"] == "running"
    is_problem(amara.post(f"{here}/start"), 422)
    is_problem(amara.post(f"{here}/drop"), 422)
    work(world)
    assert told(amara.get(here))["outcomes"] == {"invite": 1, "change": 1, "refuse": 2}
    assert len(world.audit("invitation.sent")) == 1


def test_its_lines_are_told_part_by_part(amara: Caller) -> None:
    world, here = amara.world, sent(amara)
    work(world)
    whole = told(amara.get(f"{here}/lines"))["items"]
    assert [each["number"] for each in whole] == [2, 3, 4, 5]
    assert [each["plan"] for each in whole] == ["invite", "change", "refuse", "refuse"]
    assert [bool(each["reason"]) for each in whole] == [False, False, True, True]
    first = told(amara.get(f"{here}/lines?limit=3"))
    rest = told(amara.get(f"{here}/lines?limit=3&cursor={first['next']}"))
    assert (first["items"] + rest["items"], rest["next"]) == (whole, None)
    assert told(amara.post(f"{here}/drop"))["state"] == "dropped"
    other = sent(amara)
    is_problem(amara.get(f"{other}/lines?limit=3&cursor={first['next']}"), 400)
    spanish = told(amara.get(f"{here}/lines", Accept_Language="es"))["items"]
    assert spanish[2]["reason"] not in (None, whole[2]["reason"])


def test_a_file_is_dropped_by_whoever_may_and_started_by_who_sent_it(amara: Caller) -> None:
    world = amara.world
    here = sent(amara)
    work(world)
    program = tenants_machine(world)
    is_problem(program.post(f"{here}/start"), 403)
    assert told(program.post(f"{here}/drop"))["state"] == "dropped"
    another = sent(amara)
    work(world)
    world.run("UPDATE grants SET shown_at = shown_at - :t", t=RECENT + 5)
    is_problem(amara.post(f"{another}/start"), 401)
    for path in (here, f"{here}/lines"):
        is_problem(person(world, scope="people.read").get(path), 403)
        is_problem(person(world, HANA, "harbor").get(path.replace("northwind", "harbor")), 404)


def test_one_import_is_open_at_a_time_and_it_is_told_which(amara: Caller) -> None:
    assert told(amara.get(IMPORTS))["items"] == []
    here = sent(amara)
    refused = is_problem(amara.send(IMPORTS, PEOPLE, CSV), 422)
    assert refused["errors"] == {"file": imports.ANOTHER}
    (found,) = told(amara.get(IMPORTS))["items"]
    assert found == told(amara.get(here))
    is_problem(person(amara.world, scope="people.read").get(IMPORTS), 403)
    harbor = person(amara.world, HANA, "harbor")
    assert told(harbor.get(IMPORTS.replace("northwind", "harbor")))["items"] == []


def test_what_is_no_file_of_people_is_not_taken(world: World) -> None:
    amara = person(world)
    for data, media_type, status in (
        (b"", CSV, 422),
        (b"name\nBen\n", CSV, 422),
        (b"email\n\xff\xfe\n", CSV, 422),
        (b"email\n", CSV, 422),
        (PEOPLE, "application/json", 415),
        (PEOPLE, "text/html", 415),
        (b"email\n" + b"x" * MAX_BYTES, CSV, 413),
    ):
        refused = is_problem(amara.send(IMPORTS, data, media_type), status)
        assert status != 422 or list(refused["errors"]) == ["file"]
    assert world.run("SELECT count(*) FROM people_imports") == [(0,)]


def picture(size: int = 32, form: str = "PNG") -> bytes:
    drawn = BytesIO()
    Image.new("RGB", (size, size), "teal").save(drawn, form)
    return drawn.getvalue()


def test_a_look_is_chosen_and_left(either_world: World) -> None:
    ours = tenants_machine(either_world)
    none: dict[str, Any] = {"display_name": "", "accent": "", "product_names": {}, "logo": None}
    assert told(ours.get(BRANDING)) == none
    assert told(ours.change("PUT", BRANDING, LOOK)) == {**none, **LOOK}
    is_problem(ours("PUT", BRANDING, {}), 428)
    tag = ours.get(BRANDING).headers["ETag"]
    assert told(ours("PUT", BRANDING, {}, If_Match=tag)) == none
    is_problem(ours("PUT", BRANDING, LOOK, If_Match=tag), 412)
    assert len(either_world.audit("branding.changed")) == 2


def test_a_logo_is_drawn_anew_kept_and_removed(either_world: World) -> None:
    ours = tenants_machine(either_world)
    told(ours.change("PUT", BRANDING, LOOK))
    is_problem(ours.send(LOGO, picture(), "image/png", "PUT"), 428)
    tag = ours.get(BRANDING).headers["ETag"]
    saved = ours.send(LOGO, picture(form="JPEG"), "image/jpeg", "PUT", If_Match=tag)
    logo = told(saved)["logo"]
    assert {name: told(saved)[name] for name in LOOK} == LOOK
    assert saved.headers["ETag"] == ours.get(BRANDING).headers["ETag"]
    issuer = either_world.held.settings.issuer
    shown = Client(either_world.app).get(logo.removeprefix(issuer))
    assert (shown.status_code, shown.mimetype) == (200, "image/png")
    is_problem(ours("DELETE", LOGO, If_Match=tag), 412)
    assert ours("DELETE", LOGO).status_code == 204
    assert told(ours.get(BRANDING)) == {**LOOK, "logo": None}
    is_problem(ours.get(LOGO), 405)


def test_a_look_that_can_not_be_shown_is_refused(world: World) -> None:
    ours = tenants_machine(world)
    for changed, field in (
        ({"accent": "teal"}, "accent"),
        ({"accent": "#ffffff"}, "accent"),
        ({"display_name": "x" * 61}, "display_name"),
        ({"product_names": {"lms": "x" * 61}}, "product-lms"),
        ({"product_names": {"nothing": "x"}}, "product-nothing"),
        ({"product_names": {"platform": "x"}}, "product-platform"),
        ({"product_names": {"lms": None}}, "product_names.lms"),
        ({"logo": "x"}, "logo"),
    ):
        refused = is_problem(ours.change("PUT", BRANDING, {**LOOK, **changed}), 422)
        assert list(refused["errors"]) == [field]
    assert told(ours.get(BRANDING))["display_name"] == ""


def test_what_is_no_logo_is_not_kept(world: World) -> None:
    ours, unable = tenants_machine(world), person(world, scope="people.read")
    vector = b'<svg xmlns="http://www.w3.org/2000/svg"/>'
    for data, media_type, status in (
        (vector, "image/png", 422),
        (vector, "image/svg+xml", 415),
        (b"", "image/png", 422),
        (picture(2001), "image/png", 422),
        (b"x" * (MAX_LOGO + 1), "image/png", 413),
    ):
        is_problem(ours.send(LOGO, data, media_type, "PUT", If_Match="*"), status)
    is_problem(unable.send(LOGO, picture(), "image/png", "PUT", If_Match="*"), 403)
    is_problem(unable("DELETE", LOGO), 403)
    is_problem(unable.get(BRANDING), 403)
    assert told(ours.get(BRANDING))["logo"] is None
