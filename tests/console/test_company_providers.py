"""A company's own identity providers: who sets them up, and what of it can be taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.directory import company_providers, person
from idp.directory.acting import (
    RECENT,
    Changed,
    Forbidden,
    Mistake,
    NotFound,
    RecentSignInNeeded,
    SecondFactorNeeded,
)
from idp.directory.company_provider_form import Filled
from idp.directory.identity_providers import ACTIVE, DISABLED, SECRET_PURPOSE
from idp.directory.roles import ACCOUNT_ADMIN
from idp.grants import provider_changes
from idp.operators import ending, tenants
from tests.console.administering import administering, proven, with_roles
from tests.console.company_providers_of import (
    SECRET,
    SOUND,
    add,
    change,
    columns,
    digest_of,
    known,
    link,
    of_domain,
    route,
    turn,
    verified_domain,
)
from tests.console.operations import operation
from tests.console.people_of import ask, give_role, letters, member_id, user_id
from tests.world import AMARA, BEN, DANA, HANA, World

ENTRA = {"admin": {"permissions": {"console": [company_providers.PERMISSION]}, "rank": 99}}


def test_an_account_admin_sets_one_up_that_signs_a_domain_in(either_world: World) -> None:
    provider_id = add(either_world, trusted_amr="mfa\nhwk mfa", trusted_acr=" urn:mfa ")
    domain_id = verified_domain(either_world)
    assert of_domain(either_world) is None
    route(either_world, domain_id, provider_id)
    found = of_domain(either_world)
    assert found is not None
    assert (found.key, found.issuer, found.tenant) == (provider_id, SOUND.issuer, "northwind")
    assert (found.email_claim, found.name_claim) == ("email", "name")
    assert sorted(found.trusted_amr) == ["hwk", "mfa"]
    assert list(found.trusted_acr) == ["urn:mfa"]
    keys = either_world.held.secret_keys
    assert keys.decrypt(found.sealed_secret, SECRET_PURPOSE).decode() == SECRET
    assert len(either_world.audit("identity_provider.added")) == 1
    (routed,) = either_world.audit("domain.routed")
    assert (routed["before"], routed["after"]) == (None, provider_id)


def test_nothing_that_is_told_has_the_secret(either_world: World) -> None:
    provider_id = add(either_world)
    change(either_world, provider_id, secret=f"{SECRET}-2")
    sealed = columns(either_world, provider_id)["sealed_secret"]
    with proven(either_world) as admin:
        seen = company_providers.get(admin, provider_id).digest
        provider_changes.remove(admin, provider_id, seen)
    told = either_world.audit()
    assert [event["tag"] for event in told if event["tag"].startswith("identity_provider")] == [
        "identity_provider.added",
        "identity_provider.changed",
        "identity_provider.removed",
    ]
    assert told[-1]["before"]["issuer"] == SOUND.issuer
    told_of = f"{told} {letters(either_world)}"
    assert SECRET not in told_of
    assert sealed not in told_of


def test_each_change_is_mailed_to_the_account_admins(either_world: World) -> None:
    provider_id = add(either_world)
    for status in (DISABLED, ACTIVE):
        turn(either_world, provider_id, status)
    written = [(each["to"], each["template"]) for each in letters(either_world)]
    assert sorted(written) == [
        (AMARA, "identity_provider/added"),
        (AMARA, "identity_provider/disabled"),
        (AMARA, "identity_provider/enabled"),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("name", each) for each in ("", " ", "x" * 61, "two\x00lines", "a\u202eb")),
        *(
            ("issuer", each)
            for each in (
                *("", "login.example", "http://login.example", "ftp://localhost", "https://"),
                *("https://a.example?x", "https://a.example?", "https://a.example#x"),
                *("https://a.example#", "https://u@a.example", "https://:p@a.example"),
                *("https://a.example:x", "https://a.example:99999", "https://a b.example"),
                *("https://a\n.example", "https://[a", f"https://a.example/{'x' * 512}"),
                "https://ä.example",
            )
        ),
        *(("client_id", each) for each in ("", "a b", "ä", "x" * 513)),
        *(("secret", each) for each in ("", "  ", "a b", "ä" * 32, "x" * 513)),
        *(("email_claim", each) for each in ("Email", "e-mail", "1x", "x" * 65, "ftp://x.example")),
        ("name_claim", "na me"),
        *(("trusted_acr", each) for each in ("ä", "x" * 201, " ".join(map(str, range(21))))),
        *(("trusted_amr", each) for each in ("pwd", "mfa pin", "kba", "\x00")),
    ],
)
def test_what_can_not_be_taken_is_told_at_its_field(world: World, field: str, value: str) -> None:
    with pytest.raises(Mistake) as refused:
        add(world, **{field: value})
    assert list(refused.value.errors) == [field]
    assert ask(world, "SELECT id FROM company_providers") == []


def test_all_mistakes_are_told_at_once(world: World) -> None:
    with proven(world) as admin, pytest.raises(Mistake) as refused:
        company_providers.add(admin, world.held.secret_keys, Filled())
    assert set(refused.value.errors) == {"name", "issuer", "client_id", "secret"}


@pytest.mark.parametrize("claim", ["upn", "preferred_username", "https://northwind.example/mail"])
def test_a_claim_may_have_another_name(world: World, claim: str) -> None:
    found = columns(world, add(world, email_claim=claim, name_claim=""))
    assert (found["email_claim"], found["name_claim"]) == (claim, "name")


def test_a_secret_stays_where_none_is_given_and_never_goes_to_another_issuer(
    either_world: World,
) -> None:
    provider_id = add(either_world)
    before = columns(either_world, provider_id)["sealed_secret"]
    change(either_world, provider_id, name="Entra")
    assert columns(either_world, provider_id)["sealed_secret"] == before
    for elsewhere in ("https://evil.example", f"{SOUND.issuer}/"):
        with pytest.raises(Mistake) as refused:
            change(either_world, provider_id, issuer=elsewhere)
        assert list(refused.value.errors) == ["secret"]
    assert columns(either_world, provider_id)["issuer"] == SOUND.issuer
    change(either_world, provider_id, issuer="https://new.example", secret="another")
    after = columns(either_world, provider_id)
    assert after["issuer"] == "https://new.example"
    keys = either_world.held.secret_keys
    assert keys.decrypt(after["sealed_secret"], SECRET_PURPOSE) == b"another"


def test_what_is_linked_goes_with_the_provider_or_its_issuer(either_world: World) -> None:
    first, second = add(either_world), add(either_world, issuer="https://other.example")
    link(either_world, BEN, first, "1")
    link(either_world, DANA, first, "2")
    link(either_world, BEN, second, "3")
    either_world.run("DELETE FROM passwords WHERE user_id = :u", u=user_id(either_world, DANA))
    with proven(either_world) as admin:
        shown = company_providers.get(admin, first)
        assert provider_changes.linked(admin, shown) == (2, 1)
    change(either_world, first, name="Only its name")
    assert ask(either_world, "SELECT count(*) FROM linked_accounts") == [(3,)]
    change(either_world, second, issuer="https://new.example", secret="another")
    assert ask(either_world, "SELECT DISTINCT provider_key FROM linked_accounts") == [(first,)]
    with proven(either_world) as admin:
        seen = company_providers.get(admin, first).digest
        provider_changes.remove(admin, first, seen)
    assert ask(either_world, "SELECT * FROM linked_accounts") == []
    (removed,) = either_world.audit("identity_provider.removed")
    assert removed["unlinked"] == 2
    assert known(either_world).find(first) is None


def test_who_saves_after_somebody_else_writes_nothing_over(either_world: World) -> None:
    provider_id = add(either_world)
    seen = digest_of(either_world, provider_id)
    change(either_world, provider_id, name="Somebody else's")
    with pytest.raises(Changed):
        change(either_world, provider_id, seen, name="Mine")
    with proven(either_world) as admin, pytest.raises(Changed):
        company_providers.set_status(admin, provider_id, seen, DISABLED)
    with proven(either_world) as admin, pytest.raises(Changed):
        provider_changes.remove(admin, provider_id, seen)
    assert columns(either_world, provider_id)["name"] == "Somebody else's"
    renewed = digest_of(either_world, provider_id)
    change(either_world, provider_id, name="Somebody else's", secret="another")
    assert digest_of(either_world, provider_id) != renewed


def test_disabled_it_signs_nobody_in_within_a_second_and_on_every_process(
    either_world: World,
) -> None:
    provider_id = add(either_world)
    route(either_world, verified_domain(either_world), provider_id)
    assert of_domain(either_world) is not None
    turn(either_world, provider_id, DISABLED)
    assert of_domain(either_world) is None
    turn(either_world, provider_id, ACTIVE)
    found = of_domain(either_world)
    assert found is not None
    change(either_world, provider_id, client_id="another")
    assert known(either_world).by_key[provider_id].client_id == "another"


def test_a_company_that_is_suspended_or_has_ended_has_none(either_world: World) -> None:
    provider_id = add(either_world)
    route(either_world, verified_domain(either_world), provider_id)
    link(either_world, BEN, provider_id, "1")
    for act, is_there in (
        (tenants.suspend, False),
        (tenants.resume, True),
        (lambda opened, tenant: ending.end(opened, tenant, "northwind"), False),
    ):
        with operation(either_world) as opened:
            act(opened, tenants.get_tenant(opened, "northwind"))
        assert (of_domain(either_world) is not None) is is_there
        assert (known(either_world).find(provider_id) is not None) is is_there
    for table in ("company_providers", "routed_domains", "linked_accounts"):
        assert ask(either_world, f"SELECT * FROM {table}") == [], table


def test_reading_takes_the_permission_and_changing_an_account_admin(either_world: World) -> None:
    provider_id, domain_id = add(either_world), verified_domain(either_world)
    with_roles(either_world, BEN, {"clerk": {"permissions": {"console": ["domains.manage"]}}})
    with proven(either_world, BEN) as admin:
        for read in (company_providers.listing, company_providers.routable):
            with pytest.raises(Forbidden):
                read(admin)
    with_roles(either_world, DANA, ENTRA)
    with proven(either_world, DANA) as admin:
        shown = company_providers.get(admin, provider_id)
        assert not company_providers.may_change(admin)
        keys = either_world.held.secret_keys
        for act in (
            lambda: company_providers.add(admin, keys, SOUND),
            lambda: provider_changes.change(admin, keys, provider_id, shown.digest, SOUND),
            lambda: company_providers.set_status(admin, provider_id, shown.digest, DISABLED),
            lambda: company_providers.route(admin, domain_id, "", provider_id),
            lambda: provider_changes.remove(admin, provider_id, shown.digest),
        ):
            with pytest.raises(Forbidden):
                act()


def test_it_takes_a_second_factor_that_was_just_proven(either_world: World) -> None:
    with administering(either_world) as admin, pytest.raises(SecondFactorNeeded):
        company_providers.add(admin, either_world.held.secret_keys, SOUND)
    with proven(either_world, age=RECENT + 1) as admin, pytest.raises(SecondFactorNeeded):
        company_providers.add(admin, either_world.held.secret_keys, SOUND)
    with proven(either_world) as admin:
        old = replace(admin, actor=replace(admin.actor, auth_time=either_world.clock() - 901))
        with pytest.raises(RecentSignInNeeded):
            company_providers.add(old, either_world.held.secret_keys, SOUND)
    assert ask(either_world, "SELECT * FROM company_providers") == []


def test_whoever_was_demoted_a_moment_ago_changes_nothing(either_world: World) -> None:
    give_role(either_world, DANA, ACCOUNT_ADMIN)
    with proven(either_world, DANA) as admin:
        demoted = admin.actor
    with proven(either_world) as admin:
        person.change_roles(admin, member_id(either_world, DANA), set(), {ACCOUNT_ADMIN})
    with proven(either_world) as admin:
        late = replace(admin, actor=demoted)
        with pytest.raises(Forbidden):
            company_providers.add(late, either_world.held.secret_keys, SOUND)


def test_at_most_five_are_a_companys(either_world: World) -> None:
    for number in range(5):
        add(either_world, name=f"Provider {number}")
    with pytest.raises(Mistake) as refused:
        add(either_world)
    assert list(refused.value.errors) == ["name"]
    add(either_world, HANA, "harbor")


def test_another_companys_provider_is_not_there(either_world: World) -> None:
    theirs = add(either_world, HANA, "harbor")
    ours, domain_id = add(either_world), verified_domain(either_world)
    their_domain = verified_domain(either_world, "harbor.example", "harbor")
    keys = either_world.held.secret_keys
    with proven(either_world) as admin:
        assert [each.provider.id for each in company_providers.listing(admin)] == [ours]
        assert [each.domain.id for each in company_providers.routable(admin)] == [domain_id]
        for act in (
            lambda: company_providers.get(admin, theirs),
            lambda: provider_changes.change(admin, keys, theirs, "", SOUND),
            lambda: company_providers.set_status(admin, theirs, "", DISABLED),
            lambda: provider_changes.remove(admin, theirs, ""),
            lambda: company_providers.route(admin, domain_id, "", theirs),
            lambda: company_providers.route(admin, their_domain, "", ours),
        ):
            with pytest.raises(NotFound):
                act()
    assert of_domain(either_world) is None
