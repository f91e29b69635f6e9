"""A provider of the platform's that becomes another issuer by the set-up file."""

from __future__ import annotations

from dataclasses import replace

from idp import setup
from tests.federation.companies import by_company, key_of, northwinds
from tests.federation.known import upstream
from tests.federation.signing_in import link, register, sign_in
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider, running_upstream
from tests.world import AMARA, BEN, DANA, World, sent_back

__all__ = ["northwinds", "upstream"]


def links(world: World) -> list[tuple[str, str]]:
    found = world.run("SELECT issuer, provider_key FROM linked_accounts ORDER BY email")
    return [tuple(row) for row in found]


def test_its_links_end_the_file_says_how_many_and_everybody_links_anew(
    either_world: World, upstream: UpstreamProvider
) -> None:
    for sub, email in (("1001", AMARA), ("1002", DANA)):
        upstream.account = Account(sub, email)
        assert "code" in sent_back(link(either_world.browser(), email))
    with running_upstream() as another:
        another.account = Account("1001", DANA)
        register(either_world, another, "lms")
        assert links(either_world) == []
        told = either_world.audit("setup.applied")[-1]["changes"]
        [about] = [each for each in told if each["kind"] == "identity_provider"]
        assert about["fields"]["linked_accounts"] == [2, 0]
        page = sign_in(either_world.browser())
        assert "Prove once that this account is yours" in page.text, "its subject is nobody's here"
        assert "code" in sent_back(link(either_world.browser(), DANA))
        assert links(either_world) == [(another.issuer, "google")]


def test_what_was_linked_in_between_is_in_nobodys_way(
    either_world: World, upstream: UpstreamProvider
) -> None:
    """As if it had been written while the file was applied."""
    link(either_world.browser(), AMARA)
    either_world.run("UPDATE linked_accounts SET issuer = 'https://before.example'")
    assert "code" in sent_back(link(either_world.browser(), AMARA))
    assert links(either_world) == [(upstream.issuer, "google")]


def test_another_account_at_the_same_issuer_still_is(
    either_world: World, upstream: UpstreamProvider
) -> None:
    link(either_world.browser(), AMARA)
    upstream.account = replace(upstream.account, sub="another")
    assert "could not be used" in sign_in(either_world.browser()).text
    assert len(links(either_world)) == 1


def test_no_other_links_end_and_none_by_another_change(
    either_world: World, upstream: UpstreamProvider, northwinds: UpstreamProvider
) -> None:
    link(either_world.browser(), AMARA)
    by_company(either_world.browser())
    before = links(either_world)
    register(either_world, upstream, "lms", name="Google, renamed", client_secret="another-one")
    assert links(either_world) == before
    with running_upstream() as another:
        register(either_world, another, "lms")
        assert links(either_world) == [(northwinds.issuer, key_of(either_world))]


def test_a_dry_run_tells_it_and_ends_nothing(
    either_world: World, upstream: UpstreamProvider
) -> None:
    link(either_world.browser(), AMARA)
    before = links(either_world)
    provider = {"key": "google", "name": "Google", "issuer": "https://other.example"}
    file = {"identity_providers": [{**provider, "client_id": "latchkey"}]}
    applied = setup.apply(
        *(either_world.held, setup.read(file, {}, "a test's file"), either_world.clock()),
        base_dir=either_world.settings.keys_dir,
        dry_run=True,
    )
    assert "linked_accounts: 1 → 0" in str(applied.changes[0])
    assert links(either_world) == before


def test_a_companys_links_end_by_the_same_rule(
    either_world: World, northwinds: UpstreamProvider
) -> None:
    by_company(either_world.browser())
    either_world.run("UPDATE linked_accounts SET issuer = 'https://before.example'")
    assert "code" in sent_back(by_company(either_world.browser(), email=BEN))
    assert links(either_world) == [(northwinds.issuer, key_of(either_world))]
