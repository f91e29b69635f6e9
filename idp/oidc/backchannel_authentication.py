"""The backchannel authentication request (CIBA Core section 7.1): what a client asks of a person
whom it names, and who is not in front of it."""

from __future__ import annotations

from typing import NamedTuple

from idp.directory.clients import Client
from idp.directory.details_types import is_legible
from idp.errors import OAuthRefusal
from idp.oidc import request_object
from idp.oidc.authorization_request import DECOUPLED_PARAMETERS
from idp.oidc.jwks_uri import ClientKeys
from idp.oidc.parameters import Parameters
from idp.oidc.request_object import RequestObjectRefusal

HINTS = ("login_hint", "login_hint_token", "id_token_hint")
MESSAGE, EXPIRY = "binding_message", "requested_expiry"
PARAMETERS = (*DECOUPLED_PARAMETERS, "login_hint_token", MESSAGE, EXPIRY)
KEPT = tuple(name for name in (*DECOUPLED_PARAMETERS, MESSAGE) if name not in HINTS)
LONGEST_MESSAGE = 100
EXPIRY_DIGITS = 9


class Asked(NamedTuple):
    """Who must sign may ask by the name `signed_as` once, until `signed_until`; it is empty for the
    others."""

    parameters: Parameters
    signed_as: str = ""
    signed_until: float = 0.0
    signed_at: float = 0.0

    @property
    def kept(self) -> dict[str, str]:
        """What is asked again when the person decides; who that is was settled before."""
        values = self.parameters.values
        return {name: values[name] for name in KEPT if name in values}


def read(sent: Parameters, client: Client, keys: ClientKeys, issuer: str, now: float) -> Asked:
    """Raises OAuthRefusal."""
    asked = _asked(sent, client, keys, issuer, now)
    for check in CHECKS:
        check(asked.parameters)
    return asked


def _asked(sent: Parameters, client: Client, keys: ClientKeys, issuer: str, now: float) -> Asked:
    """A client signs all of its requests or none (section 4), and of one that is signed nothing
    stands beside the signature (section 7.1.1)."""
    token = sent.get("request")
    if client.backchannel_authentication_request_signing_alg is None:
        if token is not None:
            raise _invalid("The client is not registered to sign its requests.")
        return Asked(_of_client(client, sent))
    if token is None:
        raise _invalid("The client is registered to sign its requests.")
    beside = [name for name in PARAMETERS if name != "client_id" and name in sent.values]
    if beside:
        raise _invalid(f"{beside[0]} stands beside the signed request.")
    try:
        signed = request_object.verify_backchannel(token, client, keys, issuer, PARAMETERS, now)
    except RequestObjectRefusal as refusal:
        raise _invalid(refusal.public_message, refusal.detail) from refusal
    return Asked(_of_client(client, signed.parameters), *signed[1:])


def _of_client(client: Client, sent: Parameters) -> Parameters:
    asked = {name: sent.values[name] for name in PARAMETERS if name in sent.values}
    return Parameters({**asked, "client_id": client.client_id}, frozenset())


def _check_scope(sent: Parameters) -> None:
    if sent.get("scope") is None:
        raise _invalid("scope is missing.")
    if "openid" not in sent.words("scope"):
        raise OAuthRefusal("invalid_scope", "openid must be in the scope.")


def _check_hints(sent: Parameters) -> None:
    given = [name for name in HINTS if sent.get(name)]
    if len(given) != 1:
        raise _invalid(f"Exactly one of {', '.join(HINTS)} is needed.")
    if given == ["login_hint_token"]:
        raise _invalid("login_hint_token is not taken: send login_hint or id_token_hint.")


def _check_message(sent: Parameters) -> None:
    message = sent.get(MESSAGE)
    if message is not None and not (len(message) <= LONGEST_MESSAGE and is_legible(message)):
        sentence = f"It has to be a line of {LONGEST_MESSAGE} characters at most, all of them seen."
        raise OAuthRefusal("invalid_binding_message", sentence)


def _check_expiry(sent: Parameters) -> None:
    text = sent.get(EXPIRY)
    is_number = text is None or (text.isascii() and text.isdigit() and len(text) <= EXPIRY_DIGITS)
    if not is_number or (text is not None and int(text) == 0):
        raise _invalid(f"{EXPIRY} must be a positive whole number of seconds.")


CHECKS = (_check_scope, _check_hints, _check_message, _check_expiry)


def lifetime_of(sent: Parameters, most: int) -> int:
    """In seconds: as long as is asked for, or the most that there is."""
    return min(int(sent.get(EXPIRY) or most), most)


def _invalid(sentence: str, detail: str = "") -> OAuthRefusal:
    return OAuthRefusal("invalid_request", sentence, detail)
