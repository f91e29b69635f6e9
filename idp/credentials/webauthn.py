"""WebAuthn Level 3 as the relying party: what is asked of a browser, and how its answer is judged.

The library (`webauthn`) does sections 7.1 and 7.2 but for what stands here: frames of other sites,
the length and sameness of credential ids, keys that fit their algorithm, attestation that nobody
asked for, and the backup flags between two uses. Nothing is written here; who owns what is in
`passkeys.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar

import orjson

from idp.credentials import challenges
from idp.credentials.challenges import Errand
from idp.ephemeral import Ephemeral
from idp.errors import Refusal, told
from idp.secret_values import decode, encode
from idp.settings import Settings

MAX_ANSWER = 16 * 1024  # characters of JSON
MAX_CREDENTIAL_ID = 1023  # section 7.1: bytes
PATIENCE = 300_000  # milliseconds that a browser waits for the person
ED25519, ES256, RS256 = -8, -7, -257  # RFC 9053, RFC 8812
ALGORITHMS = (ED25519, ES256, RS256)
P256, ED25519_CURVE = 1, 6
RSA_BITS = range(2048, 4097)
TRANSPORTS = ("ble", "hybrid", "internal", "nfc", "smart-card", "usb")  # section 5.8.4

Checked = TypeVar("Checked")


class Unsound(Refusal):
    """An answer that proves nothing. What of it is wrong, the person can't mend."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "passkey_refused",
            told("That passkey could not be used. Try again, or choose another way."),
            reason,
        )


class Answer(NamedTuple):
    """What a browser sent, as JSON (section 5.1.8): read, and not yet believed. `credential_id` is
    base64url; so is `challenge`, which the browser says that it was given."""

    fields: dict[str, Any]
    credential_id: str
    challenge: str
    user_handle: str | None


class Key(NamedTuple):
    """A credential as it was registered; the id and the COSE key in base64url."""

    credential_id: str
    public_key: str
    sign_count: int
    transports: tuple[str, ...]
    aaguid: str
    is_backup_eligible: bool
    is_backed_up: bool
    is_user_verified: bool


class Assertion(NamedTuple):
    sign_count: int
    is_backed_up: bool
    is_user_verified: bool


class Descriptor(NamedTuple):
    """A credential that the browser is told of."""

    credential_id: str
    transports: tuple[str, ...]


def request_options(
    settings: Settings,
    store: Ephemeral,
    errand: Errand,
    allowed: Iterable[Descriptor],
    now: float,
) -> dict[str, Any]:
    """For `navigator.credentials.get` (section 5.5). Nothing is `allowed` where nobody is known
    yet: the authenticator knows its accounts, and we say nothing of ours (security.md S44)."""
    listed = [_described(each) for each in allowed]
    return {
        "challenge": _challenge(settings, store, errand, now),
        "rpId": settings.relying_party_id,
        "allowCredentials": listed,
        "userVerification": "preferred" if listed else "required",
        "timeout": PATIENCE,
    }


def creation_options(
    settings: Settings,
    store: Ephemeral,
    errand: Errand,
    user: dict[str, str],
    excluded: Iterable[Descriptor],
    now: float,
) -> dict[str, Any]:
    """For `navigator.credentials.create` (section 5.4). `user` has `id`, `name`, `displayName`. A
    key that can keep nothing, or ask for nothing, still is a good second factor."""
    return {
        "rp": {"id": settings.relying_party_id, "name": "Latchkey"},
        "user": user,
        "challenge": _challenge(settings, store, errand, now),
        "pubKeyCredParams": [{"type": "public-key", "alg": each} for each in ALGORITHMS],
        "timeout": PATIENCE,
        "excludeCredentials": [_described(each) for each in excluded],
        "authenticatorSelection": {
            "residentKey": "preferred",
            "requireResidentKey": False,
            "userVerification": "preferred",
        },
        "attestation": "none",
    }


def _challenge(settings: Settings, store: Ephemeral, errand: Errand, now: float) -> str:
    """None at an address: what was never asked can't be answered."""
    if not settings.relying_party_id:
        raise Unsound("browsers make no passkeys for an address")
    return encode(challenges.make(store, errand, now))


def _described(credential: Descriptor) -> dict[str, Any]:
    transports = {"transports": list(credential.transports)} if credential.transports else {}
    return {"type": "public-key", "id": credential.credential_id, **transports}


def read(text: str) -> Answer:
    """Raises Unsound for what is no answer at all."""
    if len(text) > MAX_ANSWER:
        raise Unsound("the answer is too long")
    try:
        fields = orjson.loads(text)
        response = fields["response"]
        client_data = orjson.loads(_bytes(response["clientDataJSON"]))
        handle = response.get("userHandle")
        answer = Answer(fields, fields["rawId"], client_data["challenge"], handle)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise Unsound("the answer can't be read") from problem
    if not all(isinstance(each, str) for each in (answer.credential_id, answer.challenge)):
        raise Unsound("the answer can't be read")
    if client_data.get("crossOrigin") not in (None, False) or "topOrigin" in client_data:
        raise Unsound("it was used in a frame of another site")
    return answer


def spend_challenge(store: Ephemeral, errand: Errand, answer: Answer, now: float) -> None:
    """Before anything else is looked at: an answer that is refused can't be mended and sent again.
    Raises Unsound."""
    if not challenges.spend(store, errand, answer.challenge, now):
        raise Unsound("no such challenge was made for this")


def check_registration(settings: Settings, answer: Answer) -> Key:
    """Section 7.1, once the challenge is spent. Raises Unsound."""
    return _trying(lambda: _registered(settings, answer))


def check_assertion(
    settings: Settings,
    answer: Answer,
    *,
    expected_key: str,
    expected_backup_eligible: bool,
    require_user_verification: bool,
) -> Assertion:
    """Section 7.2, once the challenge is spent and the owner found; the counter is left to who can
    write it. Raises Unsound."""
    return _trying(
        lambda: _asserted(
            settings, answer, expected_key, expected_backup_eligible, require_user_verification
        )
    )


def _trying(check: Callable[[], Checked]) -> Checked:
    """Whatever the library or the cryptography stumbles over is no proof (security.md S75)."""
    try:
        return check()
    except Unsound:
        raise
    except Exception as problem:
        raise Unsound(f"{type(problem).__name__}: {problem}") from problem


def _registered(settings: Settings, answer: Answer) -> Key:
    import webauthn

    found = webauthn.verify_registration_response(
        credential=answer.fields,
        expected_challenge=_bytes(answer.challenge),
        expected_rp_id=settings.relying_party_id,
        expected_origin=list(settings.relying_party_origins),
        supported_pub_key_algs=list(ALGORITHMS),  # type: ignore[arg-type]  # numbers, named there
    )
    credential_id = encode(found.credential_id)
    if len(found.credential_id) > MAX_CREDENTIAL_ID or credential_id != answer.credential_id:
        raise Unsound("the credential id is too long, or another one")
    _check_attestation(answer)
    _check_key(found.credential_public_key)
    transports = answer.fields["response"].get("transports") or []
    return Key(
        credential_id=credential_id,
        public_key=encode(found.credential_public_key),
        sign_count=found.sign_count,
        transports=tuple(each for each in TRANSPORTS if each in transports),
        aaguid=found.aaguid,
        is_backup_eligible=found.credential_device_type == "multi_device",
        is_backed_up=found.credential_backed_up,
        is_user_verified=found.user_verified,
    )


def _check_attestation(answer: Answer) -> None:
    """We ask for none. What a key says of itself alone (section 6.5.4, self attestation) has been
    verified, and tells no more; whoever made it is none of our business."""
    from webauthn.helpers import parse_attestation_object

    said = parse_attestation_object(_bytes(answer.fields["response"]["attestationObject"]))
    if said.fmt != "none" and (said.fmt != "packed" or said.att_stmt.x5c):
        raise Unsound("it brought an attestation that nobody asked for")


def _check_key(cose_key: bytes) -> None:
    """One that can verify, on the curve that belongs to its algorithm (section 5.8.5)."""
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    said: Any = decode_credential_public_key(cose_key)
    usable: Any = decoded_public_key_to_cryptography(said)
    if said.alg == RS256:
        fits = usable.key_size in RSA_BITS
    else:
        fits = (said.alg, said.crv) in ((ES256, P256), (ED25519, ED25519_CURVE))
    if not fits:
        raise Unsound("the key does not fit its algorithm")


def _asserted(
    settings: Settings,
    answer: Answer,
    expected_key: str,
    expected_backup_eligible: bool,
    require_user_verification: bool,
) -> Assertion:
    import webauthn

    found = webauthn.verify_authentication_response(
        credential=answer.fields,
        expected_challenge=_bytes(answer.challenge),
        expected_rp_id=settings.relying_party_id,
        expected_origin=list(settings.relying_party_origins),
        credential_public_key=_bytes(expected_key),
        credential_current_sign_count=0,
        require_user_verification=require_user_verification,
    )
    if (found.credential_device_type == "multi_device") != expected_backup_eligible:
        raise Unsound("its backup eligibility has changed")
    return Assertion(found.new_sign_count, found.credential_backed_up, found.user_verified)


def _bytes(text: str) -> bytes:
    """Raises Unsound for what is no base64url, which the library would read over."""
    raw = decode(text)
    if raw is None:
        raise Unsound("the answer can't be read")
    return raw
