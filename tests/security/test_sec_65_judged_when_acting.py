"""S65 and S57: who may do a thing is judged when it is done, however slowly it was sent."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

from werkzeug.test import EnvironBuilder, TestResponse
from werkzeug.wrappers import Response

from tests.console.access_story import SIGNED, Story
from tests.console.calling import Caller, person
from tests.world import AMARA, World

INVITATION = {"email": "new@x.example", "kind": "staff", "roles": ["agent"]}


class Slow:
    """While it is read for the first time, something happens."""

    def __init__(self, body: io.BytesIO, meanwhile: Callable[[], object]) -> None:
        self._body = body
        self._meanwhile: Callable[[], object] | None = meanwhile

    def read(self, size: int = -1) -> bytes:
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile:
            meanwhile()
        return self._body.read(size)


def slowly(world: World, sent: EnvironBuilder, meanwhile: Callable[[], object]) -> Response:
    environ = sent.get_environ()
    body = io.BytesIO(environ["wsgi.input"].read())
    return Response.from_app(world.app, {**environ, "wsgi.input": Slow(body, meanwhile)})


def called(caller: Caller) -> EnvironBuilder:
    sent = EnvironBuilder(
        "/api/v1/tenants/northwind/invitations",
        method="POST",
        data=json.dumps(INVITATION),
        content_type="application/json",
    )
    sent.headers["Authorization"] = f"Bearer {caller.token}"
    return sent


def disable(world: World) -> None:
    world.run("UPDATE users SET status = 'disabled' WHERE email = :email", email=AMARA)


def invitations(world: World) -> list[Any]:
    return list(world.run("SELECT email FROM invitations WHERE email = 'new@x.example'"))


def test_sec_65_a_token_that_ends_while_its_request_arrives_does_nothing(
    either_world: World,
) -> None:
    caller = person(either_world)
    refused = slowly(either_world, called(caller), lambda: disable(either_world))
    assert refused.status_code == 401, refused.get_data(as_text=True)
    assert invitations(either_world) == []


def test_sec_65_a_token_that_runs_out_while_its_request_arrives_does_nothing(
    world: World,
) -> None:
    caller = person(world)
    later = world.settings.access_token_lifetime + 1
    refused = slowly(world, called(caller), lambda: world.clock.move(later))
    assert refused.status_code == 401, refused.get_data(as_text=True)
    assert invitations(world) == []


def test_sec_65_a_session_that_ends_while_its_file_arrives_uploads_nothing(
    either_world: World,
) -> None:
    story = Story(either_world)
    story.ask()
    browser = either_world.browser()
    page = browser.enter(f"/manage/northwind/access/{story.id}")
    form = {"csrf_token": csrf_of(page), "form": (io.BytesIO(SIGNED), "form.pdf")}
    sent = EnvironBuilder(f"/manage/northwind/access/{story.id}/upload", method="POST", data=form)
    cookies = "; ".join(
        f"{cookie.key}={cookie.value}" for cookie in (browser.client._cookies or {}).values()
    )
    sent.headers["Cookie"] = cookies
    refused = slowly(either_world, sent, lambda: disable(either_world))
    assert refused.status_code == 303
    assert refused.headers["Location"].startswith("/authorize")
    assert list(either_world.run("SELECT id FROM documents")) == []


def csrf_of(page: TestResponse) -> str:
    return page.text.partition('name="csrf_token" value="')[2].partition('"')[0]


def test_sec_65_a_token_that_runs_out_while_its_file_arrives_uploads_nothing(
    either_world: World,
) -> None:
    sent = EnvironBuilder(
        "/api/v1/tenants/northwind/imports",
        method="POST",
        data=b"email,kind,roles\nnew@x.example,staff,agent\n",
        content_type="text/csv",
    )
    sent.headers["Authorization"] = f"Bearer {person(either_world).token}"
    later = either_world.settings.access_token_lifetime + 1
    refused = slowly(either_world, sent, lambda: either_world.clock.move(later))
    assert refused.status_code == 401, refused.get_data(as_text=True)
    assert list(either_world.run("SELECT id FROM people_imports")) == []
