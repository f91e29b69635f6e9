"""Signing in at a product: the code flow, silent sign-in, and every answer that must be refused."""

from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OKPKey

from relying_parties.base.local_targets import find_local_target


def test_a_first_visit_signs_in_without_a_question(provider, loans, visitor):
    page = visitor.get(loans.url("/"))
    assert page.status_code == 200
    assert "Alder &amp; Finch Bakery" in page.text
    assert provider.asked[0]["prompt"] == "none"
    assert visitor.trail == ["/", "/authorize", "/callback", "/"]


def test_the_request_carries_pkce_and_asks_for_nothing_unusual(provider, loans, visitor):
    visitor.get(loans.url("/login"))
    asked = provider.asked[0]
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid profile email"
    assert asked["redirect_uri"] == loans.url("/callback")
    assert {"state", "nonce", "code_challenge"} <= asked.keys()


def test_a_stranger_sees_the_landing_page_after_one_silent_attempt(provider, loans, visitor):
    provider.is_signed_in = False
    page = visitor.get(loans.url("/"))
    assert 'href="/login"' in page.text
    assert visitor.trail == ["/", "/authorize", "/callback", "/"]
    visitor.get(loans.url("/"))
    assert visitor.trail == ["/"]
    assert len(provider.asked) == 1


def test_all_three_products_open_from_one_sign_in(loans, payouts, services, visitor):
    for product, words in ((loans, "Outstanding"), (payouts, "Available"), (services, "Quayside")):
        assert words in visitor.get(product.url("/")).text
    assert {c.name for c in visitor.http.cookies} >= {
        "lms_session",
        "payments_session",
        "connections_session",
    }


def test_a_deep_link_comes_back_to_its_page(provider, loans, visitor):
    page = visitor.get(loans.url("/loans?status=late"))
    assert page.url == loans.url("/loans?status=late")
    assert "prompt" not in provider.asked[0]


def test_the_session_cookie_is_new_at_every_sign_in_and_hidden_from_scripts(loans, visitor):
    visitor.get(loans.url("/"))
    first = visitor.http.cookies["lms_session"]
    visitor.get(loans.url("/login"))
    assert visitor.http.cookies["lms_session"] != first
    assert loans.product.sessions.find(first) is None
    cookie = next(c for c in visitor.http.cookies if c.name == "lms_session")
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_the_tenant_hint_and_prompt_are_passed_on(provider, loans, visitor):
    page = visitor.get(
        loans.url("/login"),
        params={"tenant": "harbor", "prompt": "login", "login_hint": "nora@northwind.example"},
    )
    asked = provider.asked[0]
    assert asked["tenant"] == "harbor"
    assert asked["prompt"] == "login"
    assert asked["login_hint"] == "nora@northwind.example"
    assert "Harbor Credit Union" in page.text


def test_sign_in_can_be_started_from_elsewhere(provider, loans, visitor):
    """OpenID Connect Core 4: initiate_login_uri, by GET and by POST."""
    asked = {"iss": provider.issuer, "target_link_uri": loans.url("/reports")}
    assert visitor.get(loans.url("/login"), params=asked).url == loans.url("/reports")
    assert visitor.post(loans.url("/login"), data=asked).url == loans.url("/reports")


@pytest.mark.parametrize(
    "asked", [{"iss": "https://evil.example"}, {"tenant": "../up"}, {"tenant": "A B"}]
)
def test_a_link_that_names_something_else_is_refused(provider, loans, visitor, asked):
    assert visitor.get(loans.url("/login"), params=asked).status_code == 400
    assert provider.asked == []


FOREIGN_TARGETS = [
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example/",
    "http://localhost:8001.evil.example/",
    "http://localhost:8001@evil.example/",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "evil.example",
    "http:///evil.example",
    "/login?prompt=none",
    "/callback",
    "/logout",
    "",
    None,
]


@pytest.mark.parametrize("target", FOREIGN_TARGETS)
def test_a_target_that_is_no_page_of_ours_is_not_one(target):
    assert find_local_target(target, base_url="http://localhost:8001") is None


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https:evil.example"])
def test_sign_in_never_returns_to_another_site(loans, visitor, target):
    page = visitor.get(loans.url("/login"), params={"target_link_uri": target})
    assert page.url == loans.url("/")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/loans", "/loans"),
        ("/loans?status=late", "/loans?status=late"),
        ("http://localhost:8001/loans", "/loans"),
    ],
)
def test_a_page_of_ours_is_a_target(target, path):
    assert find_local_target(target, base_url="http://localhost:8001") == path


def test_an_answer_without_the_promised_issuer_is_refused(provider, loans, visitor):
    provider.sends_iss = False
    page = visitor.get(loans.url("/login"))
    assert page.status_code == 400
    assert "lms_session" not in visitor.http.cookies
    assert "/token" not in provider.calls


def test_an_answer_of_another_issuer_is_refused(provider, loans, visitor):
    provider.forged_iss = "https://evil.example"
    assert visitor.get(loans.url("/login")).status_code == 400
    assert "/token" not in provider.calls


def test_a_provider_that_promises_no_issuer_may_leave_it_out(provider, loans, visitor):
    provider.announces_iss = provider.sends_iss = False
    assert visitor.get(loans.url("/login")).status_code == 200


def test_an_answer_to_another_browser_is_refused(loans, visitor):
    started = visitor.get(loans.url("/login"), allow_redirects=False)
    answer = visitor.get(started.headers["Location"], allow_redirects=False).headers["Location"]
    visitor.http.cookies.clear()
    page = visitor.get(answer)
    assert page.status_code == 400
    assert "lms_session" not in visitor.http.cookies


def test_an_answer_counts_once(provider, loans, visitor):
    started = visitor.get(loans.url("/login"), allow_redirects=False)
    answer = visitor.get(started.headers["Location"], allow_redirects=False).headers["Location"]
    visitor.get(answer)
    visitor.http.cookies.pop("lms_session")
    provider.calls.clear()
    assert visitor.get(answer).status_code == 400
    assert "/token" not in provider.calls


def test_an_invented_state_is_refused(loans, visitor):
    assert visitor.get(loans.url("/callback?code=x&state=y")).status_code == 400
    assert visitor.get(loans.url("/callback")).status_code == 400


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        ("access_denied", 403, "Use another account"),
        ("login_required", 400, "Try again"),
        ("invalid_scope", 400, "Try again"),
        ("server_error", 503, "Try again"),
        ("temporarily_unavailable", 503, "Try again"),
        ("<script>", 400, "unknown"),
    ],
)
def test_every_error_is_a_calm_page_with_a_way_back(provider, loans, visitor, error, status, words):
    provider.error = error
    page = visitor.get(loans.url("/login"))
    assert page.status_code == status
    assert words in page.text
    assert "Back to start" in page.text
    assert "<script>" not in page.text


def test_an_id_token_for_another_product_is_refused(provider, loans, visitor):
    original = provider.id_token
    provider.id_token = lambda client, tenant=None, **more: original(
        client, tenant, **more, aud="payments", azp="lms"
    )
    assert visitor.get(loans.url("/login")).status_code == 400
    assert "lms_session" not in visitor.http.cookies


def test_an_id_token_signed_with_ed25519_is_believed(provider, loans, visitor):
    provider.alg, provider.key = "Ed25519", OKPKey.generate_key("Ed25519", {"kid": "ed"})
    assert visitor.get(loans.url("/login")).status_code == 200
    assert "lms_session" in visitor.http.cookies


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_an_id_token_that_vouches_for_another_access_token_is_refused(
    provider, loans, visitor, alg
):
    if alg == "Ed25519":
        provider.alg, provider.key = alg, OKPKey.generate_key("Ed25519", {"kid": "ed"})
    provider.at_hash = "x" * 22
    assert visitor.get(loans.url("/login")).status_code == 400


def test_userinfo_about_somebody_else_is_refused(provider, loans, visitor):
    provider.claims = {"sub": "person-2"}
    assert visitor.get(loans.url("/login")).status_code == 400


def test_a_provider_that_is_away_gives_a_calm_page(provider, loans, visitor):
    provider.metadata = lambda: {"issuer": "https://evil.example"}
    page = visitor.get(loans.url("/"))
    assert page.status_code == 503
    assert page.headers["Retry-After"]
    del provider.metadata
    assert visitor.get(loans.url("/")).status_code == 200


def test_many_abandoned_sign_ins_leave_a_small_cookie(loans, visitor):
    for _ in range(30):
        visitor.get(loans.url("/login"), allow_redirects=False)
    assert len(visitor.http.cookies["lms_flow"]) < 1500
    assert visitor.get(loans.url("/login")).status_code == 200


def test_every_answer_carries_the_security_headers(provider, loans, visitor):
    for path in ("/", "/nowhere", "/healthz", "/login?tenant=!", "/api/loans"):
        headers = visitor.get(loans.url(path)).headers
        policy = headers["Content-Security-Policy"]
        assert f"form-action 'self' {provider.issuer};" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_the_query_of_a_sign_in_holds_no_secret(loans, visitor):
    started = visitor.get(loans.url("/login"), allow_redirects=False)
    query = parse_qs(urlsplit(started.headers["Location"]).query)
    assert "code_verifier" not in query
    assert "client_secret" not in query
