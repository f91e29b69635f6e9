"""S01: a redirect URI is one of the registered strings, or there is no redirect."""

from __future__ import annotations

from tests.security.protocol import (
    NATIVE,
    answer_to,
    ask,
    is_page_of_ours,
    of_people,
    raw,
    redeem,
    register,
)
from tests.world import World, sent_back

EXACT = of_people("exact", redirect_uris=["https://rp.example/cb"])
TWO = of_people("two", redirect_uris=["https://rp.example/cb", "https://rp.example/other"])

MUTATIONS = (
    "https://rp.example/cb/",
    "https://rp.example/cb?",
    "https://rp.example/cb?x=1",
    "https://rp.example/cb#f",
    "https://rp.example/cb#",
    "https://rp.example/CB",
    "https://RP.example/cb",
    "HTTPS://rp.example/cb",
    "https://rp.example/cb/..;/evil",
    "https://rp.example/cb/../evil",
    "https://rp.example/cb/%2e%2e/evil",
    "https://rp.example/%63b",
    "https://rp.example//cb",
    "https://rp.example/cb%00",
    "https://rp.example/cb%20",
    "https://rp.example@evil.example/cb",
    "https://evil@rp.example/cb",
    "https://a@b@evil.example/cb",
    "https://rp.example\\@evil.example/cb",
    "https:\\\\evil.example/cb",
    "\\\\evil.example/cb",
    "//evil.example/cb",
    "/cb",
    "https://rp.example.evil.example/cb",
    "https://rp.example.:443/cb",
    "https://rpXexample/cb",
    "https://sub.rp.example/cb",
    "https://rp.example:443/cb",
    "https://rp.example:8443/cb",
    "https://rp.example:evil/cb",
    "http://rp.example/cb",
    "ftp://rp.example/cb",
    "javascript:alert(1)//https://rp.example/cb",
    "JavaScript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:evil",
    "https://[::1/cb",
    "https://[evil]/cb",
    "https://[::ffff:127.0.0.1%25evil]/cb",
    "https://rp.example/cb\r\nSet-Cookie: evil=1",
    "https://rp.example/cb\n",
    " https://rp.example/cb",
    "https://rp.example/cb ",
    "https://rp.example/cb,https://evil.example",
    "https://rp.example/cb https://evil.example",
    "https://rp.example/*",
    "*",
    "rp.example/cb",
    "null",
    "http://127.0.0.1:5000/cb",
    "http://localhost/cb",
    '"><script>alert(1)</script>',
    "https://ｒｐ.example/cb",
    "https://rp。example/cb",
    "https://rp.example/cb" + "a" * 3000,
)
LOOPBACK_MUTATIONS = (
    "http://127.0.0.1:5000/cb/",
    "http://127.0.0.1:5000/cb?x=1",
    "http://127.0.0.1:5000/cb#f",
    "http://127.0.0.1:5000/cb#",
    "http://127.0.0.1:5000/cb?",
    "http://127.0.0.1:5000/c\nb",
    "http://127.0.0.1:5000/cb\r\nSet-Cookie:evil=1",
    "http://127.0.0.1:5000/cb\r\n",
    "http://127.0.0.1:5000/\tcb",
    " http://127.0.0.1:5000/cb",
    "\x01http://127.0.0.1:5000/cb",
    "HTTP://127.0.0.1:5000/cb",
    "https://127.0.0.1:5000/cb",
    "http://127.0.0.1:/cb",
    "http://127.0.0.1:05000/cb",
    "http://127.0.0.1:99999/cb",
    "http://127.0.0.1:-1/cb",
    "http://127.0.0.1:٣/cb",
    "http://127.0.0.1:5000@evil.example/cb",
    "http://evil@127.0.0.1:5000/cb",
    "http://127.0.0.1:5000\\@evil.example/cb",
    "http://127.0.0.2:5000/cb",
    "http://127.1:5000/cb",
    "http://0.0.0.0:5000/cb",
    "http://2130706433:5000/cb",
    "http://localhost:5000/cb",
    "http://127.0.0.1.evil.example:5000/cb",
    "http://[::1]:5000/cb/",
    "http://[::2]:5000/cb",
    "http://[::ffff:127.0.0.1]:5000/cb",
    "http://[0:0:0:0:0:0:0:1]:5000/cb",
    "http://[::1%25evil]:5000/cb",
    "http://[::1]evil:5000/cb",
    "http://[::1:5000/cb",
)


def test_sec_01_a_redirect_uri_that_differs_in_anything_stays_on_a_page_of_ours(world: World):
    register(world, EXACT)
    visitor = world.browser()
    for mutation in MUTATIONS:
        assert is_page_of_ours(ask(visitor, EXACT, redirect_uri=mutation)), mutation


def test_sec_01_somebody_signed_in_is_sent_to_no_other_address_either(world: World):
    register(world, EXACT)
    visitor = world.browser()
    assert "code" in sent_back(answer_to(visitor, EXACT))
    for mutation in MUTATIONS:
        assert is_page_of_ours(ask(visitor, EXACT, redirect_uri=mutation, prompt="none")), mutation


def test_sec_01_an_empty_redirect_uri_is_not_taken_for_none(world: World):
    register(world, EXACT)
    assert is_page_of_ours(ask(world.browser(), EXACT, redirect_uri=""))


def test_sec_01_it_may_be_left_out_only_when_there_is_one_to_choose(world: World):
    register(world, EXACT, TWO)
    assert is_page_of_ours(ask(world.browser(), TWO, redirect_uri=None))
    only_one = answer_to(world.browser(), EXACT, redirect_uri=None)
    assert only_one.headers["Location"].startswith("https://rp.example/cb?code=")
    code = sent_back(only_one)["code"]
    assert redeem(world, EXACT, code, redirect_uri=None).status_code == 200


def test_sec_01_bytes_that_are_no_text_are_refused_as_well(world: World):
    for query in ("client_id=lms&redirect_uri=%ff%fe", "client_id=%ff", "client_id=lms&%ff=1"):
        assert is_page_of_ours(raw(world, "/authorize", query)), query


def test_sec_01_a_native_client_may_use_any_port_of_a_loopback_address(world: World):
    register(world, NATIVE)
    visitor = world.browser()
    for uri in ("http://127.0.0.1:50123/cb", "http://[::1]:1/cb", "http://127.0.0.1/cb"):
        answer = answer_to(visitor, NATIVE, redirect_uri=uri)
        assert answer.headers["Location"].startswith(uri + "?code="), uri


def test_sec_01_a_native_client_may_change_nothing_but_the_port(world: World):
    register(world, NATIVE)
    visitor = world.browser()
    for mutation in LOOPBACK_MUTATIONS:
        assert is_page_of_ours(ask(visitor, NATIVE, redirect_uri=mutation)), mutation


def test_sec_01_a_web_client_may_not_even_change_the_port(world: World):
    local = of_people("local", redirect_uris=["http://127.0.0.1/cb"])
    register(world, local)
    assert is_page_of_ours(ask(world.browser(), local, redirect_uri="http://127.0.0.1:5000/cb"))


def test_sec_01_the_port_that_was_asked_for_is_the_one_that_redeems(world: World):
    register(world, NATIVE)
    answer = answer_to(world.browser(), NATIVE, redirect_uri="http://127.0.0.1:5000/cb")
    code = sent_back(answer)["code"]
    other_port = redeem(world, NATIVE, code, redirect_uri="http://127.0.0.1:5001/cb")
    assert other_port.status_code == 400
    same_port = redeem(world, NATIVE, code, redirect_uri="http://127.0.0.1:5000/cb")
    assert same_port.status_code == 200
