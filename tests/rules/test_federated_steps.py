"""What another provider vouches for, and where: the rows of the one decision that are about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.directory.upstream_providers import IdentityProviders, UpstreamProvider
from idp.login.counting import counting_in
from idp.login.next_step import next_step
from idp.login.steps import Asked, Done, Entry, PasswordState, Proven, Step, ToSignIn
from idp.policies.assurance import Proof
from idp.policies.mfa import KindRule, Mode
from idp.policies.password_age import AgeRule
from tests.rules.second_factor_rows import MAIL, REQUIRED, STRICT, TOTP, shape, side
from tests.rules.standings import (
    ADMIN,
    ASKED,
    AT_PLATFORM,
    DAY,
    HOUR,
    NOW,
    OFFICER,
    ONE,
    OPERATOR,
    PAYMENTS,
    TWO,
    entry,
)

GOOGLE = UpstreamProvider("google", "Google", "https://google.example", "us", "")
NORTH = replace(
    GOOGLE,
    key="north",
    name="Northwind SSO",
    tenant_id=ADMIN.tenant_id,
    tenant="northwind",
    domains=frozenset({"northwind.example"}),
    trusted_amr=frozenset({"hwk"}),
)
STRICT_NORTH = replace(NORTH, is_only_way=True)
HARBOR = replace(NORTH, key="harbor", tenant_id=OFFICER.tenant_id, tenant="harbor")
ALL = IdentityProviders({each.key: each for each in (GOOGLE, NORTH, HARBOR)})
OPEN = IdentityProviders({"north": replace(STRICT_NORTH, issuer="https://accounts.google.com")})
BOTH = IdentityProviders({"north": STRICT_NORTH, "harbor": replace(HARBOR, domains=frozenset())})
STRICTLY = IdentityProviders({"google": GOOGLE, "north": STRICT_NORTH})
ANYBODY = Proven(
    user_id="u",
    email="amara@northwind.example",
    providers=ALL,
    enrolled=(),
    last_seen_at=NOW - 60,
)
CONSOLE = replace(PAYMENTS, key="console")
OWN_PAGE = Asked(is_own_page=True)
OPERATORS = Asked(is_operators_page=True)
CHANGING = replace(OWN_PAGE, own_level=True, max_age=900)
ONLY_MAIL = (MAIL,)


def by(key: str, *, seen: float | None = None, second: float | None = None) -> Proven:
    """An hour ago; `seen` so long ago as the provider says, with a `second` factor."""
    active_at = 0.0 if seen is None else NOW - seen
    proofs = {"federated": Proof(NOW - HOUR, NOW - DAY, key, active_at)}
    if second is not None:
        at = NOW - second
        proofs["upstream_second"] = Proof(at, at, key, at, "amr:hwk")
    return replace(ANYBODY, proofs=proofs)


def said(words: str, proven: Proven) -> Proven:
    """The second factor there, by other words."""
    second = proven.proofs["upstream_second"]._replace(words=words)
    return replace(proven, proofs={**proven.proofs, "upstream_second": second})


def mixed(first: str, second: str) -> Proven:
    """The word of one provider, and the second factor of another."""
    proven = by(second, second=60)
    return replace(proven, proofs={**proven.proofs, **by(first).proofs})


def now(proven: Proven) -> Proven:
    """In this attempt."""
    proofs = {method: proof._replace(at=NOW - 5) for method, proof in proven.proofs.items()}
    return replace(proven, proofs=proofs, fresh=frozenset(proofs))


def with_password(proven: Proven, age: float = HOUR) -> Proven:
    proofs = {**proven.proofs, "password": Proof(NOW - age)}
    return replace(proven, proofs=proofs, fresh=frozenset())


def strictly(proven: Proven) -> Proven:
    return replace(proven, providers=STRICTLY)


def without(key: str, proven: Proven) -> Proven:
    left = {name: each for name, each in ALL.by_key.items() if name != key}
    return replace(proven, providers=IdentityProviders(left))


OLD_PASSWORD = [replace(entry(ADMIN), password_ages=(AgeRule(90, 0.0),))]
AGED = PasswordState(NOW - 100 * DAY, "")
REFUSING = replace(PAYMENTS, refuses_federated=True)
LONG = replace(STRICT, second_factor_minutes=None)
HARBORS = [entry(OFFICER)]
GUEST = [replace(entry(ADMIN), sides=(side(KindRule(Mode.OFF, 0.0)),) * 2)]
HARBOR_REQUIRES = [replace(each, standing=OFFICER) for each in REQUIRED]
GONE = OFFICER._replace(membership_status="disabled")

ROWS: dict[str, tuple[Asked, Proven, list[Entry], object]] = {
    "Google signs in": (ASKED, by("google"), ONE, "done"),
    "a provider that is there no more does not": (
        ASKED,
        without("google", by("google")),
        ONE,
        Step.PASSWORD,
    ),
    "nor where the product refuses it": (
        replace(ASKED, product=REFUSING),
        by("google"),
        ONE,
        Step.PASSWORD,
    ),
    "which takes those that it offers": (
        replace(ASKED, product=replace(REFUSING, identity_providers=("google",))),
        by("google"),
        ONE,
        "done",
    ),
    "and the company's own": (replace(ASKED, product=REFUSING), by("north"), ONE, "done"),
    "the console wants a proof of ours": (
        replace(ASKED, product=CONSOLE),
        by("google"),
        ONE,
        Step.PASSWORD,
    ),
    "or the company's own": (replace(ASKED, product=CONSOLE), by("north"), ONE, "done"),
    "the platform's wants ours": (AT_PLATFORM, by("google"), [entry(OPERATOR)], Step.PASSWORD),
    "and no company's": (AT_PLATFORM, by("north"), [entry(OPERATOR)], Step.PASSWORD),
    "a company's own signs in to no other": (ASKED, by("north"), HARBORS, Step.PASSWORD),
    "though it is the last one that was opened": (
        replace(ASKED, tenant="harbor"),
        by("north"),
        TWO,
        Step.PASSWORD,
    ),
    "but to its own among them": (replace(ASKED, tenant="northwind"), by("north"), TWO, "done"),
    "a password beside it opens the other": (ASKED, with_password(by("north")), HARBORS, "done"),
    "on the way to a product that is not known yet it will do": (
        Asked(),
        by("north"),
        TWO,
        "done",
    ),
    "looking at one's account takes more, for whoever is in another one": (
        OWN_PAGE,
        by("north"),
        TWO,
        Step.PASSWORD,
    ),
    "and none for whoever is not": (OWN_PAGE, by("north"), ONE, "done"),
    "nor for whoever may be again": (
        OWN_PAGE,
        by("north"),
        [*ONE, entry(GONE)],
        Step.PASSWORD,
    ),
    "nor for whoever operates the platform": (
        OWN_PAGE,
        replace(by("north"), is_operator=True),
        ONE,
        Step.PASSWORD,
    ),
    "who opens their company's products by it all the same": (
        ASKED,
        replace(by("north"), is_operator=True),
        ONE,
        "done",
    ),
    "the operators' pages want a proof of ours": (OPERATORS, by("north"), ONE, Step.PASSWORD),
    "and Google's is none": (OPERATORS, by("google"), ONE, Step.PASSWORD),
    "nor Google's": (OWN_PAGE, by("google"), TWO, "done"),
    "it vouches for nobody's account who is in no company": (
        OWN_PAGE,
        by("north"),
        [],
        Step.PASSWORD,
    ),
    "who changes how they sign in is not known by Google": (
        CHANGING,
        now(by("google", seen=5)),
        ONE,
        Step.PASSWORD,
    ),
    "nor by a company's that does not say when it saw them": (
        CHANGING,
        now(by("north")),
        ONE,
        Step.PASSWORD,
    ),
    "but by one that has seen them just now": (CHANGING, now(by("north", seen=5)), ONE, "done"),
    "max_age is not met by who was there at some time": (
        replace(ASKED, max_age=2 * 3600),
        by("google"),
        ONE,
        Step.PASSWORD,
    ),
    "not even in this attempt": (
        replace(ASKED, max_age=2 * 3600),
        now(by("google")),
        ONE,
        Step.PASSWORD,
    ),
    "but by who was there lately": (
        replace(ASKED, max_age=2 * 3600),
        by("google", seen=7200),
        ONE,
        "done",
    ),
    "and a second more is too long": (
        replace(ASKED, max_age=2 * 3600),
        by("google", seen=7201),
        ONE,
        Step.PASSWORD,
    ),
    "prompt=login wants them seen again": (
        replace(ASKED, prompt=frozenset({"login"})),
        now(by("north")),
        ONE,
        Step.PASSWORD,
    ),
    "and is content with who was": (
        replace(ASKED, prompt=frozenset({"login"})),
        now(by("north", seen=300)),
        ONE,
        "done",
    ),
    "five minutes ago at most": (
        replace(ASKED, prompt=frozenset({"login"})),
        now(by("north", seen=301)),
        ONE,
        Step.PASSWORD,
    ),
    "one's password is nothing where the company's own is the only way": (
        ASKED,
        strictly(with_password(ANYBODY)),
        ONE,
        ToSignIn("north"),
    ),
    "nor is Google": (ASKED, strictly(by("google")), ONE, ToSignIn("north")),
    "however old its word, if what is recent is one's own": (
        replace(ASKED, max_age=60),
        replace(strictly(with_password(by("north"), 5)), fresh=frozenset({"password"})),
        ONE,
        "done",
    ),
    "which alone is still too old": (
        replace(ASKED, max_age=60),
        strictly(by("north")),
        ONE,
        Step.PASSWORD,
    ),
    "and Google's beside a password is nobody's word there": (
        replace(ASKED, max_age=60),
        replace(strictly(with_password(by("google"), 5)), fresh=frozenset({"password"})),
        ONE,
        ToSignIn("north"),
    ),
    "nor is that of a provider that is open to all": (
        ASKED,
        replace(with_password(by("north")), providers=OPEN),
        ONE,
        ToSignIn("north"),
    ),
    "which it is not for people of other domains": (
        ASKED,
        replace(strictly(with_password(ANYBODY)), email="amara@elsewhere.example"),
        ONE,
        "done",
    ),
    "nor for who is left out": (
        ASKED,
        replace(
            with_password(ANYBODY),
            providers=IdentityProviders(
                {"north": replace(STRICT_NORTH, left_out=frozenset({"u"}))}
            ),
        ),
        ONE,
        "done",
    ),
    "nor in another company": (ASKED, strictly(with_password(ANYBODY)), HARBORS, "done"),
    "also where that one has its own": (
        ASKED,
        replace(with_password(ANYBODY), providers=BOTH),
        HARBORS,
        "done",
    ),
    "nor for its guests": (ASKED, strictly(with_password(ANYBODY)), GUEST, "done"),
    "and it lets in": (ASKED, strictly(by("north")), ONE, "done"),
    "one's own account stays one's own": (
        OWN_PAGE,
        strictly(with_password(ANYBODY)),
        TWO,
        "done",
    ),
    "the second factor is ours": (
        replace(ASKED, product=LONG),
        replace(by("north"), enrolled=(TOTP,)),
        ONE,
        ("prove", {"totp"}, False),
    ),
    "unless the company's has asked for one that is trusted": (
        replace(ASKED, product=LONG),
        by("north", second=60),
        ONE,
        "done",
    ),
    "which counts for what the company demands": (ASKED, by("north", second=60), REQUIRED, "done"),
    "as long as it is trusted for it": (
        replace(ASKED, product=LONG),
        said("amr:pwd acr:hwk", by("north", second=60)),
        ONE,
        ("enrol",),
    ),
    "by one of its words": (
        replace(ASKED, product=LONG),
        said("amr:mfa amr:hwk", by("north", second=60)),
        ONE,
        "done",
    ),
    "and not by none": (
        replace(ASKED, product=LONG),
        said("", by("north", second=60)),
        ONE,
        ("enrol",),
    ),
    "in no other company": (
        replace(ASKED, product=LONG),
        with_password(by("north", second=60)),
        HARBORS,
        ("enrol",),
    ),
    "on the way to a product that is not known yet it counts for its own company": (
        Asked(),
        by("north", second=60),
        [*REQUIRED, *HARBOR_REQUIRES],
        "done",
    ),
    "which demands nothing of the other's": (
        Asked(),
        by("north"),
        [*ONE, *HARBOR_REQUIRES],
        "done",
    ),
    "beside a password all of them have a say": (
        Asked(),
        with_password(by("north", second=60)),
        [*REQUIRED, *HARBOR_REQUIRES],
        ("enrol",),
    ),
    "nobody sets up a way in by the word of one company of two": (
        replace(ASKED, product=LONG, tenant="northwind"),
        by("north"),
        TWO,
        Step.PASSWORD,
    ),
    "but by that of the only one": (replace(ASKED, product=LONG), by("north"), ONE, ("enrol",)),
    "nor who operates the platform": (
        replace(ASKED, product=LONG),
        replace(by("north"), is_operator=True),
        ONE,
        Step.PASSWORD,
    ),
    "by Google's as by a password": (
        replace(ASKED, product=LONG),
        by("google"),
        ONE,
        ("enrol",),
    ),
    "but for who operates the platform": (
        replace(ASKED, product=LONG),
        replace(by("google"), is_operator=True),
        ONE,
        Step.PASSWORD,
    ),
    "who has a password beside it": (
        replace(ASKED, product=LONG),
        replace(with_password(by("google")), is_operator=True),
        ONE,
        ("enrol",),
    ),
    "nor does Google's show an operator's account": (
        OWN_PAGE,
        replace(by("google"), is_operator=True),
        ONE,
        Step.PASSWORD,
    ),
    "a second factor of the company's beside another provider's word counts there": (
        replace(ASKED, product=LONG),
        mixed("google", "north"),
        ONE,
        "done",
    ),
    "and nowhere else": (
        replace(ASKED, product=LONG),
        with_password(mixed("google", "north")),
        HARBORS,
        ("enrol",),
    ),
    "one that is too old is asked for there": (
        replace(ASKED, product=STRICT),
        by("north", second=15 * 60 + 1),
        ONE,
        ToSignIn("north"),
    ),
    "and is as old as the person's last visit there": (
        replace(ASKED, product=STRICT),
        replace(
            by("north"),
            proofs={
                **by("north").proofs,
                "upstream_second": Proof(NOW - 5, NOW - 5, "north", NOW - 15 * 60 - 1, "amr:hwk"),
            },
        ),
        ONE,
        ToSignIn("north"),
    ),
    "where that would do": (
        replace(ASKED, essential_acr=("phr",)),
        by("north", second=15 * 60 + 1),
        ONE,
        ("enrol",),
    ),
    "also right after a silent sign-in there": (
        replace(ASKED, product=STRICT),
        replace(by("north", second=15 * 60 + 1), fresh=frozenset({"federated", "upstream_second"})),
        ONE,
        ToSignIn("north"),
    ),
    "a code by e-mail beside another provider is no second factor": (
        replace(ASKED, product=LONG),
        replace(by("google"), enrolled=ONLY_MAIL),
        ONE,
        Step.PASSWORD,
    ),
    "nor is one that was proven": (
        replace(ASKED, product=LONG),
        replace(
            by("google"),
            proofs={**by("google").proofs, "email": Proof(NOW - 5)},
            enrolled=ONLY_MAIL,
        ),
        ONE,
        Step.PASSWORD,
    ),
    "but beside a password": (
        replace(ASKED, product=LONG),
        replace(with_password(by("google")), enrolled=ONLY_MAIL),
        ONE,
        ("prove", {"email"}, False),
    ),
    "a password that is too old holds up who comes by Google": (
        ASKED,
        replace(by("google"), password=AGED),
        OLD_PASSWORD,
        Step.PASSWORD,
    ),
    "and not who comes by their company's": (
        ASKED,
        replace(by("north"), password=AGED),
        OLD_PASSWORD,
        "done",
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_s4_what_another_provider_vouches_for(row: str) -> None:
    asked, proven, entries, expected = ROWS[row]
    decision = next_step(asked, proven, entries, NOW)
    assert ("done" if isinstance(decision, Done) else shape(decision)) == expected


def test_s4_a_token_tells_of_no_second_factor_that_another_company_trusts() -> None:
    proven = with_password(by("north", second=60))
    assert counting_in(ASKED, proven, HARBORS, NOW).keys() == {"password"}
    assert counting_in(ASKED, proven, ONE, NOW).keys() == {
        "password",
        "federated",
        "upstream_second",
    }
