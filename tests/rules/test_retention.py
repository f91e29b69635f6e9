"""What is swept away, and what has to stay."""

from __future__ import annotations

from typing import Any

import pytest

from idp import limits, outbox, retention, used_once
from idp.audit import NOWHERE
from idp.credentials import sign_up_links
from idp.grants import revoked_tokens
from idp.retention import DAY, KEEP_SPENT
from idp.sessions import logout
from tests.security.device_flow import TELEVISION, codes
from tests.security.protocol import register
from tests.world import START, World

LATER = START + 200 * DAY


@pytest.fixture
def tokens(either_world: World) -> dict[str, Any]:
    return either_world.browser().tokens(scope="openid offline_access")


def count(world: World, table: str) -> int:
    [(found,)] = world.run(f"SELECT count(*) FROM {table}")
    return int(found)


def sweep(world: World, now: float) -> int:
    return retention.sweep(world.held.database, now)


def test_a_sweep_of_a_fresh_provider_takes_nothing(
    either_world: World, tokens: dict[str, Any]
) -> None:
    assert sweep(either_world, START) == 0
    assert either_world.introspect(tokens["refresh_token"])["active"]


def test_passing_things_go_when_they_expire_and_not_before(either_world: World) -> None:
    held = either_world.held
    held.ephemeral.put("key", "value", 60.0, START)
    with held.database.transaction() as db:
        used_once.spend(db, "jti", START + 60, START)
        revoked_tokens.revoke(db, "jti", START + 60)
    passing = 2 + count(either_world, "ephemeral_values")
    assert sweep(either_world, START + 59) == 0
    assert sweep(either_world, START + 60) == passing
    assert [count(either_world, table) for table in ("used_names", "revoked_tokens")] == [0, 0]


def test_a_link_that_opens_an_account_goes_with_its_hour(either_world: World) -> None:
    held = either_world.held
    with held.database.transaction() as db:
        sign_up_links.make(db, held.secret_keys, "a@b.example", "payments", "en", "/", START)
    assert sweep(either_world, START + 3599) == 0
    assert sweep(either_world, START + 3600) == 1
    assert count(either_world, "sign_up_links") == 0


def test_a_pause_is_never_swept_away_while_it_lasts(either_world: World) -> None:
    with either_world.held.database.transaction() as db:
        for _ in range(5):
            limits.reserve(db, "amara", START, 5, 1800.0)
    sweep(either_world, START + 1799)
    assert count(either_world, "attempt_limits") == 1
    sweep(either_world, START + 1800)
    assert count(either_world, "attempt_limits") == 1
    sweep(either_world, LATER)
    assert count(either_world, "attempt_limits") == 0


def test_a_spent_code_is_known_as_long_as_what_it_gave_may_live(
    either_world: World, tokens: dict[str, Any]
) -> None:
    absolute = either_world.settings.refresh_absolute_lifetime
    sweep(either_world, START + absolute + KEEP_SPENT - 1)
    assert count(either_world, "grants") == 1
    sweep(either_world, START + absolute + KEEP_SPENT)
    assert count(either_world, "grants") == 0


def test_a_code_that_nobody_redeemed_goes_like_one_that_was(either_world: World) -> None:
    either_world.browser().code()
    dead_at = START + either_world.settings.session_absolute_lifetime
    sweep(either_world, dead_at + KEEP_SPENT - 1)
    assert count(either_world, "grants") == 1
    sweep(either_world, dead_at + KEEP_SPENT)
    assert count(either_world, "grants") == 0


def test_a_replay_is_recognised_after_a_sweep(either_world: World) -> None:
    visitor = either_world.browser()
    code = visitor.code(scope="openid offline_access")
    first = either_world.redeem(code).json or {}
    either_world.clock.move(5 * DAY)
    sweep(either_world, either_world.clock())
    assert either_world.redeem(code).status_code == 400
    assert not either_world.introspect(first["refresh_token"])["active"]
    assert len(either_world.audit("code.replayed")) == 1


def test_a_session_stays_as_long_as_a_grant_rests_on_it(
    either_world: World, tokens: dict[str, Any]
) -> None:
    sweep(either_world, START + 60 * DAY)
    assert (count(either_world, "sessions"), count(either_world, "client_sessions")) == (1, 1)
    sweep(either_world, LATER)
    assert (count(either_world, "sessions"), count(either_world, "client_sessions")) == (0, 0)


def test_a_message_that_waits_is_never_swept_away(
    either_world: World, tokens: dict[str, Any]
) -> None:
    [(session_id,)] = either_world.run("SELECT id FROM sessions")
    with either_world.held.database.transaction() as db:
        logout.end(db, session_id, "a test", START, NOWHERE)
        outbox.enqueue(db, "mail", {}, START)
    either_world.run("UPDATE outbox SET status = 'delivered' WHERE kind = 'mail'")
    sweep(either_world, START + KEEP_SPENT - 1)
    assert count(either_world, "outbox") == 2
    sweep(either_world, LATER)
    assert either_world.run("SELECT kind FROM outbox") == [(logout.MESSAGE,)]


def test_the_audit_and_the_directory_are_never_swept(
    either_world: World, tokens: dict[str, Any]
) -> None:
    lasting = ("audit_events", "users", "memberships", "clients", "signing_keys", "passwords")
    before = [count(either_world, table) for table in lasting]
    sweep(either_world, START + 10_000 * DAY)
    assert [count(either_world, table) for table in lasting] == before


def test_sweeping_twice_takes_nothing_more(either_world: World, tokens: dict[str, Any]) -> None:
    assert sweep(either_world, LATER) > 0
    assert sweep(either_world, LATER) == 0


def test_a_device_that_nobody_let_in_is_kept_for_a_day(either_world: World) -> None:
    """Until then it hears that it is too late, and not that it was never there."""
    register(either_world, TELEVISION)
    told = codes(either_world, TELEVISION)
    over = either_world.clock() + told["expires_in"]
    for late, left in ((DAY - 1, 1), (DAY, 0)):
        sweep(either_world, over + late)
        assert count(either_world, "decoupled_requests") == left
