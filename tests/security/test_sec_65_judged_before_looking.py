"""S65 and S74: what somebody sends is looked at when it is known that they may send it, and their
right is judged once more when it is kept."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from idp.directory import branding, documents, people_file
from tests.console.access_story import SIGNED, Story
from tests.console.administering import with_roles
from tests.console.calling import person, tenants_machine
from tests.world import AMARA, BEN, HANA, World

CSV = b"email\nnew@x.example\n"
READER = {"reader": {"rank": 5, "permissions": {"console": ["audit.read"]}}}

Look = Callable[..., Any]


def logo() -> bytes:
    kept = io.BytesIO()
    Image.new("RGB", (8, 8)).save(kept, "PNG")
    return kept.getvalue()


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was looked at, by whichever examiner."""
    seen: list[str] = []

    def watch(place: Any, name: str) -> None:
        look: Look = getattr(place, name)

        def watched(*given: Any) -> Any:
            seen.append(name)
            return look(*given)

        monkeypatch.setattr(place, name, watched)

    for place, name in ((documents, "kind_of"), (people_file, "read"), (branding, "drawn_anew")):
        watch(place, name)
    return seen


def files(request_id: str) -> dict[str, tuple[str, str, bytes, str, str]]:
    """Examiner -> the page and its field, what is sent, the API's address and media type."""
    return {
        "kind_of": (
            *(f"access/{request_id}/upload", "form", SIGNED),
            *(f"POST access-requests/{request_id}/upload", "application/pdf"),
        ),
        "read": ("imports/new", "file", CSV, "POST imports", "text/csv"),
        "drawn_anew": ("branding", "logo", logo(), "PUT branding/logo", "image/png"),
    }


def by_page(world: World, email: str, path: str, field: str, data: bytes) -> TestResponse:
    browser = world.browser()
    browser.enter("/manage/harbor" if email == HANA else "/manage/northwind", email)
    page = browser.get("/account")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = {"csrf_token": token, field: (io.BytesIO(data), "a-file")}
    return browser.client.post(f"/manage/northwind/{path}", data=sent)


@pytest.mark.parametrize("examiner", ["kind_of", "read", "drawn_anew"])
@pytest.mark.parametrize("email", [BEN, HANA])
def test_sec_65_no_page_looks_at_what_comes_without_the_right(
    either_world: World, looked: list[str], examiner: str, email: str
) -> None:
    """Of somebody whose roles allow something else, and of another company's account admin."""
    story = Story(either_world).ask()
    with_roles(either_world, BEN, READER)
    path, field, data, *_ = files(story.id)[examiner]
    refused = by_page(either_world, email, path, field, data)
    assert refused.status_code in (403, 404), refused.text
    assert looked == []


@pytest.mark.parametrize("examiner", ["kind_of", "read", "drawn_anew"])
def test_sec_65_the_api_looks_at_nothing_that_comes_without_the_right(
    either_world: World, looked: list[str], examiner: str
) -> None:
    story = Story(either_world).ask()
    *_, address, media_type = files(story.id)[examiner]
    data = files(story.id)[examiner][2]
    method, path = address.split()
    callers = [person(either_world, scope="audit.read"), person(either_world, HANA, "harbor")]
    if examiner != "drawn_anew":
        callers.append(tenants_machine(either_world))
    for caller in callers:
        answer = caller.send(f"/tenants/northwind/{path}", data, media_type, method)
        assert answer.status_code in (403, 404), answer.text
    assert looked == []


def test_sec_65_nothing_is_looked_at_for_a_request_that_is_not_there(
    either_world: World, looked: list[str]
) -> None:
    path = "/tenants/northwind/access-requests/no-such-request/upload"
    sent = person(either_world).send(path, SIGNED, "application/pdf")
    assert (sent.status_code, looked) == (404, [])
    page = by_page(either_world, AMARA, "access/no-such-request/upload", "form", SIGNED)
    assert (page.status_code, looked) == (404, [])


def test_sec_65_whoever_may_has_it_looked_at_once(either_world: World, looked: list[str]) -> None:
    story = Story(either_world).ask()
    for path, field, data, *_ in files(story.id).values():
        assert by_page(either_world, AMARA, path, field, data).status_code == 303 or field == "logo"
    assert looked[:2] == ["kind_of", "read"]


@pytest.mark.parametrize("by", ["page", "api"])
def test_sec_65_a_right_that_goes_while_it_is_looked_at_keeps_nothing(
    either_world: World, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    story = Story(either_world).ask()
    examined: Any = documents
    kind_of, caller = examined.kind_of, person(either_world)

    def slow(data: bytes) -> Any:
        either_world.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=AMARA)
        return kind_of(data)

    monkeypatch.setattr(examined, "kind_of", slow)
    if by == "page":
        path = f"access/{story.id}/upload"
        assert "/authorize" in by_page(either_world, AMARA, path, "form", SIGNED).location
    else:
        path = f"/tenants/northwind/access-requests/{story.id}/upload"
        assert caller.send(path, SIGNED, "application/pdf").status_code == 401
    assert either_world.run("SELECT count(*) FROM documents") == [(0,)]
