"""A product's session: kept fresh by the refresh token, ended by age or by the provider."""

from concurrent.futures import ThreadPoolExecutor

import requests

from relying_parties.base.expiring import ExpiringValues


def refreshes(provider):
    return provider.calls.count("/token") - 1


def test_the_access_token_is_renewed_when_it_ends(provider, loans, visitor):
    visitor.get(loans.url("/"))
    visitor.get(loans.url("/"))
    assert refreshes(provider) == 0
    loans.clock.ahead = 601
    assert visitor.get(loans.url("/loans")).status_code == 200
    assert visitor.trail == ["/loans"]
    assert refreshes(provider) == 1


def test_permissions_follow_the_renewed_token(provider, loans, visitor):
    visitor.get(loans.url("/"))
    provider.claims = {"permissions": ["reports.read"]}
    loans.clock.ahead = 601
    assert visitor.get(loans.url("/loans")).status_code == 403


def test_requests_at_the_same_moment_renew_once(provider, loans, visitor):
    visitor.get(loans.url("/"))
    cookies = visitor.http.cookies.get_dict()
    loans.clock.ahead = 601
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(
                lambda _: requests.get(loans.url("/loans"), cookies=cookies, timeout=10), range(8)
            )
        )
    assert {answer.status_code for answer in answers} == {200}
    assert refreshes(provider) == 1


def test_a_refused_refresh_ends_the_session(provider, loans, visitor):
    visitor.get(loans.url("/"))
    provider.refresh_error = "invalid_grant"
    provider.is_signed_in = False
    loans.clock.ahead = 601
    page = visitor.get(loans.url("/"))
    assert 'href="/login"' in page.text
    assert provider.asked[-1]["prompt"] == "none"


def test_a_provider_that_is_away_leaves_the_session_for_later(provider, loans, visitor):
    visitor.get(loans.url("/"))
    provider.refresh_error = "temporarily_unavailable"
    loans.clock.ahead = 601
    assert visitor.get(loans.url("/")).status_code == 503
    provider.refresh_error = None


def test_a_refresh_about_somebody_else_ends_the_session(provider, loans, visitor):
    visitor.get(loans.url("/"))
    provider.claims = {"sub": "person-2"}
    loans.clock.ahead = 601
    visitor.get(loans.url("/loans"), allow_redirects=False)
    assert loans.product.sessions.find(visitor.http.cookies["lms_session"]) is None


def test_an_idle_session_ends(provider, loans, visitor):
    visitor.get(loans.url("/"))
    provider.is_signed_in = False
    loans.clock.ahead = 31 * 60
    assert 'href="/login"' in visitor.get(loans.url("/")).text


def test_an_old_session_ends_however_busy(loans, visitor):
    visitor.get(loans.url("/"))
    session_id = visitor.http.cookies["lms_session"]
    for quarter in range(1, 48):
        loans.clock.ahead = quarter * 900
        assert loans.product.sessions.find(session_id)
    loans.clock.ahead = 12 * 3600 + 60
    assert loans.product.sessions.find(session_id) is None


def test_values_that_expire_give_way_when_there_are_too_many():
    values = ExpiringValues(capacity=3)
    for name in "abcd":
        values.set(name, name, 60)
    assert values.get("a") is None
    assert values.get("d") == "d"
    assert values.spend("e", 60)
    assert not values.spend("e", 60)
