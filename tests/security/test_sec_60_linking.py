"""S60: an account at another provider is linked where both sides have verified its address and the
person has proven the account that they have here; from then on its subject is what counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from idp.audit import NOWHERE
from idp.federation.identity import Identity
from idp.login import linking
from idp.login.attempt import Attempt
from tests.console.people_of import user_id
from tests.credentials.proving import code_of, enrol_app
from tests.federation.known import upstream
from tests.federation.signing_in import come_back, leave, link, register, sign_in
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.faults import Fault
from tests.machine.upstream.provider import UpstreamProvider
from tests.security.changing_address import changed as change_address
from tests.security.changing_address import open_link, undo_link
from tests.security.second_factors import require_of_staff
from tests.world import AMARA, BEN, PASSWORD, VICTOR, Visitor, World, claims_of, sent_back

__all__ = ["upstream"]

REFUSED = "That account could not be used to sign in here."
NEVER_TRUE = [
    Fault.EMAIL_UNVERIFIED,
    Fault.EMAIL_VERIFIED_MISSING,
    Fault.EMAIL_VERIFIED_A_STRING,
    Fault.EMAIL_MISSING,
]


def linked(world: World) -> list[str]:
    return [row[0] for row in world.run("SELECT subject FROM linked_accounts ORDER BY subject")]


@pytest.fixture
def visitor(either_world: World, upstream: UpstreamProvider) -> Visitor:
    return either_world.browser()


@pytest.mark.parametrize("fault", NEVER_TRUE)
def test_sec_60_an_address_that_is_not_verified_there_leads_to_nobody(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor, fault: Fault
):
    upstream.fault = fault
    page = sign_in(visitor)
    assert REFUSED in page.text
    assert "Prove once" not in page.text
    assert either_world.audit("sign_in.federated_refused")


def test_sec_60_an_address_that_is_not_verified_here_is_not_attached_to(
    either_world: World, visitor: Visitor
):
    """Whoever wrote down somebody else's address waits for nothing."""
    either_world.run(
        "UPDATE users SET email_verified_at = NULL WHERE email_canonical = :e", e=AMARA
    )
    assert REFUSED in sign_in(visitor).text


@pytest.mark.parametrize("email", ["nobody@northwind.example", VICTOR])
def test_sec_60_nobody_is_made_and_a_disabled_person_is_nobody(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor, email: str
):
    before = either_world.run("SELECT count(*) FROM users")
    upstream.account = Account("77", email)
    assert REFUSED in sign_in(visitor).text
    assert either_world.run("SELECT count(*) FROM users") == before


def test_sec_60_a_disabled_person_enters_no_more_by_a_link_from_before(
    either_world: World, visitor: Visitor
):
    link(either_world.browser(), AMARA)
    either_world.run("UPDATE users SET status = 'disabled' WHERE email_canonical = :e", e=AMARA)
    assert REFUSED in sign_in(visitor).text


def test_sec_60_the_proof_of_somebody_else_links_nothing(either_world: World, visitor: Visitor):
    answer = link(visitor, BEN)
    assert "code" in sent_back(answer)
    assert linked(either_world) == []


def test_sec_60_a_session_that_is_there_already_is_no_proof(either_world: World, visitor: Visitor):
    """Whoever found the browser open would link their own account to it."""
    page = visitor.follow(visitor.authorize("lms"))
    visitor.sign_in(AMARA)
    page = come_back(visitor, leave(visitor, page))
    assert page.request.path == "/login/password"
    assert linked(either_world) == []
    visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert linked(either_world) == ["1001"]


def test_sec_60_a_wrong_proof_links_nothing(either_world: World, visitor: Visitor):
    page = sign_in(visitor)
    visitor.submit(page, email=AMARA, password="wrong-password-1")
    assert linked(either_world) == []


def test_sec_60_nothing_is_linked_before_the_second_factor_is_proven(
    either_world: World, visitor: Visitor
):
    secret = enrol_app(either_world)
    require_of_staff(either_world)
    page = link(visitor, AMARA)
    assert page.request.path == "/login/second_factor"
    assert linked(either_world) == []
    either_world.clock.move(31)
    visitor.follow(visitor.submit(page, code=code_of(secret, either_world.clock.now)))
    assert linked(either_world) == ["1001"]


def test_sec_60_once_linked_the_subject_counts_and_not_the_address(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    link(either_world.browser(), AMARA)
    upstream.account = replace(upstream.account, email=BEN, email_verified=False)
    code = sent_back(sign_in(visitor))["code"]
    [(own,)] = either_world.run("SELECT id FROM users WHERE email_canonical = :e", e=AMARA)
    assert claims_of((either_world.redeem(code).json or {})["id_token"])["sub"] == own


def test_sec_60_another_subject_with_the_same_address_is_another_account(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    """An address that was given to somebody else there."""
    link(either_world.browser(), AMARA)
    upstream.account = replace(upstream.account, sub="2002")
    assert REFUSED in sign_in(visitor).text
    assert linked(either_world) == ["1001"]


def test_sec_60_the_same_subject_of_another_issuer_is_somebody_else(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    link(either_world.browser(), AMARA)
    other = "SET issuer = 'https://other.example', provider_key = 'other'"
    either_world.run(f"UPDATE linked_accounts {other}")
    assert "Prove once" in sign_in(visitor).text


def test_sec_60_a_disabled_provider_signs_nobody_in_and_links_nobody(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    link(either_world.browser(), AMARA)
    left = leave(visitor, visitor.follow(visitor.authorize("lms")))
    half = either_world.browser()
    upstream.account = replace(upstream.account, sub="3003", email=BEN)
    page = sign_in(half)
    register(either_world, upstream, "lms", status="disabled")
    assert come_back(visitor, left).status_code == 400
    half.follow(half.submit(page, email=BEN, password=PASSWORD))
    assert linked(either_world) == ["1001"]
    assert 'value="google"' not in visitor.follow(visitor.authorize("lms")).text


def test_sec_60_what_waits_to_be_linked_is_gone_with_its_sign_in(
    either_world: World, visitor: Visitor
):
    page = sign_in(visitor)
    either_world.clock.move(either_world.settings.attempt_lifetime + 1)
    visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert linked(either_world) == []


def test_sec_60_what_a_thief_linked_goes_when_the_address_is_given_back(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    thief = "thief@evil.example"
    found_open = either_world.browser()
    found_open.enter("/account/email")
    either_world.clock.move(10)
    change_address(either_world, found_open, thief)
    upstream.account = Account("6666", thief)
    link(visitor, thief)
    assert linked(either_world) == ["6666"]
    open_link(either_world.browser(), undo_link(either_world, AMARA))
    assert linked(either_world) == []


def test_sec_60_of_two_people_who_link_one_account_at_once_one_does(
    either_world: World, upstream: UpstreamProvider
):
    """One address is another's by now: both have proven what they have here."""
    first, second = either_world.browser(), either_world.browser()
    pages = [(first, sign_in(first), AMARA)]
    upstream.account = replace(upstream.account, email=BEN)
    pages.append((second, sign_in(second), BEN))

    def prove(each: tuple[Visitor, object, str]) -> None:
        browser, page, email = each
        browser.follow(browser.submit(page, email=email, password=PASSWORD))  # type: ignore[arg-type]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(prove, pages))
    assert linked(either_world) == ["1001"]


def linked_by(
    world: World, fresh: str, *, at: float, who: str = AMARA, enrolled_at: float = 0.0
) -> list[str]:
    """What is linked at the end of a sign-in by that one proof, of what waits for AMARA."""
    account = {
        "company_id": "",
        "provider_key": "google",
        "issuer": "i",
        "subject": "s",
        "email": AMARA,
    }
    attempt = replace(Attempt("a", "b", "launch", at), linking=account)
    user = user_id(world, who)
    proven = attempt.prove(user, fresh, at, enrolled_at)
    providers = world.held.catalog.current(world.clock()).providers
    with world.held.database.transaction() as db:
        linking.link(db, proven, user, frozenset({fresh}), providers, world.clock(), NOWHERE)
    return linked(world)


def test_sec_60_only_what_is_proven_here_links(either_world: World, upstream: UpstreamProvider):
    now = either_world.clock()
    assert linked_by(either_world, "federated", at=now) == []
    assert linked_by(either_world, "totp", at=now) == []
    assert linked_by(either_world, "password", at=now, who=BEN) == []
    assert linked_by(either_world, "passkey", at=now, enrolled_at=now) == [], "made on the way"
    assert linked_by(either_world, "password", at=now) == ["s"]


def test_sec_57_a_proof_that_was_ended_meanwhile_links_nothing(
    either_world: World, upstream: UpstreamProvider
):
    now = either_world.clock()
    either_world.run("UPDATE users SET sessions_valid_after = :t", t=now)
    assert linked_by(either_world, "password", at=now - 1) == []
    assert linked_by(either_world, "password", at=now) == ["s"]


def test_sec_60_what_waits_to_be_linked_begins_an_attempt_anew_and_ends_with_another_word(
    either_world: World, upstream: UpstreamProvider
):
    """Another tab that has the attempt's id, or comes back from elsewhere, takes nothing over."""
    now = either_world.clock()
    google = either_world.held.catalog.current(now).providers.by_key["google"]
    found = Identity(
        *(google.issuer, "1001", AMARA),
        is_verified=True,
        is_disowned=False,
        name="",
        acr="",
        amr=(),
        auth_time=None,
    )
    begun = Attempt("a", "b", "launch", now).prove(user_id(either_world, BEN), "password", now)
    given = (google, found, "en", now, NOWHERE)
    waits = linking.prove(either_world.held.database, begun, *given)
    assert (waits.id != begun.id, waits.left, waits.user_id) == (True, begun.id, "")
    assert waits.linking["subject"] == "1001"
    assert linked_by(either_world, "password", at=now) == ["s"]
    either_world.run("UPDATE linked_accounts SET issuer = :i, subject = '1001'", i=google.issuer)
    assert linking.prove(either_world.held.database, waits, *given).linking == {}
