"""S13: our own address is what the settings say, whatever a request claims."""

from __future__ import annotations

from urllib.parse import urlencode

from idp.app import create_pages
from idp.oidc.client_authentication import ASSERTION_TYPE
from idp.web import letters
from tests.console.people_of import letters as waiting_letters
from tests.security.protocol import (
    KEEPING,
    SIGNING,
    assertion,
    code_for,
    is_refused,
    proof,
    raw,
    register,
)
from tests.world import AMARA, ISSUER, VERIFIER, World, claims_of, request_for

EVIL = "evil.example"
HOSTS: tuple[dict[str, str], ...] = (
    {"Host": EVIL},
    {"Host": f"localhost:8000@{EVIL}"},
    {"Host": f"{EVIL}:99999"},
    {"Host": f"{EVIL}/<script>"},
    {"Host": ""},
    {"Host": "[::evil"},
    {"Host": f"{'e' * 64}.evil"},
    {"Host": "ü.evil\xff"},
    {"Host": "evil evil"},
    {"Host": ".evil..evil:evil"},
)
FORWARDED: tuple[dict[str, str], ...] = (
    {"X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "https", "X-Forwarded-Port": "444"},
    {"X-Forwarded-Prefix": f"//{EVIL}", "X-Script-Name": f"//{EVIL}"},
    {"Forwarded": f"host={EVIL};proto=https;for={EVIL}"},
    {"X-Original-URL": f"https://{EVIL}/", "X-Rewrite-URL": f"//{EVIL}"},
    {"X-Host": EVIL, "X-Forwarded-Server": EVIL, "Referer": f"https://{EVIL}/"},
    {"X-Forwarded-Host": f"{EVIL}\t, localhost"},
)
CLAIMS = HOSTS + FORWARDED
PATHS = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/jwks",
    "/",
    "/account",
    "/logout",
    "/logout/done",
    "/userinfo",
    "/token",
    "/login/password",
    "/login//password",
    "/login/password/",
    "/no/such/page",
    "/authorize",
)


def test_sec_13_no_answer_repeats_a_host_that_was_claimed(world: World):
    query = urlencode(request_for("lms"))
    for claimed in CLAIMS:
        for path in (*PATHS, f"/authorize?{query}", f"/authorize?{query}&prompt=none"):
            path_alone, _, asked = path.partition("?")
            answer = raw(world, path_alone, asked, **claimed)
            shown = f"{answer.headers} {answer.text}"
            assert answer.status_code < 500, (path, claimed)
            assert "evil" not in shown, (path, claimed)
            assert "https://localhost" not in shown, (path, claimed)


def test_sec_13_discovery_is_the_same_bytes_for_everybody(world: World):
    path = "/.well-known/openid-configuration"
    expected = raw(world, path).data
    assert all(raw(world, path, **claimed).data == expected for claimed in CLAIMS)


def test_sec_13_redirects_of_a_sign_in_stay_where_they_began(world: World):
    for claimed in FORWARDED:
        visitor = world.browser(**claimed)
        first = visitor.authorize()
        assert first.headers["Location"].startswith("/login/password?"), claimed
        answer = visitor.sign_in()
        assert answer.headers["Location"].startswith("http://localhost:8001/callback?"), claimed
        assert EVIL not in answer.headers["Location"]


def test_sec_13_tokens_carry_the_configured_issuer(world: World):
    register(world, KEEPING)
    for claimed in CLAIMS:
        headers = {**proof(world, KEEPING)[0], **claimed}
        answer = world.post(
            "/token",
            headers,
            grant_type="authorization_code",
            code=code_for(world, KEEPING),
            redirect_uri=KEEPING.redirect_uri,
            code_verifier=VERIFIER,
        )
        given = answer.json or {}
        for token in (given["id_token"], given["access_token"]):
            assert claims_of(token)["iss"] == ISSUER, claimed
            assert EVIL not in str(claims_of(token)), claimed


def test_sec_13_mail_is_written_without_looking_at_the_request(world: World):
    """A lock is told by mail; everything in it comes from the directory."""
    for claimed in FORWARDED[:5]:
        visitor = world.browser(**claimed)
        visitor.submit(visitor.get("/"), email=AMARA, password="wrong", product="lms")
    (payload,) = waiting_letters(world)
    letter = letters.write(create_pages(world.held), payload)
    assert "evil" not in f"{letter}"
    assert letter.to == AMARA


def test_sec_13_an_assertion_for_a_host_that_was_claimed_is_for_somebody_else(world: World):
    register(world, SIGNING)
    for host in (EVIL, "localhost:8000"):
        signed = assertion(world, SIGNING, aud=f"https://{host}/token")
        form = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}
        answer = world.post("/token", {"Host": host}, grant_type="client_credentials", **form)
        assert is_refused(answer, "invalid_client", 401)
