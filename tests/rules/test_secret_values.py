"""Secrets: made, compared, hidden; and the one file that all keys come from."""

from __future__ import annotations

import multiprocessing
import stat
from dataclasses import fields
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from idp import secret_values
from idp.errors import SetupMistake
from idp.secret_values import decode, encode, is_same, secret_keys

AT_ONCE = 20
SAME_EVERY_TIME = settings(derandomize=True, deadline=None, database=None)


@SAME_EVERY_TIME
@given(st.binary(max_size=100))
def test_what_was_encoded_is_decoded(raw: bytes) -> None:
    assert decode(encode(raw)) == raw


@SAME_EVERY_TIME
@given(st.text(alphabet="Aa0_-=+/ \n\x00é", max_size=12))
def test_only_the_one_canonical_spelling_is_decoded(text: str) -> None:
    raw = decode(text)
    assert raw is None or encode(raw) == text


@pytest.mark.parametrize("text", ["QQ==", "QR", "QQ=", "Q", "QQ\n", " QQ", "+/+/", "é", "Q.Q"])
def test_another_spelling_of_the_same_bytes_is_none_of_ours(text: str) -> None:
    assert decode("QQ") == b"A"
    assert decode(text) is None


def test_secrets_are_256_bits_and_ids_128_and_none_comes_twice() -> None:
    made = [secret_values.new_secret() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert {len(decode(secret) or b"") for secret in made} == {32}
    assert {len(bytes.fromhex(secret_values.new_id())) for _ in range(10)} == {16}


@pytest.mark.parametrize(("left", "right"), [("a", "b"), ("a", "a\x00"), ("é", "e"), ("", "a")])
def test_any_two_texts_can_be_compared(left: str, right: str) -> None:
    assert is_same(left, left)
    assert not is_same(left, right)


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "keys"


def test_the_master_key_is_made_once_for_its_owner_alone(keys_dir: Path) -> None:
    made = secret_keys(keys_dir)
    path = keys_dir / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys_dir.stat().st_mode) == 0o700
    assert [each.name for each in keys_dir.iterdir()] == ["master.key"]
    assert len(decode(path.read_text().strip()) or b"") == 32
    assert secret_keys(keys_dir) == made


def test_each_purpose_has_a_key_of_its_own(keys_dir: Path) -> None:
    keys = secret_keys(keys_dir)
    each = {getattr(keys, field.name) for field in fields(keys)}
    assert len(each) == len(fields(keys))
    assert decode((keys_dir / "master.key").read_text().strip()) not in each


def test_keys_are_never_printed(keys_dir: Path) -> None:
    keys = secret_keys(keys_dir)
    assert repr(keys.cookies) not in f"{keys!r} {keys}"


def test_twenty_processes_that_start_at_once_share_one_master_key(keys_dir: Path) -> None:
    context = multiprocessing.get_context("fork")
    start, found = context.Barrier(AT_ONCE), context.SimpleQueue()
    starting = [
        context.Process(target=start_up, args=(keys_dir, start, found)) for _ in range(AT_ONCE)
    ]
    for process in starting:
        process.start()
    fingerprints = {found.get() for _ in starting}
    for process in starting:
        process.join()
    assert fingerprints == {secret_keys(keys_dir).blind("the same")}
    assert [each.name for each in keys_dir.iterdir()] == ["master.key"]


def start_up(keys_dir: Path, start: Barrier, found: Any) -> None:
    start.wait(30)
    try:
        found.put(secret_keys(keys_dir).blind("the same"))
    except BaseException as problem:
        found.put(repr(problem))
        raise


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666, 0o610])
def test_a_master_key_that_others_may_touch_is_refused(keys_dir: Path, mode: int) -> None:
    secret_keys(keys_dir)
    (keys_dir / "master.key").chmod(mode)
    with pytest.raises(SetupMistake, match="chmod 600"):
        secret_keys(keys_dir)


@pytest.mark.parametrize("content", ["", "short", "A" * 42, "A" * 44, "=" * 43, "é" * 43])
def test_a_master_key_of_another_shape_is_refused_and_not_shown(
    keys_dir: Path, content: str
) -> None:
    secret_keys(keys_dir)
    (keys_dir / "master.key").write_text(content)
    with pytest.raises(SetupMistake) as refusal:
        secret_keys(keys_dir)
    assert not content or content not in str(refusal.value)


def test_what_was_sealed_is_opened_for_the_same_purpose_alone(keys_dir: Path) -> None:
    keys = secret_keys(keys_dir)
    sealed = keys.encrypt(b"private", "kid-1")
    assert keys.decrypt(sealed, "kid-1") == b"private"
    assert keys.encrypt(b"private", "kid-1") != sealed
    with pytest.raises(SetupMistake):
        keys.decrypt(sealed, "kid-2")


def test_another_master_key_opens_nothing_and_says_so(keys_dir: Path, tmp_path: Path) -> None:
    sealed = secret_keys(keys_dir).encrypt(b"private", "kid-1")
    with pytest.raises(SetupMistake, match="not the one this database was made with"):
        secret_keys(tmp_path / "others").decrypt(sealed, "kid-1")


@pytest.mark.parametrize("damage", ["", "A", "AAAA", "not base64!", "é"])
def test_what_was_never_sealed_is_opened_by_nothing(keys_dir: Path, damage: str) -> None:
    with pytest.raises(SetupMistake):
        secret_keys(keys_dir).decrypt(damage, "kid-1")


def test_every_changed_byte_of_a_sealed_value_is_noticed(keys_dir: Path) -> None:
    keys = secret_keys(keys_dir)
    mark, _dot, text = keys.encrypt(b"private", "kid-1").partition(".")
    raw = decode(text) or b""
    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        for damaged in (f"{mark}.{encode(changed)}", encode(changed)):
            with pytest.raises(SetupMistake):
                keys.decrypt(damaged, "kid-1")
    for damaged in (text, f"3.{text}", f"{mark}.{mark}.{text}", f"{mark}."):
        with pytest.raises(SetupMistake):
            keys.decrypt(damaged, "kid-1")


def test_each_sealed_value_has_a_key_of_its_own(
    keys_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random nonces under one key come twice in the end, and then the key is worth nothing."""
    used = []

    def noted(key: bytes) -> AESGCM:
        used.append(key)
        return AESGCM(key)

    monkeypatch.setattr(secret_values, "AESGCM", noted)
    keys = secret_keys(keys_dir)
    for purpose in ("kid-1", "kid-1", "answer a", "ephemeral a"):
        keys.encrypt(b"private", purpose)
    assert len(set(used)) == 4
    assert not set(used) & {getattr(keys, field.name) for field in fields(keys)}


def test_what_was_sealed_before_messages_had_their_own_keys_is_opened(keys_dir: Path) -> None:
    """Signing keys, documents and answers that are kept."""
    keys = secret_keys(keys_dir)
    nonce = b"n" * 12
    older = encode(nonce + AESGCM(keys.first_sealing).encrypt(nonce, b"private", b"kid-1"))
    assert keys.decrypt(older, "kid-1") == b"private"
    with pytest.raises(SetupMistake):
        keys.decrypt(older, "kid-2")


def test_a_blinded_name_says_nothing_and_differs_by_master_key(
    keys_dir: Path, tmp_path: Path
) -> None:
    keys = secret_keys(keys_dir)
    assert keys.blind("amara@northwind.example") == keys.blind("amara@northwind.example")
    assert keys.blind("a") != keys.blind("b")
    assert keys.blind("a") != secret_keys(tmp_path / "others").blind("a")
