"""S02: no error is sent to an address that has not been proven."""

from __future__ import annotations

from urllib.parse import urlencode

from tests.security.protocol import answer_to, ask, is_page_of_ours, of_people, register
from tests.world import ISSUER, World, sent_back

RP = of_people("rp", redirect_uris=["https://rp.example/cb"])
OVERSIZED = "s" * 5000
BROKEN: tuple[tuple[str, dict[str, str | None]], ...] = (
    ("unsupported_response_type", {"response_type": "token"}),
    ("unsupported_response_type", {"response_type": "id_token token"}),
    ("invalid_request", {"response_type": None}),
    ("invalid_scope", {"scope": "admin everything"}),
    ("invalid_scope", {"scope": None}),
    ("invalid_request", {"response_mode": "web_message"}),
    ("invalid_request", {"response_mode": "javascript:"}),
    ("invalid_request", {"code_challenge": None}),
    ("invalid_request", {"code_challenge": "short"}),
    ("invalid_request", {"code_challenge_method": "plain"}),
    ("invalid_request", {"prompt": "none login"}),
    ("invalid_request", {"prompt": "whatever"}),
    ("invalid_request", {"max_age": "-1"}),
    ("invalid_request", {"max_age": "٣"}),
    ("invalid_request", {"claims": "{"}),
    ("invalid_request", {"claims": "[]"}),
    ("invalid_request", {"claims": '{"id_token": {"acr": {"values": 5}}}'}),
    ("invalid_request", {"claims": "[" * 2000}),
    ("invalid_request", {"id_token_hint": "not.a.token"}),
    ("invalid_request_object", {"request": "e30.e30."}),
    ("request_uri_not_supported", {"request_uri": "https://evil.example/r"}),
    ("registration_not_supported", {"registration": "{}"}),
    ("login_required", {"prompt": "none"}),
)
UNREADABLE: tuple[str, dict[str, str | None]] = ("", {"state": OVERSIZED})


def test_sec_02_no_fault_is_told_to_an_address_that_is_not_registered(world: World):
    register(world, RP)
    visitor = world.browser()
    for _, changed in (*BROKEN, UNREADABLE):
        evil = ask(visitor, RP, redirect_uri="https://evil.example/cb", **changed)
        assert is_page_of_ours(evil), changed


def test_sec_02_no_fault_is_told_for_a_client_that_does_not_exist(world: World):
    visitor = world.browser()
    for _, changed in BROKEN:
        nobody = of_people("nobody", redirect_uris=["https://evil.example/"])
        asked = ask(visitor, nobody, **changed)
        assert is_page_of_ours(asked), changed


def test_sec_02_the_same_faults_go_to_the_registered_address(world: World):
    """So it is the address alone that kept them here."""
    register(world, RP)
    visitor = world.browser()
    for error, changed in BROKEN:
        answer = ask(visitor, RP, **changed)
        told = sent_back(answer)
        assert answer.headers["Location"].startswith("https://rp.example/cb?"), changed
        assert (told["error"], told["iss"], told["state"]) == (error, ISSUER, "a-state"), changed


def test_sec_02_what_can_not_be_read_at_all_is_told_here(world: World):
    register(world, RP)
    visitor = world.browser()
    for changed in ({"state": OVERSIZED}, {"nonce": "\x00"}, {"scope": "s " * 3000}):
        assert is_page_of_ours(ask(visitor, RP, **changed))
    many = urlencode([(f"p{number}", "") for number in range(100)])
    assert is_page_of_ours(visitor.get(f"/authorize?client_id=rp&{many}"))


def test_sec_02_a_post_is_held_to_the_same(world: World):
    register(world, RP)
    visitor = world.browser()
    evil = {"client_id": "rp", "redirect_uri": "https://evil.example/", "response_type": "token"}
    assert is_page_of_ours(visitor.post("/authorize", **evil))


def test_sec_02_a_fault_in_a_running_sign_in_is_told_to_its_own_address(world: World):
    """The registration changes under somebody who is entering a password."""
    register(world, RP)
    visitor = world.browser()
    page = visitor.follow(ask(visitor, RP))
    register(world, of_people("rp", redirect_uris=["https://moved.example/cb"]))
    answer = visitor.follow(visitor.submit(page, email="amara@northwind.example", password="x"))
    assert answer.status_code == 400
    assert "Location" not in answer.headers
    assert answer_to(visitor, RP).status_code == 400
