"""S14: a form is answered by 303, so that no browser sends a password on."""

from __future__ import annotations

from werkzeug.test import TestResponse

from tests.security.protocol import ASKING, SPA, ask, raw, register
from tests.world import AMARA, BEN, PASSWORD, PRIYA, World, request_for

PAGES = (
    *("/login/password", "/login/consent", "/login/select_account", "/login/tenant"),
    *("/login/not_open", "/logout", "/account/sessions", "/account/products"),
)


def see_other(answer: TestResponse) -> bool:
    assert answer.status_code == 303, answer.status
    assert PASSWORD not in answer.headers["Location"]
    return True


def test_sec_14_a_password_is_answered_by_303(world: World):
    visitor = world.browser()
    page = visitor.follow(visitor.authorize())
    assert see_other(visitor.submit(page, email=AMARA, password=PASSWORD))


def test_sec_14_so_is_every_other_step(world: World):
    register(world, ASKING, SPA)
    priya = world.browser()
    tenant_page = priya.sign_in(PRIYA)
    assert see_other(priya.submit(tenant_page, tenant="harbor"))
    amara = world.browser()
    amara.sign_in()
    assert see_other(amara.submit(amara.follow(ask(amara, ASKING)), decision="allow"))
    chosen = amara.follow(amara.authorize(prompt="select_account"))
    assert see_other(amara.submit(chosen, choice="continue"))
    ben = world.browser()
    closed = ben.sign_in(BEN, client_id="payments")
    assert closed.status_code == 403
    assert see_other(ben.submit(closed, decision="back"))
    assert see_other(amara.submit(amara.get("/logout"), decision="sign_out"))


def test_sec_14_so_is_an_authorization_request_by_post(world: World):
    assert see_other(world.browser().post("/authorize", **request_for("lms")))


def test_sec_14_no_way_of_writing_an_address_forwards_a_form(world: World):
    """308 would send the body to wherever the redirect names."""
    for page in PAGES:
        for path in (page, f"{page}/", f"/{page}", page.replace("/", "//"), f"{page}/../x"):
            answer = raw(world, path, method="POST")
            assert answer.status_code not in (301, 302, 307, 308), path
