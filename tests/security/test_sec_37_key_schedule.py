"""S37: keys are replaced by the clock, by whichever worker comes first, and a private half does not
outlive its use."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc.jwk import OKPKey

from idp import worker
from idp.secret_values import decode
from idp.tokens import signing_keys
from idp.tokens.key_pairs import ALGORITHMS, PrivateKey, generate
from idp.tokens.signing_keys import CLOCK_SKEW
from tests.security.browsing import at_once, claims_of, header_of, reopened, signer
from tests.security.test_sec_37_signing_keys import kids, published, revoke, rotate
from tests.world import World


def by_the_clock(world: World) -> list[str]:
    """What the worker makes of this moment: the algorithms of the keys that it made."""
    before = len(world.audit("signing_key.made"))
    worker.rotate_keys(world.held, world.clock())
    world.clock.move(2)
    return [event["alg"] for event in world.audit("signing_key.made")[before:]]


def with_private_half(world: World) -> set[str]:
    return {kid for (kid,) in world.run("SELECT kid FROM signing_keys WHERE private_key <> ''")}


def test_sec_37_a_key_of_each_algorithm_is_replaced_when_it_is_old_enough(
    either_world: World,
) -> None:
    world, max_age = either_world, either_world.settings.signing_key_max_age
    assert max_age == 90 * 86_400
    world.clock.move(max_age - 1)
    assert by_the_clock(world) == []
    first = {alg: signer(world, alg).kid for alg in ALGORITHMS}
    assert by_the_clock(world) == list(ALGORITHMS)
    assert {alg: signer(world, alg).kid for alg in ALGORITHMS} == first
    assert by_the_clock(world) == []
    world.clock.move(world.settings.signing_key_lead)
    assert not {signer(world, alg).kid for alg in ALGORITHMS} & set(first.values())
    world.clock.move(max_age - 10)
    assert by_the_clock(world) == []
    world.clock.move(20)
    assert by_the_clock(world) == list(ALGORITHMS)


def test_sec_37_only_what_is_due_is_replaced(world: World) -> None:
    """One that was rotated by hand, or made in an emergency, has its own age."""
    world.clock.move(world.settings.signing_key_max_age - 86_400)
    rotate(world, "RS256")
    revoke(world, signer(world, "ES256").kid)
    world.clock.move(2 * 86_400)
    assert by_the_clock(world) == ["PS256", "Ed25519", "EdDSA"]


def test_sec_37_a_waiting_key_that_is_revoked_keeps_no_old_one_signing(world: World) -> None:
    world.clock.move(world.settings.signing_key_max_age)
    old = signer(world).kid
    by_the_clock(world)
    [waiting] = [kid for kid in kids(world) if kid.startswith("es256") and kid != old]
    revoke(world, waiting)
    assert by_the_clock(world) == ["ES256"]


def test_sec_37_many_workers_at_once_make_one_key_of_each(either_world: World) -> None:
    world = either_world
    world.clock.move(world.settings.signing_key_max_age)
    processes = [world, *(reopened(world, world.settings) for _ in range(3))]
    at_once([lambda p=p: worker.rotate_keys(p.held, p.clock()) for p in processes * 2])  # type: ignore[misc]
    made = [event["alg"] for event in world.audit("signing_key.made")]
    assert sorted(made) == sorted(2 * ALGORITHMS)
    for process in processes[1:]:
        process.held.database.close()


def test_sec_37_a_private_half_goes_once_every_process_signs_by_the_next(
    either_world: World,
) -> None:
    world = either_world
    old, token = signer(world).kid, world.browser().tokens()["id_token"]
    rotate(world)
    world.clock.move(world.settings.signing_key_lead + CLOCK_SKEW - 3)
    by_the_clock(world)
    assert old in with_private_half(world)
    world.clock.move(2)
    by_the_clock(world)
    assert old not in with_private_half(world)
    assert old in kids(world)
    assert len(with_private_half(world)) == len(ALGORITHMS)
    process = reopened(world, world.settings)
    assert process.browser().tokens()["id_token"]
    assert process.held.key_ring.current(world.clock()).find(header_of(token)["kid"])
    process.held.database.close()


def test_sec_37_a_hint_signed_by_a_key_that_is_long_gone_is_still_ours(world: World) -> None:
    """Who keeps an ID token to sign out by keeps it longer than its key signs."""
    browser = world.browser()
    hint = browser.tokens()["id_token"]
    world.clock.move(world.settings.signing_key_max_age)
    by_the_clock(world)
    world.clock.move(world.settings.signing_key_lead + 86_400)
    by_the_clock(world)
    process = reopened(world, world.settings)
    assert header_of(hint)["kid"] not in with_private_half(world) | kids(process)
    answer = process.browser().authorize(prompt="none", id_token_hint=hint)
    assert "error=login_required" in answer.headers["Location"]
    process.held.database.close()


def test_sec_37_a_revoked_key_has_no_private_half_from_then_on(either_world: World) -> None:
    kid = signer(either_world).kid
    assert revoke(either_world, kid)
    assert kid not in with_private_half(either_world)


def test_sec_37_what_was_revoked_before_is_erased_too(world: World) -> None:
    kid = signer(world).kid
    [(sealed,)] = world.run("SELECT private_key FROM signing_keys WHERE kid = :kid", kid=kid)
    revoke(world, kid)
    world.run(
        "UPDATE signing_keys SET private_key = :sealed WHERE kid = :kid", sealed=sealed, kid=kid
    )
    by_the_clock(world)
    assert kid not in with_private_half(world)


@pytest.mark.parametrize("name", ["Ed25519", "EdDSA"])
def test_sec_37_an_edwards_signature_goes_by_the_name_that_its_client_knows(
    world: World, name: str
) -> None:
    """RFC 9864 has renamed it, and most libraries know the older name alone."""
    by: dict[str, Any] = {"id_token_signed_response_alg": name}
    world.apply(clients=[{"client_id": "lms", "client_name": "LMS", "product": "lms", **by}])
    world.clock.move(2)
    token = world.browser().tokens()["id_token"]
    header, body = header_of(token), claims_of(token)
    assert header["alg"] == name
    [jwk] = [key for key in published(world) if key["kid"] == header["kid"]]
    assert (jwk["alg"], jwk["crv"]) == (name, "Ed25519")
    key: Any = OKPKey.import_key(jwk)
    signed, _, signature = token.rpartition(".")
    key.raw_value.verify(decode(signature), signed.encode())
    assert len(decode(body["at_hash"]) or b"") == 32  # the left half of SHA-512


def test_sec_37_a_key_made_in_between_is_no_second_one(world: World) -> None:
    """A worker that found it due, and was overtaken before it wrote."""
    world.clock.move(world.settings.signing_key_max_age)
    held, lead = world.held, world.settings.signing_key_lead
    by_the_clock(world)
    with held.database.transaction() as db:
        assert signing_keys.rotate(db, held.secret_keys, "ES256", lead, world.clock()) is None


def test_sec_37_whoever_makes_the_next_key_meanwhile_a_revoked_one_is_replaced_at_once(
    postgres_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, busy = postgres_world, list[str]()

    def overtaken(alg: str) -> PrivateKey:
        if not busy:
            busy.append(alg)
            assert rotate(world, alg)
        return generate(alg)

    monkeypatch.setattr(signing_keys, "generate", overtaken)
    revoked = signer(world, "ES256").kid
    assert revoke(world, revoked)
    assert signer(world, "ES256").kid != revoked
    assert len(kids(world)) == len(ALGORITHMS) + 1
