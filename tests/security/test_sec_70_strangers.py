"""S70, S71: what a client that is not ours tells of itself is shown as its own words, and its logo
as a picture of ours (RFC 7591 section 2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image
from werkzeug.test import TestResponse

from idp import delivery, outbox, worker
from idp.directory.client_logos import MOST
from idp.directory.pictures import MAX_BYTES, MAX_SIDE
from idp.login import attempt as attempts
from idp.login.attempt import Attempt
from idp.oidc.client_information import in_language
from tests.security.browsing import reopened
from tests.security.consenting import changed, consent_page
from tests.security.device_flow import STRANGE, codes, enter
from tests.security.protocol import ASKING, Party, answer_to, is_refused, register
from tests.security.registering import HOSTS, SOUND, at_own, initial_token, post, registered
from tests.security.strangers_host import Host, hosting
from tests.world import AMARA, World

LOOPBACK = [*HOSTS, "127.0.0.1"]
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
UNCHECKED = "nobody here has checked them"


def picture(kind: str = "PNG", side: int = 40, color: str = "#0a6e5a", **more: Any) -> bytes:
    drawn = BytesIO()
    Image.new("RGB", (side, side), color).save(drawn, kind, **more)
    return drawn.getvalue()


def moving() -> bytes:
    second = Image.new("RGB", (40, 40), "#000")
    return picture("PNG", save_all=True, append_images=[second])


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    sound = {f"/{kind.lower()}": (200, picture(kind)) for kind in ("PNG", "JPEG", "WEBP")}
    bad = {
        "/svg": (200, SVG),
        "/gif": (200, picture("GIF")),
        "/page": (200, b"<!doctype html><script>alert(1)</script>"),
        "/empty": (200, b""),
        "/moving": (200, moving()),
        "/wide": (200, picture(side=MAX_SIDE + 1)),
        "/heavy": (200, picture() + b"\0" * MAX_BYTES),
        "/broken": (200, picture()[:60]),
        "/gone": (404, picture()),
        "/moved": (302, picture()),
        "/down": (503, picture()),
    }
    with hosting({**sound, **bad}, leads_to="/png") as made:
        yield made


def fetched(world: World) -> None:
    """All that waits, tried once."""
    senders = {outbox.LOGO: lambda message, _: worker.fetch_logo(world.held, message)}
    while delivery.deliver_due(
        world.held.database, senders, worker.watch, world.clock(), [outbox.logos]
    ):
        pass


def stranger(world: World, **told: Any) -> dict[str, Any]:
    """A client that registered itself, and what it had fetched of it."""
    made = registered(world, initial_token(world, redirect_hosts=LOOPBACK), **told)
    fetched(world)
    return made


def pages(world: World, told: dict[str, Any], locale: str = "en") -> list[TestResponse]:
    """Where one signs in for the client, and where one is asked."""
    party = Party(told["client_id"], told["token_endpoint_auth_method"], told)
    visitor = world.browser(**{"Accept-Language": locale})
    door = visitor.follow(
        visitor.authorize(party.client_id, redirect_uri=party.redirect_uri, scope="openid")
    )
    assert door.request.path == "/login/password"
    question = answer_to(visitor, party, AMARA, scope="openid")
    assert question.request.path == "/login/consent"
    return [door, question]


def logos(page: TestResponse) -> list[str]:
    return re.findall(r'<img[^>]* src="([^"]+)"', page.text)


def links(page: TestResponse) -> dict[str, str]:
    """Each link of the client's card, and its element."""
    card = page.text.partition('class="client"')[2].partition("</section>")[0]
    return {found[1]: found[0] for found in re.finditer(r'<a href="([^"]+)"[^>]*>', card)}


def stored(world: World) -> list[Any]:
    return list(world.run("SELECT uri FROM client_logos ORDER BY uri"))


def test_sec_71_a_logo_is_fetched_once_and_drawn_anew(either_world: World, host: Host) -> None:
    for kind in ("png", "jpeg", "webp"):
        asked = len(host.asked)
        token = initial_token(either_world, kind, redirect_hosts=LOOPBACK)
        told = registered(either_world, token, logo_uri=f"{host.origin}/{kind}")
        assert host.asked[asked:] == []  # nobody who registers waits for it
        assert all(logos(page) == [] for page in pages(either_world, told))
        fetched(either_world)
        assert host.asked[asked:] == [f"/{kind}"]
        for page in pages(either_world, told):
            (logo,) = logos(page)
            assert re.fullmatch(r"/logos/[0-9a-f]{64}\.png", logo)
            served = either_world.get(logo)
            assert (served.status_code, served.mimetype) == (200, "image/png")
            assert served.data != host.answers[f"/{kind}"][1]
            assert "sandbox" in served.headers["Content-Security-Policy"]
            assert host.origin not in page.text + page.headers["Content-Security-Policy"]
        assert host.asked[asked:] == [f"/{kind}"]
    assert either_world.run("SELECT count(*) FROM outbox WHERE kind = 'logo'") == [(0,)]


def test_sec_70_what_is_no_still_picture_of_a_sound_size_is_not_shown(
    world: World, host: Host
) -> None:
    bad = sorted(host.answers.keys() - {"/png", "/jpeg", "/webp"})
    for n, path in enumerate(bad):
        token = initial_token(world, f"token-{n}", redirect_hosts=LOOPBACK)
        registered(world, token, logo_uri=host.origin + path)
        fetched(world)
    assert stored(world) == []
    # What may be there later is tried again, and nothing else.
    (waiting,) = world.run("SELECT payload FROM outbox WHERE kind = 'logo'")
    assert f"{host.origin}/down" in waiting[0]
    assert logos(pages(world, stranger(world, logo_uri=host.origin + "/svg"))[1]) == []


def test_sec_71_nobody_inside_is_asked_for_a_logo(world: World, host: Host) -> None:
    asked = len(host.asked)
    guarded = reopened(world, replace(world.settings, outgoing_networks=""))
    port = host.origin.rpartition(":")[2]
    token = initial_token(guarded, redirect_hosts=["*"])
    for inside in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", "https://10.0.0.1"):
        registered(guarded, token, logo_uri=f"{inside}/png")
    fetched(guarded)
    assert (stored(guarded), len(host.asked)) == ([], asked)
    guarded.held.database.close()


def test_sec_71_a_logo_is_not_exchanged_for_another_one_later(world: World, host: Host) -> None:
    host.answers["/own"] = (200, picture(color="#ffffff"))
    told = stranger(world, logo_uri=f"{host.origin}/own")
    (first,) = logos(pages(world, told)[1])
    host.answers["/own"] = host.answers["/new"] = (200, picture(color="#ff0000"))
    asked = len(host.asked)
    members = {**SOUND, "client_id": told["client_id"]}
    own = {"logo_uri": f"{host.origin}/own", "policy_uri": "https://app.example/policy"}
    assert at_own(world, told, "PUT", {**members, **own}).status_code == 200
    fetched(world)
    assert len(host.asked) == asked
    assert logos(pages(world, told)[1]) == [first]
    new = {"logo_uri": f"{host.origin}/new"}
    assert at_own(world, told, "PUT", {**members, **new}).status_code == 200
    assert stored(world) == []
    fetched(world)
    world.clock.move(2)
    assert logos(pages(world, told)[1]) != [first]
    assert stored(world) == [(f"{host.origin}/new",)]
    assert at_own(world, told, "PUT", members).status_code == 200
    assert stored(world) == []


def test_sec_71_what_is_named_no_more_when_it_comes_is_not_kept(world: World, host: Host) -> None:
    token = initial_token(world, "first", redirect_hosts=LOOPBACK)
    for change in ("PUT", "DELETE"):
        told = registered(world, token, logo_uri=f"{host.origin}/png")
        members = {**SOUND, "client_id": told["client_id"]} if change == "PUT" else None
        assert at_own(world, told, change, members).status_code in (200, 204)
        fetched(world)
        assert stored(world) == []
    gone = stranger(world, logo_uri=f"{host.origin}/png")
    assert len(stored(world)) == 1
    assert at_own(world, gone, "DELETE").status_code == 204
    assert stored(world) == []


def test_sec_71_of_many_addresses_a_few_are_fetched(world: World, host: Host) -> None:
    tags = [f"{first}{second}" for first in "abcde" for second in "abcde"]
    asked = len(host.asked)
    host.answers |= {f"/{tag}": (200, picture()) for tag in tags}
    stranger(world, **{f"logo_uri#{tag}": f"{host.origin}/{tag}" for tag in tags})
    assert (len(host.asked) - asked, len(stored(world))) == (MOST, MOST)


def test_sec_70_a_stranger_s_words_are_said_to_be_its_own(world: World) -> None:
    https = {
        name: f"https://app.example/{name}" for name in ("client_uri", "policy_uri", "tos_uri")
    }
    told = stranger(world, **https)
    for page in pages(world, told):
        assert UNCHECKED in page.text
        assert "<span>app.example</span>" in page.text
        shown = links(page)
        assert set(shown) == set(https.values())
        for element in shown.values():
            assert 'target="_blank" rel="noopener noreferrer"' in element
    register(world, changed(information={"policy_uri": "https://asking.example/privacy"}))
    visitor = world.browser()
    page = answer_to(visitor, ASKING, AMARA)
    assert UNCHECKED not in page.text
    assert set(links(page)) == {"https://asking.example/privacy"}
    first_partys = world.browser()
    assert 'class="client"' not in first_partys.follow(first_partys.authorize()).text


def test_sec_70_only_https_is_led_to(world: World) -> None:
    loopback = "http://127.0.0.1/x"
    told = stranger(world, client_uri=loopback, policy_uri=loopback, tos_uri=loopback)
    for page in pages(world, told):
        assert links(page) == {}
        assert loopback not in page.text
    token = initial_token(world, "more", redirect_hosts=["*"])
    for uri in ("javascript:alert(1)", "data:text/html,x", "http://app.example/x", "//x.example"):
        for member in ("client_uri", "policy_uri#es", "tos_uri", "logo_uri#es"):
            assert is_refused(post(world, token, {**SOUND, member: uri}), "invalid_client_metadata")


def test_what_is_told_in_a_language_is_shown_in_it(world: World, host: Host) -> None:
    host.answers["/espejo"] = (200, picture(color="#aa0000"))
    told = stranger(
        world,
        **{
            "client_name#es-MX": "Una aplicación",
            "client_name#fr": "Une application",
            "policy_uri": "https://app.example/privacy",
            "policy_uri#ES": "https://app.example/privacidad",
            "logo_uri": f"{host.origin}/png",
            "logo_uri#es": f"{host.origin}/espejo",
        },
    )
    english, spanish = pages(world, told), pages(world, told, "es")
    for page in english:
        assert "An app" in page.text
        assert set(links(page)) == {"https://app.example/privacy"}
    for page in spanish:
        assert "Una aplicación" in page.text
        assert "An app" not in page.text
        assert set(links(page)) == {"https://app.example/privacidad"}
    assert "aquí nadie los ha comprobado" in spanish[1].text
    assert logos(english[1]) != logos(spanish[1]) != []
    visitor = world.browser(**{"Accept-Language": "es"})
    party = Party(told["client_id"], told["token_endpoint_auth_method"], told)
    visitor.follow(visitor.submit(answer_to(visitor, party, AMARA), decision="allow"))
    assert "Una aplicación" in visitor.get("/account/products").text


@pytest.mark.parametrize(
    ("told", "language", "found"),
    [
        ({"client_name": "An app"}, "es", "An app"),
        ({"client_name": "An app", "client_name#ES": "App"}, "es", "App"),
        ({"client_name#es-MX": "Mex", "client_name#es-419": "Lat"}, "es", "Lat"),
        ({"client_name#es-419": "Lat", "client_name#es": "App"}, "es", "App"),
        ({"client_name": "An app", "client_name#est": "Eesti"}, "es", "An app"),
        ({"client_name#fr": "Une app"}, "es", None),
        ({"logo_uri#es": "x"}, "es", None),
    ],
)
def test_the_nearest_language_is_taken(told: dict[str, str], language: str, found: str) -> None:
    assert in_language(told, "client_name", language) == found


@pytest.mark.parametrize(
    "name", ["An\u202eapp", "An\u200bapp", "\u3164", "...", "A\u00adpp", "App" + "\u0336" * 7]
)
def test_sec_70_a_stranger_s_name_can_be_seen_whole(world: World, name: str) -> None:
    token = initial_token(world)
    for member in ("client_name", "client_name#es"):
        answer = post(world, token, {**SOUND, member: name})
        assert is_refused(answer, "invalid_client_metadata"), member


def test_a_device_s_question_shows_the_same_but_no_host(world: World) -> None:
    information = {"policy_uri": "https://till.example/privacy"}
    register(world, replace(STRANGE, form={**STRANGE.form, "information": information}))
    visitor = world.browser()
    door = enter(visitor, codes(world, STRANGE)["user_code"])
    for page in (door, visitor.follow(visitor.submit(door, email=AMARA, password="x"))):
        assert set(links(page)) == {"https://till.example/privacy"}
        assert ".example</span>" not in page.text


def test_an_attempt_that_an_older_release_began_can_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It tells of no details."""
    ask_to_allow: Callable[..., Attempt] = Attempt.ask_to_allow

    def as_before(self: Attempt, *args: Any, **more: Any) -> Attempt:
        asked = ask_to_allow(self, *args, **more)
        return replace(asked, to_allow={n: v for n, v in asked.to_allow.items() if n != "details"})

    monkeypatch.setattr(attempts.Attempt, "ask_to_allow", as_before)
    visitor, page = consent_page(world)
    monkeypatch.undo()
    assert visitor.get(page.request.full_path).status_code == 200
    answer = visitor.follow(visitor.submit(page, decision="allow"))
    assert "code=" in answer.headers["Location"] or answer.request.path == "/login/consent"


def test_nothing_else_that_waits_is_held_up_by_a_logo(world: World, host: Host) -> None:
    registered(world, initial_token(world, redirect_hosts=LOOPBACK), logo_uri=f"{host.origin}/png")
    database, now = world.held.database, world.clock()
    lanes = [lane for lane in outbox.LANES if lane is not outbox.logos]
    assert outbox.LOGO not in {each.kind for lane in lanes for each in lane(database, now)}
    assert [each.kind for each in outbox.logos(database, now)] == [outbox.LOGO]
    assert set(worker.THREADS) == set(outbox.LANES)
