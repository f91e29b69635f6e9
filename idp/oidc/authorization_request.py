"""The authorization request (OpenID Connect Core section 3.1.2.1): parse, then check in order.

What is at fault before client and redirect URI are proven is told to the person
(`reply_to.py`), and everything else to the client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from idp.directory.catalog import Catalog, ProductView
from idp.directory.clients import Client
from idp.directory.details_types import UnfitDetails
from idp.errors import OAuthRefusal
from idp.oidc import authorization_details, claims_parameter, fapi, pkce, resource_indicators
from idp.oidc.claims_parameter import RequestedClaims, UnreadableClaims
from idp.oidc.consent_scope import consent_scope_of
from idp.oidc.parameters import Parameters
from idp.oidc.reply_to import SIGNED, RefusedRequest, ReplyTo, get_client, get_reply_to
from idp.oidc.resource_indicators import UnknownTarget
from idp.oidc.scopes import OFFLINE_ACCESS
from idp.secret_values import SecretKeys, decode
from idp.tokens.subjects import person_of

PARAMETERS = (
    *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce"),
    *("prompt", "max_age", "login_hint", "id_token_hint", "acr_values", "claims", "ui_locales"),
    *("tenant", "resource", "authorization_details"),
    *("code_challenge", "code_challenge_method", "dpop_jkt"),
)
NOT_SUPPORTED = ("request_uri", "registration")
OF_BROWSERS = frozenset(
    {
        *("redirect_uri", "response_type", "response_mode", "state", "prompt"),
        *("code_challenge", "code_challenge_method"),
    }
)
DECOUPLED_PARAMETERS = tuple(name for name in PARAMETERS if name not in OF_BROWSERS)
PROMPTS = frozenset({"none", "login", "consent", "select_account"})
MAX_AGE_DIGITS = 9
THUMBPRINT_BYTES = 32

HintReader = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that passed every check. `scope` is what of it the client may ask for;
    `redirect_uri` in `reply_to` is the effective one, `claimed_redirect_uri` what was sent.
    `hinted_subject` is a person's id. `claims` holds the names that `id_token` and `userinfo` ask
    for; `consent_scope` what a person would have to allow; `resources` the products that tokens
    are wanted for, none for the client's own alone; `details` what a person allows one by one.
    Whoever redeems the code has to hold the key `dpop_jkt`."""

    client: Client
    reply_to: ReplyTo
    claimed_redirect_uri: str | None
    scope: tuple[str, ...]
    nonce: str | None
    prompt: frozenset[str]
    max_age: int | None
    hinted_subject: str | None
    essential_acr: tuple[str, ...]
    acr_values: tuple[str, ...]
    claims: dict[str, list[str]]
    consent_scope: frozenset[str]
    tenant: str | None
    resources: tuple[ProductView, ...]
    details: tuple[dict[str, Any], ...]
    code_challenge: str | None
    dpop_jkt: str | None
    pushed_as: str = ""

    @property
    def details_text(self) -> str:
        """As JSON, which is the same for the same details; empty for none."""
        return orjson.dumps(self.details).decode() if self.details else ""

    @property
    def targets(self) -> tuple[ProductView, ...]:
        """The other products that tokens are wanted for."""
        return tuple(each for each in self.resources if each.key != self.client.product_key)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a client asks, and how it came: handed in by its client (`is_pushed`, RFC 9126), in a
    request object (`is_signed`, RFC 9101), or as it stands. What was pushed or has begun was judged
    when it was, and `is_signed` too. `pushed_as` is what it is kept by (`pushed_request.py`)."""

    parameters: Parameters
    is_pushed: bool = False
    is_signed: bool = False
    pushed_as: str = ""


def parse(
    arrival: Arrival,
    catalog: Catalog,
    keys: SecretKeys,
    read_hint: HintReader,
    *,
    must_be_pushed: bool = False,
) -> AuthorizationRequest:
    """Raises PageRefusal or RefusedRequest. `read_hint` gives an ID token's person, or None."""
    sent = arrival.parameters
    client = get_client(sent, catalog)
    reply_to = get_reply_to(sent, client)
    try:
        _check_arrival(arrival, client, must_be_pushed)
        for check in CHECKS:
            check(sent, client)
        read = _read(sent, client, catalog, reply_to, keys, read_hint)
        return replace(read, pushed_as=arrival.pushed_as) if arrival.pushed_as else read
    except _Fault as fault:
        raise RefusedRequest(fault.code, fault.message, reply_to) from fault


def parse_decoupled(
    sent: Parameters, catalog: Catalog, keys: SecretKeys, read_hint: HintReader
) -> AuthorizationRequest:
    """What came by no browser, of DECOUPLED_PARAMETERS. It is asked of the person in any case (RFC
    8628 section 5.4), and answered to what polls alone. Raises PageRefusal or OAuthRefusal."""
    client = get_client(sent, catalog)
    nowhere = ReplyTo(client, redirect_uri="", state=None)
    try:
        _check_dpop_jkt(sent, client)
        read = _read(sent, client, catalog, nowhere, keys, read_hint)
    except _Fault as fault:
        raise OAuthRefusal(fault.code, fault.message) from fault
    return replace(read, prompt=frozenset({"consent"}))


def _read(
    sent: Parameters,
    client: Client,
    catalog: Catalog,
    reply_to: ReplyTo,
    keys: SecretKeys,
    read_hint: HintReader,
) -> AuthorizationRequest:
    resources, claims = _resources(sent, client, catalog), _claims(sent)
    scope, claim_names = _scope(sent, client), claims.names(client.scope.split())
    return AuthorizationRequest(
        client=client,
        reply_to=reply_to,
        claimed_redirect_uri=sent.get("redirect_uri"),
        scope=scope,
        nonce=sent.get("nonce"),
        prompt=frozenset(sent.words("prompt")),
        max_age=_max_age(sent, client),
        hinted_subject=_hinted_subject(sent, client, claims, keys, read_hint),
        essential_acr=claims.acr(is_essential=True),
        acr_values=_wished_acr(sent, client, claims),
        claims=claim_names,
        consent_scope=consent_scope_of(scope, client, claim_names, resources),
        tenant=sent.get("tenant"),
        resources=resources,
        details=_details(sent, client, resources, catalog),
        code_challenge=sent.get("code_challenge"),
        dpop_jkt=sent.get("dpop_jkt"),
    )


class _Fault(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code)
        self.code = code
        self.message = message


def _check_arrival(arrival: Arrival, client: Client, must_be_pushed: bool) -> None:
    """RFC 9126 section 5 and RFC 9101 section 10.5."""
    must_be_pushed = must_be_pushed or client.require_pushed_authorization_requests
    if must_be_pushed and not arrival.is_pushed:
        raise _Fault("invalid_request", "The request has to be pushed (RFC 9126).")
    if client.require_signed_request_object and not arrival.is_signed:
        raise _Fault("invalid_request", "The request has to be signed (RFC 9101).")


def _check_repeated(sent: Parameters, client: Client) -> None:
    if sent.repeated:
        raise _Fault("invalid_request", "A parameter was sent more than once.")


def _check_unsupported(sent: Parameters, client: Client) -> None:
    for name in NOT_SUPPORTED:
        if sent.get(name):
            raise _Fault(f"{name}_not_supported", f"{name} is not supported.")


def _check_response_type(sent: Parameters, client: Client) -> None:
    if sent.get("response_type") is None:
        raise _Fault("invalid_request", "response_type is missing.")
    if sent.get("response_type") != "code":
        raise _Fault("unsupported_response_type", "Only response_type code is supported.")
    if "authorization_code" not in client.grant_types:
        raise _Fault("unauthorized_client", "The client may not use the authorization code grant.")


def _check_pkce(sent: Parameters, client: Client) -> None:
    challenge, method = sent.get("code_challenge"), sent.get("code_challenge_method")
    if challenge is None:
        if client.require_pkce or method is not None:
            raise _Fault("invalid_request", "code_challenge is missing (RFC 7636).")
        return
    if method != pkce.METHOD:
        raise _Fault("invalid_request", "code_challenge_method must be S256.")
    if not pkce.is_challenge(challenge):
        raise _Fault("invalid_request", "code_challenge must be 43 characters of base64url.")


def _check_prompt(sent: Parameters, client: Client) -> None:
    prompt = frozenset(sent.words("prompt"))
    if not prompt <= PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise _Fault("invalid_request", "prompt has a value that we can't honour.")


def _check_profile(sent: Parameters, client: Client) -> None:
    """FAPI 2.0 Security Profile section 5.3.2.2, FAPI 2.0 Message Signing section 5.4.1."""
    if client.profile is not None and sent.get("redirect_uri") is None:
        raise _Fault("invalid_request", "redirect_uri is missing.")
    mode = sent.get("response_mode") or ""
    if client.profile == fapi.MESSAGE_SIGNING and not mode.endswith(SIGNED):
        raise _Fault("invalid_request", "response_mode must be jwt: answers have to be signed.")


def _check_dpop_jkt(sent: Parameters, client: Client) -> None:
    """RFC 9449 section 10."""
    thumbprint = sent.get("dpop_jkt")
    if thumbprint is not None and len(decode(thumbprint) or b"") != THUMBPRINT_BYTES:
        raise _Fault("invalid_request", "dpop_jkt must be a SHA-256 thumbprint in base64url.")


CHECKS = (
    *(_check_repeated, _check_unsupported, _check_response_type),
    *(_check_pkce, _check_prompt, _check_dpop_jkt, _check_profile),
)


def _scope(sent: Parameters, client: Client) -> tuple[str, ...]:
    """Scopes that the client is not registered for are left out (OpenID Connect Core section
    3.1.2.1), and offline access where nothing could be refreshed by it (section 11); none left is
    an error."""
    allowed = set(client.scope.split())
    if "refresh_token" not in client.grant_types:
        allowed.discard(OFFLINE_ACCESS)
    scope = tuple(word for word in sent.words("scope") if word in allowed)
    if not scope:
        raise _Fault("invalid_scope", "No scope that this client may ask for was requested.")
    return scope


def _max_age(sent: Parameters, client: Client) -> int | None:
    text = sent.get("max_age")
    if text is None:
        return client.default_max_age
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_AGE_DIGITS):
        raise _Fault("invalid_request", "max_age must be a whole number of seconds.")
    return int(text)


def _claims(sent: Parameters) -> RequestedClaims:
    try:
        return claims_parameter.read(sent)
    except UnreadableClaims as problem:
        raise _Fault("invalid_request", str(problem)) from problem


def _resources(sent: Parameters, client: Client, catalog: Catalog) -> tuple[ProductView, ...]:
    try:
        return resource_indicators.named(sent, client, catalog)
    except UnknownTarget as problem:
        sentence = "The client may not ask for tokens for that resource."
        raise _Fault(resource_indicators.CODE, sentence) from problem


def _details(
    sent: Parameters, client: Client, resources: tuple[ProductView, ...], catalog: Catalog
) -> tuple[dict[str, Any], ...]:
    products = resources or (catalog.product_of(client),)
    try:
        return authorization_details.requested(sent, client, products, catalog)
    except UnfitDetails as problem:
        raise _Fault(authorization_details.CODE, str(problem)) from problem


def _wished_acr(sent: Parameters, client: Client, claims: RequestedClaims) -> tuple[str, ...]:
    """The client's own where the request names none at all."""
    wished = (*sent.words("acr_values"), *claims.acr(is_essential=False))
    return wished or (() if claims.acr(is_essential=True) else tuple(client.default_acr_values))


def _hinted_subject(
    sent: Parameters,
    client: Client,
    claims: RequestedClaims,
    keys: SecretKeys,
    read_hint: HintReader,
) -> str | None:
    """Whom the request is about: by an ID token, or by `claims` (OpenID Connect Core section
    5.5.1). Two who differ can't both be meant."""
    claimed = claims.subject()
    named = claimed and person_of(keys, client, claimed)
    hint = sent.get("id_token_hint")
    if hint is None:
        return named
    subject = read_hint(hint)
    if subject is None or named not in (None, subject):
        raise _Fault("invalid_request", "id_token_hint is not an ID token of ours about them.")
    return subject
