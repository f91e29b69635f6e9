"""S61: what comes back from another provider counts once, in the browser that left, and for us."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.federation.known import upstream
from tests.federation.signing_in import KEY, RETURN, come_back, leave, link, returned, sign_in
from tests.machine.upstream.faults import Fault, faults_of
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import AMARA, Visitor, World, sent_back

__all__ = ["upstream"]

REFUSED = "That account could not be used to sign in here."
TOKENS = [f for f in faults_of("id_token") if f is not Fault.ID_TOKEN_MISSING]


@pytest.fixture
def visitor(either_world: World, upstream: UpstreamProvider) -> Visitor:
    """Of somebody whose account is linked, so that a sound answer would sign them in."""
    link(either_world.browser(), AMARA)
    return either_world.browser()


def sessions(world: World) -> int:
    return int(world.run("SELECT count(*) FROM sessions")[0][0])


def left(visitor: Visitor) -> str:
    """Signed in there: where the answer would lead."""
    return returned(leave(visitor, visitor.follow(visitor.authorize("lms"))))


def changed(address: str, **to: str | None) -> str:
    path, _, query = address.partition("?")
    fields = {**dict(parse_qsl(query)), **to}
    return f"{path}?{urlencode({k: v for k, v in fields.items() if v is not None})}"


@pytest.mark.parametrize("fault", TOKENS)
def test_sec_61_an_id_token_that_is_not_for_us_now_and_for_this_signs_nobody_in(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor, fault: Fault
):
    either_world.clock.move(3601)  # its keys are fetched anew
    before, upstream.fault = sessions(either_world), fault
    page = sign_in(visitor)
    assert REFUSED in page.text, fault
    assert sessions(either_world) == before
    assert either_world.audit("sign_in.federated_refused")[-1]["provider"] == KEY


@pytest.mark.parametrize("more", ["\x00", "\x00anything", "\n", "\u200b"])
def test_sec_61_a_subject_that_begins_like_somebodys_is_nobodys(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor, more: str
):
    """What reads text to its first null character would take it for the one that is linked."""
    before = sessions(either_world)
    upstream.account = replace(upstream.account, sub=upstream.account.sub + more)
    assert REFUSED in sign_in(visitor).text
    assert sessions(either_world) == before


def test_sec_61_the_browser_that_left_comes_back_and_no_other(
    either_world: World, visitor: Visitor
):
    """Also login CSRF: an attacker's answer does nothing in the victim's browser (S64)."""
    address, before = left(visitor), sessions(either_world)
    stranger = either_world.browser()
    stranger.authorize("lms")
    assert stranger.get(address).status_code == 400
    assert sessions(either_world) == before
    assert visitor.get(address).status_code == 400, "and the state is spent"


def test_sec_61_an_answer_counts_once(either_world: World, visitor: Visitor):
    address = left(visitor)
    assert "code" in sent_back(visitor.follow(visitor.get(address)))
    assert visitor.get(address).status_code == 400


def test_sec_61_of_twenty_answers_at_once_one_counts(either_world: World, visitor: Visitor):
    address = left(visitor)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: visitor.get(address).status_code, range(20)))
    assert sorted(statuses) == [303] + [400] * 19


@pytest.mark.parametrize("state", ["", "x", "A" * 43, None])
def test_sec_61_without_a_state_of_ours_nothing_counts(visitor: Visitor, state: str | None):
    assert visitor.get(changed(left(visitor), state=state)).status_code == 400


def test_sec_61_a_state_is_good_for_ten_minutes(either_world: World, visitor: Visitor):
    address = left(visitor)
    either_world.clock.move(601)
    assert visitor.get(address).status_code == 400


@pytest.mark.parametrize(
    "to", [{"iss": "https://evil.example"}, {"iss": None}, {"iss": ""}, {"code": None}]
)
def test_sec_61_an_answer_of_another_issuer_or_without_a_code_counts_for_nothing(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor, to: dict[str, str | None]
):
    before = len(upstream.redemptions)
    page = visitor.get(changed(left(visitor), **to))
    assert REFUSED in page.text
    assert len(upstream.redemptions) == before, "nothing was sent to anybody"


def test_sec_61_a_state_of_one_provider_is_none_of_anothers(either_world: World, visitor: Visitor):
    other = {"key": "other", "name": "Other", "issuer": "https://other.example"}
    either_world.apply(identity_providers=[{**other, "client_id": "x", "client_secret": "y"}])
    either_world.clock.move(2)
    address = left(visitor)
    assert visitor.get(address.replace(RETURN, "/login/upstream/other/return")).status_code == 400
    assert visitor.get(address.replace(RETURN, "/login/upstream/none/return")).status_code == 400


@pytest.mark.parametrize("fault", [Fault.CODE_SWAPPED, Fault.CODE_SWAPPED_UNBOUND])
def test_sec_61_the_code_of_another_sign_in_signs_nobody_in(
    upstream: UpstreamProvider, visitor: Visitor, fault: Fault
):
    upstream.fault = fault
    page = sign_in(visitor)
    assert page.status_code == 400
    assert REFUSED in page.text


def test_sec_61_a_code_that_nobody_gave_signs_nobody_in_and_is_no_trouble(
    either_world: World, visitor: Visitor
):
    """Whoever sends them keeps nobody else out."""
    page = visitor.get(changed(left(visitor), code="made-up"))
    assert page.status_code == 400
    assert REFUSED in page.text
    assert "invalid_grant" in either_world.audit("sign_in.federated_refused")[-1]["reason"]
    assert "code" in sent_back(sign_in(visitor))


def test_sec_61_who_declines_there_is_back_at_the_sign_in(
    upstream: UpstreamProvider, visitor: Visitor
):
    upstream.fault = Fault.ACCESS_DENIED
    page = sign_in(visitor)
    assert page.status_code == 400
    assert 'name="password"' in page.text


def test_sec_61_neither_code_nor_secret_nor_token_is_logged(
    upstream: UpstreamProvider, visitor: Visitor, capsys: pytest.CaptureFixture[str]
):
    address = left(visitor)
    upstream.fault = Fault.NONCE_WRONG
    visitor.get(address)
    told = capsys.readouterr()
    code = dict(parse_qsl(address.partition("?")[2]))["code"]
    for secret in (code, upstream.client_secret, upstream.redemptions[-1]["code_verifier"]):
        assert secret not in told.out + told.err


def test_sec_61_a_form_of_another_site_begins_nothing(visitor: Visitor):
    answer = visitor.post("/login/upstream", provider=KEY, product="lms")
    assert answer.status_code in (400, 403)


def test_sec_61_what_was_begun_can_be_begun_again(visitor: Visitor):
    """Back in the browser, and pressed once more."""
    page = visitor.follow(visitor.authorize("lms"))
    leave(visitor, page)
    assert "code" in sent_back(come_back(visitor, leave(visitor, page)))
