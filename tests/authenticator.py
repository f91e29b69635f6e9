"""An authenticator in software: makes credentials and answers as a browser hands them on, soundly
unless a test asks for something else.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from hashlib import sha256
from secrets import token_bytes
from typing import Any, TypedDict, Unpack

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from tests.world import ISSUER

EDDSA, ES256, RS256 = -8, -7, -257
UP, UV, BE, BS, AT, ED = 1, 4, 8, 16, 64, 128
FLAGS = {"up": UP, "uv": UV, "be": BE, "bs": BS, "at": AT}
AAGUID = bytes.fromhex("ea9b8d664d011d213ce4b6b48cb575d4")

Json = dict[str, Any]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Unsound(TypedDict, total=False):
    """What replaces a part of what would be sound; None in it leaves that out."""

    client: Json
    flags: Json
    answer: Json
    response: Json
    rp_id: str


@dataclass
class Authenticator:
    """`verifies` the person, or merely asks for a touch. `counts` its uses, or says 0; what is
    `synced` is backed up, and counts nothing."""

    algorithm: int = ES256
    verifies: bool = True
    synced: bool = False
    counts: bool = True
    uses: int = 0
    credential_id: bytes = field(default_factory=lambda: token_bytes(16))
    rp_id: str = ""
    user_handle: str = ""
    key: Any = None

    def __post_init__(self) -> None:
        if self.key is None:
            self.key = {
                EDDSA: ed25519.Ed25519PrivateKey.generate,
                ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
                RS256: lambda: rsa.generate_private_key(65537, 2048),
            }[self.algorithm]()

    def copy(self) -> Authenticator:
        """What a thief would have."""
        return replace(self)

    def create(
        self,
        options: Json,
        *,
        cose: bytes | None = None,
        statement: Json | None = None,
        **unsound: Unpack[Unsound],
    ) -> str:
        """`navigator.credentials.create`."""
        self.rp_id, self.user_handle = options["rp"]["id"], options["user"]["id"]
        key = self.cose() if cose is None else cose
        size = len(self.credential_id).to_bytes(2, "big")
        attested = AAGUID + size + self.credential_id + key
        data = self._data({"at": True}, unsound) + attested
        client_data = self._client("webauthn.create", options, unsound)
        said = {"fmt": "none", "attStmt": {}, "authData": data, **(statement or {})}
        if said["fmt"] == "packed" and not said["attStmt"]:
            signature = self.sign(data + sha256(client_data).digest())
            chain = {"x5c": said.pop("x5c")} if "x5c" in said else {}
            said["attStmt"] = {"alg": self.algorithm, "sig": signature, **chain}
        sent = {
            "clientDataJSON": b64(client_data),
            "attestationObject": b64(cbor2.dumps(said)),
            "transports": ["internal"],
        }
        return self._answer(sent, unsound)

    def get(
        self,
        options: Json,
        *,
        uses: int | None = None,
        signed: bytes = b"",
        **unsound: Unpack[Unsound],
    ) -> str:
        """`navigator.credentials.get`; `signed` is put before what is signed."""
        self.uses += 1
        data = self._data({}, unsound, uses)
        client_data = self._client("webauthn.get", options, unsound)
        sent = {
            "clientDataJSON": b64(client_data),
            "authenticatorData": b64(data),
            "signature": b64(self.sign(signed + data + sha256(client_data).digest())),
            "userHandle": self.user_handle,
        }
        return self._answer(sent, unsound)

    def _client(self, kind: str, options: Json, unsound: Unsound) -> bytes:
        sound = {
            "type": kind,
            "challenge": options["challenge"],
            "origin": ISSUER,
            "crossOrigin": False,
        }
        return json.dumps(_without_none({**sound, **unsound.get("client", {})})).encode()

    def _data(self, flags: Json, unsound: Unsound, uses: int | None = None) -> bytes:
        sound = {"up": True, "uv": self.verifies, "be": self.synced, "bs": self.synced}
        shown = {**sound, **flags, **unsound.get("flags", {})}
        bits = sum(FLAGS[name] for name, is_set in shown.items() if is_set)
        rp_id = unsound.get("rp_id", self.rp_id)
        count = self.uses if self.counts and not self.synced else 0
        count = count if uses is None else uses
        return sha256(rp_id.encode()).digest() + bytes([bits]) + count.to_bytes(4, "big")

    def _answer(self, response: Json, unsound: Unsound) -> str:
        sound = {
            "id": b64(self.credential_id),
            "rawId": b64(self.credential_id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": _without_none({**response, **unsound.get("response", {})}),
        }
        return json.dumps(_without_none({**sound, **unsound.get("answer", {})}))

    def cose(self, **changed: Any) -> bytes:
        """The public key as RFC 9052 writes it: by numbers, which `alg` and `crv` name."""
        public = self.key.public_key()
        if self.algorithm == EDDSA:
            key = {1: 1, 3: EDDSA, -1: 6, -2: public.public_bytes_raw()}
        elif self.algorithm == ES256:
            at = public.public_numbers()
            size = (public.curve.key_size + 7) // 8
            key = {1: 2, 3: ES256, -1: 1, -2: at.x.to_bytes(size, "big")}
            key[-3] = at.y.to_bytes(size, "big")
        else:
            numbers = public.public_numbers()
            modulus = numbers.n.to_bytes(public.key_size // 8, "big")
            key = {1: 3, 3: RS256, -1: modulus, -2: b"\x01\x00\x01"}
        names = {"kty": 1, "alg": 3, "crv": -1, "x": -2, "y": -3}
        return cbor2.dumps(key | {names[name]: value for name, value in changed.items()})

    def sign(self, data: bytes) -> bytes:
        if self.algorithm == EDDSA:
            return bytes(self.key.sign(data))
        if self.algorithm == ES256:
            return bytes(self.key.sign(data, ec.ECDSA(SHA256())))
        return bytes(self.key.sign(data, padding.PKCS1v15(), SHA256()))


def _without_none(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
