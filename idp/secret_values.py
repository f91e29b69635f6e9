"""Make, hash, compare and encrypt secrets.

Everything that we generate has 256 bits, so SHA-256 is enough to store it by. People's passwords
are another matter (`credentials/password.py`). All keys here come from one file, `master.key`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets
from binascii import b2a_base64
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

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

    def encrypt(self, plaintext: bytes, purpose: str) -> str:
        """AES-256-GCM under a key of this one message, made of `purpose` and 192 random bits: no
        number of messages uses one up, and a value can't be moved to another place."""
        salt = os.urandom(SALT_BYTES)
        sealed = AESGCM(self._of_message(purpose, salt)).encrypt(ONCE, plaintext, None)
        return SEALED_ALONE + encode(salt + sealed)

    def decrypt(self, sealed: str, purpose: str) -> bytes:
        """Also what was sealed before each message had its own key. Raises SetupMistake when the
        value was sealed with another master key."""
        is_alone = sealed.startswith(SEALED_ALONE)
        raw = decode(sealed.removeprefix(SEALED_ALONE)) or b""
        try:
            if is_alone:
                key = self._of_message(purpose, raw[:SALT_BYTES])
                return AESGCM(key).decrypt(ONCE, raw[SALT_BYTES:], None)
            return AESGCM(self.first_sealing).decrypt(
                raw[:NONCE_BYTES], raw[NONCE_BYTES:], purpose.encode()
            )
        except (InvalidTag, ValueError) as problem:
            raise SetupMistake(
                f"The master key in {MASTER_KEY_FILE} is not the one this database was made with."
            ) from problem

    def _of_message(self, purpose: str, salt: bytes) -> bytes:
        return _derive(self.sealing, f"sealed {purpose}", salt)

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


def secret_keys(keys_dir: Path) -> SecretKeys:
    """Read the master key, making it on first start (0600)."""
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
    )


@lru_cache(maxsize=1024)
def _one_block(key: bytes, place: str) -> Cipher[ECB]:
    """ECB of a single block is the block cipher itself."""
    return Cipher(AES256(_derive(key, f"place {place}")), ECB())  # noqa: S305


def _read_or_make(path: Path) -> bytes:
    """Two processes may start at once: the file is written aside and linked, so one wins whole."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        _make(path)
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
