"""S37: a signing key is known before it signs, private all its life, and gone when nothing of it
is left."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from idp.errors import SetupMistake
from idp.settings import Settings
from idp.tokens import signing_keys
from idp.tokens.key_pairs import ALGORITHMS
from idp.tokens.others_keys import SIGNATURES
from idp.tokens.signed_tokens import mint
from idp.tokens.signing_keys import CLOCK_SKEW, KeyView
from tests.security.browsing import (
    at_once,
    claims_of,
    dump,
    encoded,
    header_of,
    reopened,
    signer,
)
from tests.world import World

PUBLIC_MEMBERS = {
    "RSA": {"kty", "kid", "alg", "use", "n", "e"},
    "EC": {"kty", "kid", "alg", "use", "crv", "x", "y"},
    "OKP": {"kty", "kid", "alg", "use", "crv", "x"},
}


def published(world: World) -> list[dict[str, Any]]:
    return list((world.get("/jwks").json or {})["keys"])


def kids(world: World) -> set[str]:
    return {str(key["kid"]) for key in published(world)}


def rotate(world: World, alg: str = "ES256") -> str | None:
    with world.held.database.transaction() as db:
        made = signing_keys.rotate(
            db, world.held.secret_keys, alg, world.settings.signing_key_lead, world.clock()
        )
    world.clock.move(2)  # a key ring may be a second old
    return made


def revoke(world: World, kid: str) -> bool:
    with world.held.database.transaction() as db:
        done = signing_keys.revoke(db, world.held.secret_keys, kid, world.clock())
    world.clock.move(2)
    return done


def test_sec_37_the_published_keys_have_public_members_and_no_others(world: World) -> None:
    for alg in ALGORITHMS:
        rotate(world, alg)
    keys = published(world)
    assert len(keys) == 2 * len(ALGORITHMS)
    for key in keys:
        assert set(key) == PUBLIC_MEMBERS[key["kty"]]
        assert key["use"] == "sig"
    assert {key["alg"] for key in keys} == set(ALGORITHMS)


def test_sec_37_no_two_keys_have_the_same_name_or_the_same_numbers(world: World) -> None:
    for alg in ALGORITHMS:
        rotate(world, alg)
    keys = published(world)
    assert len({key["kid"] for key in keys}) == len(keys)
    assert len({key.get("n") or key["x"] for key in keys}) == len(keys)


def test_sec_37_a_new_key_is_published_at_once_and_signs_when_everybody_can_know_it(
    world: World,
) -> None:
    old = signer(world).kid
    made_at = world.clock()
    new = rotate(world)
    assert new in kids(world)
    assert old in kids(world)
    max_age = int(world.get("/jwks").headers["Cache-Control"].rpartition("=")[2])
    while signer(world).kid == old:
        world.clock.move(1)
    assert signer(world).kid == new
    assert world.clock() - made_at >= max_age


@pytest.mark.parametrize("lead", [0, 1, 30])
def test_sec_37_a_lead_shorter_than_the_keys_may_be_cached_is_refused(lead: int) -> None:
    with pytest.raises(SetupMistake, match="SIGNING_KEY_LEAD"):
        Settings(signing_key_lead=lead)


def test_sec_37_an_old_key_stays_until_its_last_token_has_expired(world: World) -> None:
    old = signer(world)
    rotate(world)
    made_at = world.clock() - 2
    world.clock.now = made_at + world.settings.signing_key_lead - 1
    last = world.browser().tokens()["access_token"]
    assert header_of(last)["kid"] == old.kid
    longest = max(world.settings.access_token_lifetime, world.settings.id_token_lifetime)
    world.clock.now = made_at + world.settings.signing_key_lead + longest + CLOCK_SKEW - 1
    assert old.kid in kids(world)
    world.clock.move(2)
    assert old.kid not in kids(world)
    assert claims_of(last)["exp"] + CLOCK_SKEW <= world.clock()


def test_sec_37_every_token_verifies_by_the_published_keys_all_its_life(world: World) -> None:
    browser = world.browser()
    refresh = browser.tokens()["refresh_token"]
    alive: list[str] = []
    for step in range(12):
        if step % 3 == 0:
            rotate(world)
            rotate(world, "RS256")
        given = world.refresh(refresh).json or {}
        alive += [given["access_token"], given["id_token"]]
        alive = [token for token in alive if claims_of(token)["exp"] > world.clock()]
        keys = KeySet.import_key_set({"keys": published(world)})
        for token in alive:
            jws.deserialize_compact(token, keys, registry=SIGNATURES)
        world.clock.move(240)


def private_spellings(key: KeyView) -> dict[str, bytes]:
    """The private half in each form that it could lie about in."""
    assert key.private
    der = key.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    numbers: list[bytes] = []
    if isinstance(key.private, rsa.RSAPrivateKey):
        secret = key.private.private_numbers()
        numbers = [n.to_bytes(256, "big").lstrip(b"\0") for n in (secret.d, secret.p, secret.q)]
    elif isinstance(key.private, ec.EllipticCurvePrivateKey):
        numbers = [key.private.private_numbers().private_value.to_bytes(32, "big")]
    elif isinstance(key.private, ed25519.Ed25519PrivateKey):
        numbers = [key.private.private_bytes_raw()]
    found = {"DER": der[-40:]} | {f"number {i}": n[:24] for i, n in enumerate(numbers)}
    return {
        f"{name} as {form}": spelled
        for name, raw in found.items()
        for form, spelled in {
            "bytes": raw,
            "hex": raw.hex().encode(),
            "base64": base64.b64encode(raw[: len(raw) // 3 * 3]),
            "base64url": encoded(raw[: len(raw) // 3 * 3]).encode(),
        }.items()
    }


def test_sec_37_no_private_key_lies_open_in_the_database(world: World) -> None:
    for alg in ALGORITHMS:
        rotate(world, alg)
    keys = world.held.key_ring.current(world.clock()).keys
    raw = b"".join(path.read_bytes() for path in sorted(world.folder.glob("latchkey.db*")))
    assert all(key.kid.encode() in raw for key in keys)
    assert b"PRIVATE KEY" not in raw
    for key in keys:
        for form, spelled in private_spellings(key).items():
            assert spelled not in raw, f"{key.alg}: {form}"


def test_sec_37_the_master_key_is_in_no_row_and_readable_by_its_owner_alone(world: World) -> None:
    path = world.settings.keys_dir / "master.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().strip() not in dump(world)


def test_sec_37_a_sealed_key_cannot_be_moved_to_another_name(world: World) -> None:
    """Nor opened with another master key: either would be a way to swap keys by SQL."""
    ec_kid, other_kid = signer(world, "ES256").kid, signer(world, "RS256").kid
    ((sealed,),) = world.run("SELECT private_key FROM signing_keys WHERE kid = :kid", kid=ec_kid)
    assert world.held.secret_keys.decrypt(sealed, ec_kid)
    with pytest.raises(SetupMistake):
        world.held.secret_keys.decrypt(sealed, other_kid)
    with pytest.raises(SetupMistake):
        replace(world.held.secret_keys, sealing=bytes(32)).decrypt(sealed, ec_kid)


def test_sec_37_fifty_rotations_at_once_make_one_key(either_world: World) -> None:
    def once() -> str | None:
        held = either_world.held
        lead = either_world.settings.signing_key_lead
        with held.database.transaction() as db:
            return signing_keys.rotate(db, held.secret_keys, "ES256", lead, either_world.clock())

    before = kids(either_world)
    made = at_once([once] * 50)
    assert sum(kid is not None for kid in made) == 1
    either_world.clock.move(2)
    assert len(kids(either_world) - before) == 1
    assert len(either_world.audit("signing_key.made")) == len(ALGORITHMS) + 1
    either_world.clock.move(either_world.settings.signing_key_lead)
    assert signer(either_world).kid in made


def test_sec_37_a_second_rotation_waits_for_the_first(world: World) -> None:
    assert rotate(world)
    assert rotate(world) is None
    world.clock.move(world.settings.signing_key_lead)
    assert rotate(world)


def test_sec_37_a_revoked_key_is_worthless_at_once_everywhere(either_world: World) -> None:
    browser = either_world.browser()
    tokens = browser.tokens()
    second_process = reopened(either_world, either_world.settings)
    assert second_process.userinfo(tokens["access_token"]).status_code == 200
    kid = header_of(tokens["access_token"])["kid"]
    assert revoke(either_world, kid)
    for process in (either_world, second_process):
        assert kid not in kids(process)
        assert process.userinfo(tokens["access_token"]).status_code == 401
        assert process.introspect(tokens["access_token"]) == {"active": False}
    renewed = either_world.refresh(tokens["refresh_token"]).json or {}
    assert header_of(renewed["access_token"])["kid"] != kid
    assert second_process.userinfo(renewed["access_token"]).status_code == 200
    second_process.held.database.close()


def test_sec_37_revoking_twice_or_an_unknown_key_makes_nothing(world: World) -> None:
    kid = signer(world).kid
    assert revoke(world, kid)
    before = kids(world)
    assert not revoke(world, kid)
    assert not revoke(world, "no-such-key")
    assert kids(world) == before


def test_sec_37_revoking_a_key_that_signs_no_longer_leaves_the_signer_alone(world: World) -> None:
    """An unknown key that signs at once is the price of an emergency, and here is none."""
    old = signer(world).kid
    rotate(world)
    world.clock.move(world.settings.signing_key_lead)
    current = signer(world).kid
    assert revoke(world, old)
    assert old not in kids(world)
    assert signer(world).kid == current


def test_sec_37_revoking_the_signer_brings_no_older_key_back(world: World) -> None:
    """It may have left the published set long ago."""
    old = signer(world).kid
    rotate(world)
    world.clock.move(world.settings.signing_key_lead + 86_400)
    assert old not in kids(world)
    revoked = signer(world).kid
    assert revoke(world, revoked)
    assert signer(world).kid not in (old, revoked)
    assert signer(world).kid in kids(world)


def test_sec_37_revoking_a_key_before_it_signs_leaves_the_signer_alone(world: World) -> None:
    current = signer(world).kid
    waiting = rotate(world)
    assert waiting
    assert revoke(world, waiting)
    world.clock.move(2 * world.settings.signing_key_lead)
    assert signer(world).kid == current
    assert waiting not in kids(world)
    assert rotate(world)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_sec_37_what_is_minted_is_what_another_library_verifies(world: World, alg: str) -> None:
    key = signer(world, alg)
    claims = {"iss": world.settings.issuer, "sub": "somebody", "name": "Zoë “Z” <b>", "n": 2**40}
    keys = KeySet.import_key_set({"keys": published(world)})
    for _ in range(25):  # an ECDSA number is shorter than 32 bytes now and then
        minted = mint(key, "at+jwt", claims)
        opened = jwt.decode(minted, keys, registry=SIGNATURES)
        assert opened.claims == claims
        assert opened.header == {"alg": alg, "kid": key.kid, "typ": "at+jwt"}


def test_sec_37_the_keys_folder_holds_no_signing_key(world: World) -> None:
    """All that lies in files is the master key and what the demo's products are given."""
    names = {path.name for path in Path(world.settings.keys_dir).rglob("*") if path.is_file()}
    assert {name for name in names if not name.endswith(".secret")} == {"master.key"}
