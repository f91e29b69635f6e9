"""An authenticator in software, which verifies whoever holds it and keeps one passkey (WebAuthn
Level 3): what a browser would hand on of its making and of each use."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from webauthn.helpers import encode_cbor

from idp.secret_values import encode

ES256 = -7
UP, UV, AT = 1, 4, 64
AAGUID = bytes(16)  # it says nothing of its make
COORDINATE, COUNTER = 32, 4  # bytes; it counts nothing


@dataclass
class Authenticator:
    """At `origin`, as the browser names it."""

    origin: str
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: bytes = field(default_factory=lambda: token_bytes(16))
    rp_id: str = ""
    user_handle: str = ""

    def create(self, options: dict[str, Any]) -> str:
        """`navigator.credentials.create`, without attestation (section 6.1)."""
        self.rp_id, self.user_handle = options["rp"]["id"], options["user"]["id"]
        size = len(self.credential_id).to_bytes(2, "big")
        data = self._data(UP | UV | AT) + AAGUID + size + self.credential_id + self._public_key()
        attested = {"fmt": "none", "attStmt": {}, "authData": data}
        return self._answer(
            clientDataJSON=encode(self._client("webauthn.create", options)),
            attestationObject=encode(encode_cbor(attested)),
            transports=["internal"],
        )

    def get(self, options: dict[str, Any]) -> str:
        """`navigator.credentials.get`."""
        data, client = self._data(UP | UV), self._client("webauthn.get", options)
        signature = self.key.sign(data + sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=encode(client),
            authenticatorData=encode(data),
            signature=encode(signature),
            userHandle=self.user_handle,
        )

    def exported(self) -> dict[str, Any]:
        """As a browser's virtual authenticator takes it (`WebAuthn.addCredential` of the Chrome
        DevTools Protocol): plain base64. That one counts, and after its first use ours is done."""
        private = self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        handle = base64.urlsafe_b64decode(self.user_handle + "==")
        return {
            "credentialId": base64.b64encode(self.credential_id).decode(),
            "isResidentCredential": True,
            "rpId": self.rp_id,
            "privateKey": base64.b64encode(private).decode(),
            "userHandle": base64.b64encode(handle).decode(),
            "signCount": 0,
        }

    def _data(self, flags: int) -> bytes:
        return sha256(self.rp_id.encode()).digest() + bytes([flags]) + bytes(COUNTER)

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        said = {"type": kind, "challenge": options["challenge"], "origin": self.origin}
        return json.dumps({**said, "crossOrigin": False}).encode()

    def _public_key(self) -> bytes:
        """COSE (RFC 9052): EC2, ES256, P-256."""
        at = self.key.public_key().public_numbers()
        x, y = (each.to_bytes(COORDINATE, "big") for each in (at.x, at.y))
        return encode_cbor({1: 2, 3: ES256, -1: 1, -2: x, -3: y})

    def _answer(self, **response: Any) -> str:
        name = encode(self.credential_id)
        kind = {"id": name, "rawId": name, "type": "public-key", "clientExtensionResults": {}}
        return json.dumps({**kind, "response": response})
