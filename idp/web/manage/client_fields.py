"""The fields of a client's form, and how a browser's text becomes a ClientForm's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _
from werkzeug.datastructures import MultiDict

from idp.directory.clients import Client
from idp.oidc import fapi
from idp.oidc.client_authentication import METHODS
from idp.oidc.client_metadata import APPLICATION_TYPES, GRANT_TYPES
from idp.tokens import subjects
from idp.tokens.encrypted_tokens import CONTENT_ALGORITHMS, KEY_ALGORITHMS
from idp.tokens.key_pairs import ALGORITHMS
from idp.web.manage import filled_in

LINE, LINES, SWITCH, CHOICE, CHOICES, NUMBER, JSON = (
    *("line", "lines", "switch", "choice", "choices"),
    *("number", "json"),
)
ANY_ALGORITHM = ("", *ALGORITHMS)
MAY_BE_ABSENT = {
    *("tenant", "jwks_uri", "initiate_login_uri", "backchannel_logout_uri"),
    *("frontchannel_logout_uri", "sector_identifier_uri", "tls_client_auth_subject_dn"),
    *("tls_client_auth_san_dns", "tls_client_auth_san_uri"),
    *("tls_client_auth_san_ip", "tls_client_auth_san_email"),
}
EMPTY = {"resources": "{}", "information": "{}"}  # of JSON fields that can't be absent


class Field(NamedTuple):
    """`name` is the word of RFC 7591, which the page shows under the label. An empty one of the
    `choices` leaves it open."""

    name: str
    kind: str
    label: Any
    hint: Any = ""
    choices: Sequence[str] = ()


ABOUT = (
    Field("client_name", LINE, _("Name")),
    Field("tenant", LINE, _("Short name of the tenant"), _("Only for a machine of one tenant.")),
    Field(
        *("information", JSON, _("For people")),
        _("What people see of it, as JSON: logo_uri, client_uri, policy_uri, tos_uri."),
    ),
    Field("first_party", SWITCH, _("Ours: nobody is asked for consent")),
)
SIGN_IN = (
    Field("redirect_uris", LINES, _("Where people come back to"), _("One address on each line.")),
    Field(
        *("post_logout_redirect_uris", LINES, _("Where people go after signing out")),
        _("One address on each line."),
    ),
    Field("initiate_login_uri", LINE, _("Where its sign-in begins"), _("For the product menu.")),
    Field(
        *("backchannel_logout_uri", LINE, _("Where it is told of sign-outs")),
        _("By us, whatever the browser does."),
    ),
    Field("backchannel_logout_session_required", SWITCH, _("It needs to know which session")),
    Field(
        *("frontchannel_logout_uri", LINE, _("Where the browser tells it of sign-outs")),
        _("Shown in a hidden frame, which many browsers leave without the product's cookies."),
    ),
    Field(
        *("frontchannel_logout_session_required", SWITCH, _("That address gets iss and sid")),
        _("The address gets iss and sid, so that it knows which session."),
    ),
    Field("application_type", CHOICE, _("Kind of application"), "", APPLICATION_TYPES),
    Field("grant_types", CHOICES, _("What it may do"), "", GRANT_TYPES),
    Field("scope", LINE, _("What it may ask for")),
    Field("permissions", LINES, _("A machine's own permissions"), _("One key on each line.")),
    Field(
        *("resources", JSON, _("Other products that it may call")),
        _("By key, with the permissions that its tokens carry there, as JSON."),
    ),
    Field(
        *("authorization_details_types", LINES, _("What it may ask people to allow one by one")),
        _("Types of its product, or of one that it may call. One on each line."),
    ),
)
SECURITY = (
    Field(
        *("profile", CHOICE, _("Security profile")),
        _("FAPI 2.0. Choosing it sets below what it demands, and nothing else is taken from then."),
        ("", *fapi.PROFILES),
    ),
    Field("token_endpoint_auth_method", CHOICE, _("How it proves itself"), "", METHODS),
    Field(
        *("token_endpoint_auth_signing_alg", CHOICE, _("Its assertions are signed by")),
        *(_("For private_key_jwt."), ANY_ALGORITHM),
    ),
    Field(
        *("jwks", JSON, _("Its public keys")),
        _("A JWK Set, for private_key_jwt and request objects."),
    ),
    Field(
        *("jwks_uri", LINE, _("Or where they are")),
        _("An address that they are fetched from, instead of the keys themselves."),
    ),
    Field("require_pkce", SWITCH, _("PKCE is required")),
    Field(
        *("require_pushed_authorization_requests", SWITCH, _("Requests have to be pushed")),
        _("It hands in each sign-in by itself before it sends the browser (RFC 9126)."),
    ),
    Field(
        *("require_signed_request_object", SWITCH, _("Requests have to be signed")),
        _("It signs what it asks of each sign-in, by its own key (RFC 9101)."),
    ),
    Field(
        *("request_object_signing_alg", CHOICE, _("Its requests are signed by")),
        *(_("Those that it signs."), ANY_ALGORITHM),
    ),
    Field(
        *("backchannel_authentication_request_signing_alg", CHOICE),
        _("Its CIBA requests are signed by"),
        *(_("If one is chosen, all of them have to be."), ANY_ALGORITHM),
    ),
    Field(
        *("request_uris", LINES, _("Where its signed requests are")),
        _("One address on each line. They are fetched only if the platform is set up for it."),
    ),
    Field(
        *("dpop_bound_access_tokens", SWITCH, _("Tokens are bound to its key")),
        _("It shows with each request that it holds the key (DPoP, RFC 9449)."),
    ),
    Field(
        *("tls_client_certificate_bound_access_tokens", SWITCH),
        _("Tokens are bound to its certificate"),
        _("They are good with the certificate that it connects with alone (RFC 8705)."),
    ),
    Field(
        *("tls_client_auth_subject_dn", LINE, _("Name of its certificate")),
        _("For tls_client_auth: exactly one of these five."),
    ),
    Field("tls_client_auth_san_dns", LINE, _("Or a host in it")),
    Field("tls_client_auth_san_uri", LINE, _("Or an address (URI) in it")),
    Field("tls_client_auth_san_ip", LINE, _("Or an IP address in it")),
    Field("tls_client_auth_san_email", LINE, _("Or an e-mail address in it")),
    Field("refresh_token_rotation", SWITCH, _("Refresh tokens are spent by use")),
    Field(
        *("subject_type", CHOICE, _("What it calls people")),
        _("pairwise: by a name that no other sector knows."),
        subjects.TYPES,
    ),
    Field(
        *("sector_identifier_uri", LINE, _("Its sector")),
        _("An address whose host stands for all clients that share those names."),
    ),
    Field(
        *("default_acr_values", LINES, _("How strong its sign-ins are")),
        _("Classes that it wishes for where a request names none, one on each line."),
    ),
    Field("default_max_age", NUMBER, _("Sign-in at most so many seconds old")),
)
ANY_KEY_ALGORITHM, ANY_CONTENT_ALGORITHM = ("", *KEY_ALGORITHMS), ("", *CONTENT_ALGORITHMS)
TO_ITS_KEY = _("To one of its public keys; open, if nothing is chosen.")
ANSWERS = (
    Field("id_token_signed_response_alg", CHOICE, _("ID tokens are signed by"), "", ALGORITHMS),
    Field(
        *("id_token_encrypted_response_alg", CHOICE, _("ID tokens are encrypted by")),
        *(TO_ITS_KEY, ANY_KEY_ALGORITHM),
    ),
    Field(
        *("id_token_encrypted_response_enc", CHOICE, _("Their content by")),
        *("", ANY_CONTENT_ALGORITHM),
    ),
    Field(
        *("access_token_signed_response_alg", CHOICE, _("Access tokens are signed by")),
        *("", ALGORITHMS),
    ),
    Field(
        *("authorization_signed_response_alg", CHOICE, _("Answers to a sign-in are signed by")),
        *(_("Those that it asks for as a JWT (JARM)."), ALGORITHMS),
    ),
    Field(
        *("authorization_encrypted_response_alg", CHOICE, _("And are encrypted by")),
        *(TO_ITS_KEY, ANY_KEY_ALGORITHM),
    ),
    Field(
        *("authorization_encrypted_response_enc", CHOICE, _("Their content by")),
        *("", ANY_CONTENT_ALGORITHM),
    ),
    Field(
        *("userinfo_signed_response_alg", CHOICE, _("Userinfo is signed by")),
        *(_("Plain JSON, if nothing is chosen."), ("", *ALGORITHMS)),
    ),
    Field(
        *("userinfo_encrypted_response_alg", CHOICE, _("Userinfo is encrypted by")),
        *(TO_ITS_KEY, ANY_KEY_ALGORITHM),
    ),
    Field(
        *("userinfo_encrypted_response_enc", CHOICE, _("Its content by")),
        *("", ANY_CONTENT_ALGORITHM),
    ),
    Field(
        *("introspection_signed_response_alg", CHOICE, _("Introspection is signed by")),
        *(_("Where it asks for a JWT (RFC 9701)."), ALGORITHMS),
    ),
    Field(
        *("introspection_encrypted_response_alg", CHOICE, _("Introspection is encrypted by")),
        *(TO_ITS_KEY, ANY_KEY_ALGORITHM),
    ),
    Field(
        *("introspection_encrypted_response_enc", CHOICE, _("Its content by")),
        *("", ANY_CONTENT_ALGORITHM),
    ),
)
SECTIONS = (
    (_("About it"), ABOUT),
    (_("Signing in and out"), SIGN_IN),
    (_("Security"), SECURITY),
    (_("What it is given"), ANSWERS),
)
FIELDS = (*ABOUT, *SIGN_IN, *SECURITY, *ANSWERS)
DEFAULTS: dict[str, Any] = {
    "grant_types": ["authorization_code"],
    "scope": "openid profile email",
    "require_pkce": True,
    "subject_type": subjects.PUBLIC,
    "token_endpoint_auth_method": METHODS[0],
    "id_token_signed_response_alg": "RS256",
    "access_token_signed_response_alg": "ES256",
    "authorization_signed_response_alg": "RS256",
    "introspection_signed_response_alg": "RS256",
}


def of_client(client: Client, tenant: str | None) -> dict[str, Any]:
    """What the form shows of a client."""
    values = {field.name: getattr(client, field.name, None) for field in FIELDS}
    names = [field.name for field in FIELDS if field.kind == JSON]
    documents = {name: filled_in.written(values[name]) for name in names}
    return {**values, **documents, "tenant": tenant}


def typed(form: MultiDict[str, str]) -> dict[str, Any]:
    """What was filled in, to be shown again as it is."""
    shown: dict[str, Any] = {}
    for field in FIELDS:
        text = form.get(field.name, "")
        if field.kind == LINES:
            shown[field.name] = text.splitlines()
        elif field.kind == CHOICES:
            shown[field.name] = form.getlist(field.name)
        else:
            shown[field.name] = bool(text) if field.kind == SWITCH else text
    return shown


def values(shown: dict[str, Any], profile_before: str | None = None) -> dict[str, Any]:
    """A ClientForm's. What can't be read stays text, which the form then refuses. A profile that
    has just been chosen says more than the fields that stood there with it."""
    read = {field.name: _value(field, shown[field.name]) for field in FIELDS}
    is_chosen = read["profile"] in fapi.PROFILES and read["profile"] != profile_before
    return {**read, **fapi.settled(read["profile"], read.get)} if is_chosen else read


def _value(field: Field, shown: Any) -> Any:
    if field.kind == LINES:
        return [line.strip() for line in shown if line.strip()]
    if field.kind in (SWITCH, CHOICES):
        return shown
    if field.kind == CHOICE:
        return shown or None
    text = shown.strip()
    if field.kind == NUMBER:
        return filled_in.number_or_nothing(text)
    if field.kind == JSON:
        text = text or EMPTY.get(field.name, "")
        return filled_in.document(text) if text else None
    return None if not text and field.name in MAY_BE_ABSENT else text
