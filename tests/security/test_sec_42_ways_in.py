"""S42: a stranger who uses up somebody's tries takes nothing from them but the stranger's own way:
a passkey, a browser of theirs, an open session and a letter all go on; and nobody can tell an
address that exists from one that does not by how it locks."""

from __future__ import annotations

import pytest

from tests.console.people_of import letters
from tests.flows.test_passkey_sign_in import REFUSED, Device
from tests.mailed import temporary_for
from tests.passkeys_of import Keys
from tests.security.browsing import SignInForm
from tests.security.test_sec_42_devices import HALF_AN_HOUR, WRONG, known_browser, try_in
from tests.security.test_sec_44_enumeration import told
from tests.world import AMARA, BEN, PASSWORD, VICTOR, World, claims_of, sent_back

NOBODY = "nobody@northwind.example"


class Stranger:
    """Somebody in another network, with a browser that nobody has signed in with."""

    def __init__(self, world: World) -> None:
        self.form = SignInForm(world)
        self.form.from_here = {"REMOTE_ADDR": "198.51.100.66"}

    def lock(self, email: str = AMARA) -> None:
        for _ in range(8):
            assert self.form.send(email, WRONG).status_code == 400

    def gets_in(self, email: str = AMARA) -> bool:
        return self.form.send(email, PASSWORD).status_code == 303


@pytest.fixture
def passkey(either_world: World) -> Device:
    """Amara's, in a browser that she has never signed in with."""
    return Device(either_world)


@pytest.fixture
def stranger(either_world: World) -> Stranger:
    return Stranger(either_world)


def test_sec_42_the_owner_gets_in_by_a_passkey(
    either_world: World, passkey: Device, stranger: Stranger
) -> None:
    stranger.lock()
    assert not stranger.gets_in(), "not even with the right one"
    code = sent_back(passkey.sign_in(passkey.open()))["code"]
    claims = claims_of((either_world.redeem(code).json or {})["id_token"])
    assert (claims["sub"], claims["acr"]) == (Keys(either_world).person.id, "phr")
    assert not stranger.gets_in(), "and what is paused stays so"


def test_sec_42_a_passkey_makes_the_browser_known_for_the_password_too(
    either_world: World, passkey: Device, stranger: Stranger
) -> None:
    stranger.lock()
    assert not try_in(passkey.browser, PASSWORD)
    passkey.sign_in(passkey.open())
    assert try_in(passkey.browser, PASSWORD)
    assert not stranger.gets_in()


def test_sec_42_a_passkey_opens_the_account_and_its_pages(
    either_world: World, passkey: Device, stranger: Stranger
) -> None:
    stranger.lock()
    passkey.sign_in(passkey.open())
    for path in ("/account", "/account/security", "/account/sessions", "/account/password"):
        assert passkey.browser.get(path).status_code == 200, path


def test_sec_42_wrong_passkeys_use_up_no_password(either_world: World, passkey: Device) -> None:
    for _ in range(8):
        answer = passkey.sign_in(passkey.open(), signed=b"x")
        assert (answer.status_code, REFUSED in answer.text) == (400, True)
    assert Stranger(either_world).gets_in()
    assert either_world.audit("sign_in.locked") == []
    assert "code" in sent_back(passkey.sign_in(passkey.open())), "nor a passkey"


def test_sec_42_a_browser_of_theirs_gets_in_by_the_password(
    either_world: World, stranger: Stranger
) -> None:
    known = known_browser(either_world)
    known.client.delete_cookie("latchkey-session")
    stranger.lock()
    assert not stranger.gets_in()
    assert try_in(known, PASSWORD)


def test_sec_42_what_is_open_stays_open(either_world: World, stranger: Stranger) -> None:
    world, browser = either_world, either_world.browser()
    tokens = browser.tokens(scope="openid offline_access")
    stranger.lock()
    assert sent_back(browser.authorize("payments", prompt="none"))["code"]
    assert browser.get("/account").status_code == 200
    assert world.userinfo(tokens["access_token"]).status_code == 200
    assert world.introspect(tokens["access_token"])["active"]
    assert world.refresh(tokens["refresh_token"]).status_code == 200


def test_sec_42_the_owner_is_told_once_and_gets_in_by_a_forgotten_password(
    either_world: World, stranger: Stranger
) -> None:
    world = either_world
    stranger.lock()
    assert [each["to"] for each in letters(world) if each["template"] == "locked"] == [AMARA]
    temporary = temporary_for(world)
    world.clock.move(1)
    page = world.browser().sign_in(AMARA, temporary)
    assert "was a temporary one" in page.text


@pytest.mark.parametrize("other", [NOBODY, VICTOR, "no-address"])
def test_sec_42_whoever_it_is_locks_identically(
    either_world: World, stranger: Stranger, other: str
) -> None:
    """Through the pause and past its end: the same tries, the same answers, the same marks."""
    world, seen = either_world, {}
    for email in (BEN, other):
        said = [told(stranger.form.send(email, WRONG), email) for _ in range(7)]
        [(number, until)] = world.run(
            "SELECT failed, paused_until FROM attempt_limits WHERE key LIKE 'password:%'"
        )
        world.run("DELETE FROM attempt_limits")
        seen[email] = (said, number, until)
    assert seen[BEN] == seen[other]
    world.clock.move(HALF_AN_HOUR)
    later = [[told(stranger.form.send(email, WRONG), email)] * 7 for email in (BEN, other)]
    assert later[0] == later[1] == seen[BEN][0]
    assert len(world.audit("sign_in.locked")) == 2
