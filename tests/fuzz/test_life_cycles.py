"""Any order of calls: pushed requests, codes and refresh tokens are each good as often as they are
meant to be, and no token is wider than what was granted. Hypothesis looks for the order that is not
so, with a small model of what the RFCs say beside the provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from werkzeug.test import TestResponse

from tests.security.protocol import (
    KEEPING,
    ROTATING,
    SPA,
    Party,
    ask,
    asked_by,
    is_refused,
    post_as,
    redeem,
    refresh,
    register,
    revoke,
)
from tests.world import AMARA, PASSWORD, World, sent_back

PARTIES = {party.client_id: party for party in (KEEPING, ROTATING, SPA)}
SCOPES = ("openid", "openid profile", "openid email offline_access")
WORDS = ("", "", "", "openid", "email", "openid profile email", "openid admin")
parties = st.sampled_from(sorted(PARTIES)).map(PARTIES.__getitem__)
# Mostly as it should be, and with what is newest: a fault that nothing has led up to finds nothing.
another = st.one_of(*[st.none()] * 9, parties)
knows = st.sampled_from([True] * 9 + [False])
seldom = st.sampled_from([False] * 9 + [True])
moments = st.sampled_from([1] * 9 + [9, 12, 61])
newest = st.sampled_from([0, 0, 0, 0, 1, 2])


Thing = TypeVar("Thing")


@dataclass
class Pushed:
    request_uri: str
    party: Party
    scope: str
    at: float
    is_answered: bool = False


@dataclass
class Family:
    """A grant, and the refresh token that is its newest."""

    party: Party
    scope: frozenset[str]
    is_alive: bool = True
    newest: str = ""
    before: str = ""
    rotated_at: float = 0.0
    grace_uses: int = 0


@dataclass
class Code:
    value: str
    family: Family
    at: float
    is_spent: bool = False


@dataclass
class Refresh:
    value: str
    family: Family


@dataclass
class Access:
    value: str
    family: Family
    scope: frozenset[str]
    ends_at: float
    is_revoked: bool = field(default=False)


def of(things: list[Thing], which: int) -> Thing:
    """The newest, or one of those before it."""
    return things[-1 - min(which, len(things) - 1)]


class LifeCycles(RuleBasedStateMachine):
    world: ClassVar[World]

    @initialize()
    def somebody_signs_in(self) -> None:
        self.visitor = self.world.browser()
        self.families: list[Family] = []
        self.requests: list[Pushed] = []
        self.codes: list[Code] = []
        self.tokens: list[Refresh] = []
        self.given: list[Access] = []
        self._sign_in()

    def _sign_in(self) -> None:
        page = self.visitor.follow(self.visitor.authorize())
        answer = self.visitor.submit(page, email=AMARA, password=PASSWORD)
        assert "code" in sent_back(self.visitor.follow(answer))

    @property
    def now(self) -> float:
        return self.world.clock()

    @rule(seconds=moments)
    def time_passes(self, seconds: int) -> None:
        self.world.clock.move(seconds)

    @rule(is_so=seldom)
    def somebody_signs_out_and_in_again(self, is_so: bool) -> None:
        if not is_so:
            return
        page = self.visitor.get("/logout")
        self.visitor.submit(page, decision="sign_out")
        for family in self.families:
            if "offline_access" not in family.scope or not family.newest:
                family.is_alive = False
        self._sign_in()

    @rule(party=parties, scope=st.sampled_from(SCOPES))
    def a_client_pushes(self, party: Party, scope: str) -> None:
        answer = post_as(self.world, party, "/par", **asked_by(party, scope=scope))
        request_uri = str((answer.json or {})["request_uri"])
        self.requests.append(Pushed(request_uri, party, scope, self.now))

    @precondition(lambda self: self.requests)
    @rule(which=newest, brings=another)
    def a_browser_brings_what_was_pushed(self, which: int, brings: Party | None) -> None:
        pushed = of(self.requests, which)
        brings = brings or pushed.party
        fields = {"client_id": brings.client_id, "request_uri": pushed.request_uri}
        answer = self.visitor.client.get("/authorize", query_string=fields)
        is_good = not pushed.is_answered and self.now < pushed.at + 60
        if brings is not pushed.party or not is_good:
            assert answer.status_code == 400, answer.headers
            return
        pushed.is_answered = True
        self._code(answer, pushed.party, pushed.scope)

    @rule(party=parties, scope=st.sampled_from(SCOPES))
    def a_browser_asks(self, party: Party, scope: str) -> None:
        self._code(ask(self.visitor, party, scope=scope), party, scope)

    def _code(self, answer: TestResponse, party: Party, scope: str) -> None:
        family = Family(party, frozenset(scope.split()))
        self.families.append(family)
        self.codes.append(Code(sent_back(answer)["code"], family, self.now))

    @precondition(lambda self: self.codes)
    @rule(which=newest, by=another, knows_verifier=knows, again=seldom)
    def a_code_is_redeemed(
        self, which: int, by: Party | None, knows_verifier: bool, again: bool
    ) -> None:
        code = of(self.codes, which)
        if code.is_spent and not again:
            return
        family = code.family
        by = by or family.party
        changed: dict[str, Any] = {"redirect_uri": family.party.redirect_uri}
        if not knows_verifier:
            changed["code_verifier"] = "w" * 64
        answer = redeem(self.world, by, code.value, **changed)
        is_theirs = by is family.party and knows_verifier
        is_good = is_theirs and not code.is_spent and self.now < code.at + 60
        if is_good and family.is_alive:
            code.is_spent = True
            self._took(answer, family, family.scope)
            return
        assert is_refused(answer, "invalid_grant")
        if is_theirs and code.is_spent:
            family.is_alive = False

    @precondition(lambda self: self.tokens)
    @rule(which=newest, by=another, scope=st.sampled_from(WORDS))
    def a_refresh_token_is_used(self, which: int, by: Party | None, scope: str) -> None:
        token = of(self.tokens, which)
        family, wanted = token.family, frozenset(scope.split())
        by = by or family.party
        answer = refresh(self.world, by, token.value, scope=scope or None)
        if by is not family.party or not family.is_alive:
            assert is_refused(answer, "invalid_grant")
        elif not wanted <= family.scope:
            assert is_refused(answer, "invalid_scope")
        elif self._may_be_used(token):
            self._took(answer, family, wanted or family.scope, token.value)
        else:
            assert is_refused(answer, "invalid_grant")
            family.is_alive = False

    def _may_be_used(self, token: Refresh) -> bool:
        """A confidential client's again and again; one that rotates once, and a public client's
        within the grace, a bounded number of times."""
        family = token.family
        if token.value == family.newest:
            return True
        if family.party is not SPA or token.value != family.before:
            return False
        family.grace_uses += 1
        in_time = self.now < family.rotated_at + self.world.settings.refresh_grace
        return in_time and family.grace_uses <= 10

    def _took(
        self, answer: TestResponse, family: Family, scope: frozenset[str], spent: str = ""
    ) -> None:
        told = dict(answer.json or {})
        assert answer.status_code == 200, answer.text
        assert frozenset(told["scope"].split()) == scope <= family.scope
        ends_at = self.now + told["expires_in"]
        self.given.append(Access(told["access_token"], family, scope, ends_at))
        token = told["refresh_token"]
        if spent == family.newest and token != spent:
            family.before, family.rotated_at, family.grace_uses = spent, self.now, 0
        if token != family.newest:
            family.newest = token
            self.tokens.append(Refresh(token, family))

    @precondition(lambda self: self.tokens)
    @rule(which=newest, by=another, is_so=seldom)
    def a_refresh_token_is_revoked(self, which: int, by: Party | None, is_so: bool) -> None:
        if not is_so:
            return
        token = of(self.tokens, which)
        by = by or token.family.party
        assert revoke(self.world, by, token.value).status_code == 200
        if by is token.family.party:
            token.family.is_alive = False

    @rule(by=another, is_so=seldom)
    def the_latest_access_token_is_revoked(self, by: Party | None, is_so: bool) -> None:
        for access in self.given[-1:] if is_so else ():
            by = by or access.family.party
            assert revoke(self.world, by, access.value).status_code == 200
            access.is_revoked |= by is access.family.party

    @invariant()
    def what_was_given_counts_as_long_as_it_should_and_for_what_it_should(self) -> None:
        for access in getattr(self, "given", [])[-3:]:
            told = self.world.introspect(access.value)
            counts = not access.is_revoked and access.family.is_alive and self.now < access.ends_at
            assert told["active"] is counts
            if counts:
                assert frozenset(told["scope"].split()) == access.scope


def test_no_order_of_calls_gives_twice_or_more_than_was_granted(world: World) -> None:
    register(world, *PARTIES.values())
    LifeCycles.world = world
    run_state_machine_as_test(
        LifeCycles,
        settings=settings(
            max_examples=60,
            stateful_step_count=100,
            deadline=None,
            phases=[Phase.generate],
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
