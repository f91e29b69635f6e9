"""Chromium's virtual authenticator (Chrome DevTools Protocol, domain WebAuthn), in one page."""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from playwright.sync_api import Page

from tests.authenticator import Authenticator

PASSKEY_STORE = {
    "protocol": "ctap2",
    "ctap2Version": "ctap2_1",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}
PLAIN_KEY = {
    **PASSKEY_STORE,
    "transport": "usb",
    "hasResidentKey": False,
    "hasUserVerification": False,
    "isUserVerified": False,
}


class VirtualAuthenticator:
    """Answers for the person whenever it is asked, unless told otherwise."""

    def __init__(self, page: Page, kind: dict[str, Any] = PASSKEY_STORE) -> None:
        self._session = page.context.new_cdp_session(page)
        self._send("enable", enableUI=False)
        self._id = self._send("addVirtualAuthenticator", options=kind)["authenticatorId"]

    def hold(self, passkey: Authenticator) -> None:
        """One that was made elsewhere."""
        key = passkey.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        handle = passkey.user_handle
        self._tell(
            "addCredential",
            credential={
                "credentialId": base64.b64encode(passkey.credential_id).decode(),
                "isResidentCredential": True,
                "rpId": passkey.rp_id,
                "privateKey": base64.b64encode(key).decode(),
                "userHandle": handle.replace("-", "+").replace("_", "/") + "=" * (-len(handle) % 4),
                "signCount": passkey.uses,
            },
        )

    @property
    def credentials(self) -> list[dict[str, Any]]:
        return list(self._tell("getCredentials")["credentials"])

    def touch_by_itself(self, is_automatic: bool) -> None:
        self._tell("setAutomaticPresenceSimulation", enabled=is_automatic)

    def verify(self, is_verified: bool) -> None:
        """Whether the person is recognised from now on."""
        self._tell("setUserVerified", isUserVerified=is_verified)

    def _tell(self, command: str, **values: Any) -> dict[str, Any]:
        return self._send(command, authenticatorId=self._id, **values)

    def _send(self, command: str, **values: Any) -> dict[str, Any]:
        return dict(self._session.send(f"WebAuthn.{command}", values))
