"""S55: what a key is used for is judged by the server (WebAuthn Level 3 section 7.2)."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from idp.audit import NOWHERE
from idp.credentials import challenges, factors, passkeys
from idp.credentials.challenges import ENROL, SECOND_FACTOR, SIGN_IN
from idp.credentials.passkeys import PASSKEY, SECURITY_KEY
from idp.credentials.webauthn import Unsound
from idp.directory import users
from tests.authenticator import EDDSA, ES256, RS256, Authenticator, b64, unb64
from tests.console.people_of import letters
from tests.passkeys_of import Keys
from tests.security.test_sec_55_webauthn_registration import FOREIGN_ORIGINS
from tests.world import AMARA, BEN, ISSUER, World

TAMPERED: dict[str, dict[str, Any]] = {
    "the other ceremony": {"client": {"type": "webauthn.create"}},
    "no type": {"client": {"type": None}},
    "no challenge": {"client": {"challenge": None}},
    "a challenge of their own": {"client": {"challenge": b64(b"x" * 32)}},
    "no origin": {"client": {"origin": None}},
    "a frame of another site": {"client": {"crossOrigin": True}},
    "a site around ours": {"client": {"crossOrigin": True, "topOrigin": "https://evil.example"}},
    "our own site around ours": {"client": {"topOrigin": ISSUER}},
    "another relying party": {"rp_id": "evil.example"},
    "nobody was there": {"flags": {"up": False}},
    "can be backed up all of a sudden": {"flags": {"be": True}},
    "backed up, and not to be": {"flags": {"bs": True}},
    "a signature of something else": {"signed": b"x"},
    "no signature": {"response": {"signature": ""}},
    "a signature that is none": {"response": {"signature": b64(b"x" * 70)}},
    "an unknown credential": {"answer": {"id": b64(b"y" * 16), "rawId": b64(b"y" * 16)}},
    "two ids": {"answer": {"id": b64(b"y" * 16)}},
    "another type of credential": {"answer": {"type": "password"}},
    "another account": {"response": {"userHandle": b64(b"z" * 64)}},
    "an empty account": {"response": {"userHandle": ""}},
    "an account that is no text": {"response": {"userHandle": 7}},
    "no data": {"response": {"authenticatorData": ""}},
}
TWO = [SIGN_IN, SECOND_FACTOR]


@pytest.fixture
def keys(world: World) -> Keys:
    return Keys(world)


def refused(keys: Keys, purpose: str, answer: str, **changed: str) -> str:
    """Nothing is proven, and why is in the audit log."""
    before = keys.listed()
    with pytest.raises(Unsound):
        keys.prove(purpose, answer, NOWHERE, **changed)
    assert keys.listed() == before
    tag = "sign_in.failed" if purpose == SIGN_IN else "second_factor.failed"
    told = keys.world.audit(tag)[-1]
    assert told["method"] == PASSKEY
    return str(told["reason"])


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
@pytest.mark.parametrize("synced", [False, True])
@pytest.mark.parametrize("purpose", TWO)
def test_sec_55_m11_a_passkey_proves_whose_it_is(
    world: World, algorithm: int, synced: bool, purpose: str
) -> None:
    keys = Keys(world, BEN)
    made = keys.enrol(Authenticator(algorithm, synced=synced))
    enrolled_at = world.clock()
    for _ in range(3):
        world.clock.move(60.0)
        proof = keys.prove(purpose, made.get(keys.ask(purpose)))
        assert (proof.person.email, proof.method) == (BEN, PASSKEY)
        assert proof.enrolled_at == enrolled_at
    (listed,) = keys.listed()
    assert listed.last_used_at == world.clock()


def test_sec_55_it_is_kept_the_same_on_both_databases(either_world: World) -> None:
    keys = Keys(either_world)
    made = keys.enrol()
    assert keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN))).person.email == AMARA
    refused(keys, SIGN_IN, made.get(keys.ask(SIGN_IN), uses=1))
    assert keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN))).method == PASSKEY


@pytest.mark.parametrize("case", TAMPERED)
@pytest.mark.parametrize("purpose", TWO)
def test_sec_55_an_answer_with_one_thing_wrong_is_refused(
    keys: Keys, case: str, purpose: str
) -> None:
    made = keys.enrol()
    refused(keys, purpose, made.get(keys.ask(purpose), **TAMPERED[case]))
    assert keys.prove(purpose, made.get(keys.ask(purpose))).method == PASSKEY


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_sec_55_an_answer_from_another_origin_is_refused(keys: Keys, origin: str) -> None:
    made = keys.enrol()
    refused(keys, SIGN_IN, made.get(keys.ask(SIGN_IN), client={"origin": origin}))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '"x"', "{", '{"response": []}'])
def test_sec_55_what_is_no_answer_proves_nothing(keys: Keys, text: str) -> None:
    refused(keys, SIGN_IN, text)


@pytest.mark.parametrize("flags", [{"be": False, "bs": False}, {"be": False}])
def test_sec_55_a_passkey_that_was_to_be_backed_up_stays_so(
    keys: Keys, flags: dict[str, bool]
) -> None:
    made = keys.enrol(Authenticator(synced=True))
    refused(keys, SIGN_IN, made.get(keys.ask(SIGN_IN), flags=flags))


def test_sec_55_a_passkey_may_be_backed_up_later_or_no_more(keys: Keys, world: World) -> None:
    made = keys.enrol(Authenticator(synced=True))
    for is_backed_up in (False, True):
        keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN), flags={"bs": is_backed_up}))
        assert world.run("SELECT is_backed_up FROM passkeys") == [(is_backed_up,)]


def test_sec_55_m11_nobody_signs_in_without_having_been_verified(keys: Keys) -> None:
    made = keys.enrol()
    answer = made.get(keys.ask(SIGN_IN), flags={"uv": False})
    assert "user was not verified" in refused(keys, SIGN_IN, answer)


def test_sec_55_a_key_that_verifies_nobody_is_a_second_factor_alone(keys: Keys) -> None:
    made = keys.enrol(Authenticator(verifies=False))
    for _ in range(2):
        proof = keys.prove(SECOND_FACTOR, made.get(keys.ask(SECOND_FACTOR)))
        assert proof.method == SECURITY_KEY
    refused(keys, SIGN_IN, made.get(keys.ask(SIGN_IN)))


def test_sec_55_a_passkey_that_verified_nobody_this_time_is_a_security_key(keys: Keys) -> None:
    made = keys.enrol()
    answer = made.get(keys.ask(SECOND_FACTOR), flags={"uv": False})
    assert keys.prove(SECOND_FACTOR, answer).method == SECURITY_KEY
    assert keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN))).method == PASSKEY


def test_sec_55_a_key_that_verified_nobody_at_first_is_believed_after_a_second_factor(
    keys: Keys,
) -> None:
    made = keys.enrol(Authenticator(verifies=False))
    made.verifies = True
    reason = refused(keys, SIGN_IN, made.get(keys.ask(SIGN_IN)))
    assert reason == "it was enrolled without verifying the person"
    first = keys.prove(SECOND_FACTOR, made.get(keys.ask(SECOND_FACTOR)))
    assert first.method == SECURITY_KEY
    assert keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN))).method == PASSKEY


@pytest.mark.parametrize("count", [0, 1, 4, 5])
def test_sec_55_a_counter_that_did_not_go_up_is_refused_and_its_owner_told(
    world: World, count: int
) -> None:
    keys = Keys(world)
    made = keys.enrol(label="Blue key")
    keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN), uses=5))
    world.run("DELETE FROM outbox")
    answer = made.get(keys.ask(SIGN_IN), uses=count)
    assert refused(keys, SIGN_IN, answer) == "its counter did not go up"
    (event,) = world.audit("passkey.count_fell")
    assert (event["actor"], event["label"]) == (keys.person.id, "Blue key")
    assert [(each["to"], each["template"]) for each in letters(world)] == [
        (AMARA, "passkey/count_fell")
    ]


def test_sec_55_a_forged_counter_is_blamed_on_nobodys_copy(keys: Keys, world: World) -> None:
    """Whoever has not the key can't make its owner throw it away."""
    made = keys.enrol()
    keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN), uses=5))
    refused(keys, SIGN_IN, made.get(keys.ask(SIGN_IN), uses=1, signed=b"forged"))
    assert world.audit("passkey.count_fell") == []


def test_sec_55_the_copy_of_a_key_is_noticed(keys: Keys) -> None:
    made = keys.enrol()
    copy = made.copy()
    keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN)))
    refused(keys, SIGN_IN, copy.get(keys.ask(SIGN_IN)))


def test_sec_55_what_counts_nothing_need_not_count(keys: Keys) -> None:
    made = keys.enrol(Authenticator(counts=False))
    for _ in range(3):
        assert keys.prove(SIGN_IN, made.get(keys.ask(SIGN_IN))).method == PASSKEY


@pytest.mark.parametrize("purpose", TWO)
@pytest.mark.parametrize(
    ("changed", "value"),
    [("browser", "another"), ("within", "another"), ("purpose", ENROL), ("user_id", "")],
)
def test_sec_55_a_challenge_serves_what_it_was_made_for_alone(
    keys: Keys, purpose: str, changed: str, value: str
) -> None:
    made = keys.enrol()
    if (purpose, changed) == (SIGN_IN, "user_id"):
        value = keys.person.id
    made_for_another = keys.ask(purpose, **{changed: value}) if changed != "purpose" else None
    answer = made.get(made_for_another or keys.ask(value))
    assert refused(keys, purpose, answer) == "no such challenge was made for this"


def test_sec_55_a_challenge_of_a_sign_in_proves_no_second_factor(keys: Keys) -> None:
    made = keys.enrol()
    for asked, used in ((SIGN_IN, SECOND_FACTOR), (SECOND_FACTOR, SIGN_IN)):
        refused(keys, used, made.get(keys.ask(asked)))


def test_sec_55_a_challenge_serves_once_whatever_came_of_it(keys: Keys) -> None:
    made = keys.enrol()
    asked = keys.ask(SIGN_IN)
    refused(keys, SIGN_IN, made.get(asked, flags={"up": False}))
    refused(keys, SIGN_IN, made.get(asked))
    answer = made.get(keys.ask(SIGN_IN))
    assert keys.prove(SIGN_IN, answer).person.email == AMARA
    refused(keys, SIGN_IN, answer)


def test_sec_55_a_challenge_serves_for_ten_minutes(keys: Keys, world: World) -> None:
    made = keys.enrol()
    asked = keys.ask(SIGN_IN)
    world.clock.move(challenges.LIFETIME)
    refused(keys, SIGN_IN, made.get(asked))


def test_sec_55_of_twenty_at_once_with_one_answer_one_gets_in(either_world: World) -> None:
    """Of a key that counts nothing, so that the challenge alone can tell."""
    keys = Keys(either_world)
    made = keys.enrol(Authenticator(counts=False))
    answer = made.get(keys.ask(SIGN_IN))
    outcomes: list[str] = []
    start = threading.Barrier(20)

    def come() -> None:
        start.wait()
        try:
            outcomes.append(keys.prove(SIGN_IN, answer).method)
        except Unsound as refusal:
            outcomes.append(refusal.detail)

    crowd = [threading.Thread(target=come) for _ in range(20)]
    for each in crowd:
        each.start()
    for each in crowd:
        each.join()
    assert sorted(outcomes) == ["no such challenge was made for this"] * 19 + [PASSKEY]


def test_sec_55_of_two_answers_with_one_count_one_gets_in(keys: Keys) -> None:
    made = keys.enrol()
    first, second = (made.get(keys.ask(SIGN_IN), uses=9) for _ in range(2))
    keys.prove(SIGN_IN, first)
    refused(keys, SIGN_IN, second)


def test_sec_55_somebody_elses_key_is_no_second_factor(keys: Keys, world: World) -> None:
    keys.enrol()
    bens = Keys(world, BEN).enrol()
    asked = keys.ask(SECOND_FACTOR)
    assert refused(keys, SECOND_FACTOR, bens.get(asked)) == "somebody else's passkey"
    handle_left_out = bens.get(keys.ask(SECOND_FACTOR), response={"userHandle": None})
    assert refused(keys, SECOND_FACTOR, handle_left_out) == "somebody else's passkey"


def test_sec_55_a_key_signs_in_nobody_but_its_owner(keys: Keys, world: World) -> None:
    mine, bens = keys.enrol(), Keys(world, BEN).enrol()
    for handle in (mine.user_handle, None):
        answer = bens.get(keys.ask(SIGN_IN), response={"userHandle": handle})
        assert refused(keys, SIGN_IN, answer) == "it was made for another account"
    with_my_id = {"id": b64(mine.credential_id), "rawId": b64(mine.credential_id)}
    refused(keys, SIGN_IN, bens.get(keys.ask(SIGN_IN), answer=with_my_id))


def test_sec_55_a_second_factor_need_not_say_whose_it_is(keys: Keys) -> None:
    made = keys.enrol()
    answer = made.get(keys.ask(SECOND_FACTOR), response={"userHandle": None})
    assert keys.prove(SECOND_FACTOR, answer).person.email == AMARA


@pytest.mark.parametrize("purpose", TWO)
def test_sec_55_a_disabled_person_proves_nothing(keys: Keys, world: World, purpose: str) -> None:
    made = keys.enrol()
    asked = keys.ask(purpose)
    world.run(f"UPDATE users SET status = '{users.DISABLED}' WHERE email = :e", e=AMARA)
    assert refused(keys, purpose, made.get(asked)) == "disabled"


@pytest.mark.parametrize("purpose", TWO)
def test_sec_55_a_removed_key_proves_nothing(keys: Keys, world: World, purpose: str) -> None:
    made, other = keys.enrol(label="Old"), keys.enrol()
    asked = keys.ask(purpose)
    with world.held.database.transaction() as db:
        given = (db, keys.person.id, keys.listed()[0].id, world.clock(), NOWHERE)
        assert factors.remove(*given)
        assert not factors.remove(*given)
    assert refused(keys, purpose, made.get(asked)) == "unknown passkey"
    assert keys.prove(purpose, other.get(keys.ask(purpose))).method == PASSKEY
    assert [event["label"] for event in world.audit("factor.removed")] == ["Old"]


def test_sec_55_nobody_renames_or_removes_what_is_not_theirs(keys: Keys, world: World) -> None:
    keys.enrol(label="Mine")
    (mine,) = keys.listed()
    ben = Keys(world, BEN).person.id
    with world.held.database.transaction() as db:
        assert not passkeys.rename(db, ben, mine.id, "Ben's", world.clock(), NOWHERE)
        assert not factors.remove(db, ben, mine.id, world.clock(), NOWHERE)
        assert passkeys.rename(db, keys.person.id, mine.id, "New", world.clock(), NOWHERE)
    assert [each.label for each in keys.listed()] == ["New"]
    assert [event["label"] for event in world.audit("passkey.renamed")] == ["New"]


def test_sec_55_sec_44_a_sign_in_is_asked_for_the_same_of_everybody(
    keys: Keys, world: World
) -> None:
    before = keys.ask(SIGN_IN)
    keys.enrol()
    after = keys.ask(SIGN_IN)
    assert before | {"challenge": ""} == after | {"challenge": ""}
    assert (after["allowCredentials"], after["userVerification"]) == ([], "required")


def test_sec_55_a_second_factor_is_asked_for_of_ones_own_keys(keys: Keys, world: World) -> None:
    Keys(world, BEN).enrol()
    made = [keys.enrol() for _ in range(2)]
    asked = keys.ask(SECOND_FACTOR)
    assert [each["id"] for each in asked["allowCredentials"]] == [
        b64(each.credential_id) for each in made
    ]
    assert asked["userVerification"] == "preferred"


def test_sec_55_each_single_bit_of_what_was_signed_counts(keys: Keys) -> None:
    made = keys.enrol(Authenticator(EDDSA))
    for place in (0, 31, 32, 36):
        answer = json.loads(made.get(keys.ask(SIGN_IN)))
        data = bytearray(unb64(answer["response"]["authenticatorData"]))
        data[place] ^= 0x20
        answer["response"]["authenticatorData"] = b64(bytes(data))
        refused(keys, SIGN_IN, json.dumps(answer))
