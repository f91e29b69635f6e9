"""Make, hash, compare and encrypt secrets.

Everything that we generate has 256 bits, so SHA-256 is enough to store it by. People's passwords
are another matter (`credentials/password.py`). All keys here come from one file, `master.key`, but
for those that seal in its place, which can be replaced (`sealing-NAME.key`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from binascii import b2a_base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from time import monotonic

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from idp.errors import SetupMistake

MASTER_KEY_FILE = "master.key"
KEY_BYTES = 32
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
NONCE_BYTES = 12
SALT_BYTES = 24
ONCE = bytes(NONCE_BYTES)  # the nonce of a key that seals one message
SEALED_ALONE = "2."
SEALED_BY_NAME = "3."  # and the name, and a dot
SEALING_KEY_FILES = "sealing-*.key"
LOOK_AGAIN = 1.0  # seconds between two looks for a key that is not known
_NAME = re.compile("[a-z0-9][a-z0-9-]{0,31}")
_ID = re.compile("[0-9a-f]{32}")
LETTER_SECRET = "letter"  # seals what a letter alone may tell, while it waits


def new_secret() -> str:
    """256 random bits, as 43 characters of base64url."""
    return secrets.token_urlsafe(KEY_BYTES)


def new_id() -> str:
    """128 random bits, as 32 hexadecimal characters; never reused."""
    return os.urandom(16).hex()


def fingerprint(secret: str) -> str:
    """What a generated secret is stored and looked up by: SHA-256, hexadecimal."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(left: str, right: str) -> bool:
    """Compare in constant time; any text is allowed."""
    return hmac.compare_digest(left.encode(), right.encode())


def encode(raw: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return b2a_base64(raw, newline=False).translate(_URL_SAFE).rstrip(b"=").decode()


def decode(text: str) -> bytes | None:
    """The bytes behind `encode`, or None for anything that `encode` never wrote."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    return raw if encode(raw) == text else None


class SealingKeys:
    """The keys in a folder that seal by a name, one of which is `chosen`; if none is, the master
    key seals. A name that is met and not known is looked for once more: whoever runs finds a key
    that was added meanwhile."""

    def __init__(self, folder: Path | None = None, chosen: str = "") -> None:
        self.chosen = chosen
        self._folder = folder
        self._known: dict[str, bytes] = {}
        self._look()
        if chosen:
            self.get(chosen)

    def get(self, name: str) -> bytes:
        """Raises SetupMistake."""
        if name not in self._known and monotonic() - self._looked_at > LOOK_AGAIN:
            self._look()
        if name not in self._known:
            raise SetupMistake(f"There is no {sealing_key_file(self._folder or Path(), name)}.")
        return self._known[name]

    def fingerprint(self, name: str) -> str:
        """By which it is known again, and says nothing of it. Raises SetupMistake."""
        return _derive(self.get(name), "fingerprint").hex()

    def _look(self) -> None:
        self._looked_at = monotonic()
        for path in self._folder.glob(SEALING_KEY_FILES) if self._folder else ():
            name = path.stem.partition("-")[2]
            self._known[name] = _derive(_read(path), "sealing by name")


@dataclass(frozen=True, slots=True, repr=False)  # nothing that is printed may hold them
class SecretKeys:
    """The keys derived from the master key, one for each purpose (HKDF, RFC 5869). `first_sealing`
    opens what is older than `sealing`, and seals nothing."""

    sealing: bytes
    first_sealing: bytes
    cookies: bytes
    identifiers: bytes
    refresh_tokens: bytes
    audit: bytes
    passwords: bytes
    subjects: bytes
    by_name: SealingKeys = field(default_factory=SealingKeys, compare=False, kw_only=True)

    @property
    def mark(self) -> str:
        """What everything begins with that is sealed now, and nothing that another key sealed."""
        name = self.by_name.chosen
        return f"{SEALED_BY_NAME}{name}." if name else SEALED_ALONE

    def encrypt(self, plaintext: bytes, purpose: str) -> str:
        """AES-256-GCM under a key of this one message, made of `purpose` and 192 random bits: no
        number of messages uses one up, and a value can't be moved to another place."""
        salt, name = os.urandom(SALT_BYTES), self.by_name.chosen
        key = _of_message(self.by_name.get(name) if name else self.sealing, purpose, salt)
        return self.mark + encode(salt + AESGCM(key).encrypt(ONCE, plaintext, None))

    def decrypt(self, sealed: str, purpose: str) -> bytes:
        """Also what was sealed before each message had its own key. Raises SetupMistake when the
        value was sealed with another key, or one that is not here."""
        if sealed.startswith(SEALED_BY_NAME):
            name, _, text = sealed.removeprefix(SEALED_BY_NAME).partition(".")
            return _opened(self.by_name.get(name), text, purpose, f"sealing-{name}.key")
        if sealed.startswith(SEALED_ALONE):
            text = sealed.removeprefix(SEALED_ALONE)
            return _opened(self.sealing, text, purpose, MASTER_KEY_FILE)
        raw = decode(sealed) or b""
        with _another_key_told(MASTER_KEY_FILE):
            return AESGCM(self.first_sealing).decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode()
            )

    def seal(self, text: str) -> str:
        """Vouches for the head of an audit chain: HMAC-SHA-256, hexadecimal."""
        return hmac.new(self.audit, text.encode(), hashlib.sha256).hexdigest()

    def blind(self, identifier: str) -> str:
        """A name for an identifier that says nothing about it: HMAC-SHA-256, hexadecimal."""
        return hmac.new(self.identifiers, identifier.encode(), hashlib.sha256).hexdigest()

    def pseudonym(self, identifier: str, place: str) -> str:
        """What one of our ids is called in a place alone: its 128 bits as one block of AES-256,
        under a key of that place. So no two are called alike, and we alone know who it is."""
        block = _one_block(self.subjects, place).encryptor()
        return block.update(bytes.fromhex(identifier)).hex()

    def behind_pseudonym(self, pseudonym: str, place: str) -> str:
        """The id. What has not the shape of a pseudonym comes back as it is, and is no id."""
        if not _ID.fullmatch(pseudonym):
            return pseudonym
        block = _one_block(self.subjects, place).decryptor()
        return block.update(bytes.fromhex(pseudonym)).hex()

    def pepper(self, password: str) -> str:
        """What is hashed of a password, so that the database alone is not enough to guess it:
        HMAC-SHA-256, hexadecimal."""
        return hmac.new(self.passwords, password.encode(), hashlib.sha256).hexdigest()

    def sign(self, text: str, purpose: str) -> str:
        """Vouches for what a browser keeps for us: HMAC-SHA-256, base64url."""
        signed = f"{purpose}\n{text}".encode()
        return encode(hmac.new(self.cookies, signed, hashlib.sha256).digest())


def _opened(key: bytes, text: str, purpose: str, file: str) -> bytes:
    raw = decode(text) or b""
    with _another_key_told(file):
        key = _of_message(key, purpose, raw[:SALT_BYTES])
        return AESGCM(key).decrypt(ONCE, raw[SALT_BYTES:], None)


def _of_message(key: bytes, purpose: str, salt: bytes) -> bytes:
    return _derive(key, f"sealed {purpose}", salt)


@contextmanager
def _another_key_told(file: str) -> Iterator[None]:
    try:
        yield
    except (InvalidTag, ValueError) as problem:
        raise SetupMistake(
            f"The key in {file} is not the one this database was made with."
        ) from problem


def secret_keys(keys_dir: Path, sealing_key: str = "") -> SecretKeys:
    """Read the master key, making it on first start (0600), and those that seal by a name, of which
    `sealing_key` does from now on. Raises SetupMistake."""
    master = _read_or_make(keys_dir / MASTER_KEY_FILE)
    return SecretKeys(
        sealing=_derive(master, "sealing"),
        first_sealing=_derive(master, "signing keys"),
        cookies=_derive(master, "cookies"),
        identifiers=_derive(master, "identifiers"),
        refresh_tokens=_derive(master, "refresh tokens"),
        audit=_derive(master, "audit chains"),
        passwords=_derive(master, "passwords"),
        subjects=_derive(master, "subjects"),
        by_name=SealingKeys(keys_dir, sealing_key),
    )


def sealing_key_file(keys_dir: Path, name: str) -> Path:
    """Raises SetupMistake for what is no name."""
    if not _NAME.fullmatch(name):
        raise SetupMistake(
            f"A sealing key is named by 32 small letters, digits and hyphens at most: {name!r}"
        )
    return keys_dir / SEALING_KEY_FILES.replace("*", name)


def make_sealing_key(keys_dir: Path, name: str) -> Path:
    """Raises SetupMistake where there is one of that name."""
    path = sealing_key_file(keys_dir, name)
    if path.exists():
        raise SetupMistake(f"There is a {path} already.")
    _make(path)
    return path


@lru_cache(maxsize=1024)
def _one_block(key: bytes, place: str) -> Cipher[ECB]:
    """ECB of a single block is the block cipher itself."""
    return Cipher(AES256(_derive(key, f"place {place}")), ECB())  # noqa: S305


def _read_or_make(path: Path) -> bytes:
    """Two processes may start at once: the file is written aside and linked, so one wins whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
    return _read(path)


def _read(path: Path) -> bytes:
    if path.stat().st_mode & 0o077:
        raise SetupMistake(f"{path} can be read by others: chmod 600 {path}")
    key = decode(path.read_text().strip())
    if key is None or len(key) != KEY_BYTES:
        raise SetupMistake(f"{path} does not hold a key of {KEY_BYTES} bytes in base64url.")
    return key


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{new_id()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(encode(secrets.token_bytes(KEY_BYTES)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _derive(key: bytes, purpose: str, salt: bytes | None = None) -> bytes:
    info = f"latchkey {purpose}".encode()
    return HKDF(algorithm=hashes.SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(key)
