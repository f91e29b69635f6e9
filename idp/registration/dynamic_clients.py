"""Clients that register themselves, and read, change and delete what they registered (RFC 7591,
RFC 7592, OpenID Connect Dynamic Client Registration 1.0).

They are clients like any other: `ClientForm` and the rules behind it judge them, and operators see
and disable them. They are third-party always, and stay within the policy by which they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from dataclasses import replace as changed
from typing import Any

from pydantic import ValidationError
from sqlalchemy.orm import Session

from idp.directory.clients import Client
from idp.directory.registrations import ClientRegistration, Terms
from idp.directory.wording import one_line
from idp.errors import FormMistake, MetadataRefusal
from idp.oidc import fapi
from idp.oidc.client_information import INFORMATION
from idp.oidc.client_metadata import CERTIFICATE_NAMES, CIBA, POLL, ClientMetadata
from idp.oidc.client_registration import check_client_metadata
from idp.oidc.encrypted_responses import RESPONSES, algorithms_for
from idp.oidc.jwks_uri import NoKeys, sound_keys
from idp.oidc.sector_identifier import check_stranger
from idp.oidc.software_statement import MissingStatement
from idp.registration.changes import Change
from idp.registration.client_form import ClientForm
from idp.registration.client_secrets import NO_FILES, WITH_SECRET, SecretKeeper
from idp.registration.clients import apply_clients
from idp.registration.policy import RegistrationPolicy
from idp.secret_values import fingerprint, new_id, new_secret

# What of a ClientForm a client may say of itself: whatever is not here it can't.
MEMBERS = (
    *("client_name", "profile", "application_type", "redirect_uris", "post_logout_redirect_uris"),
    *("grant_types", "scope", "token_endpoint_auth_method", "jwks", "jwks_uri"),
    *("subject_type", "sector_identifier_uri", "initiate_login_uri", "backchannel_logout_uri"),
    *("backchannel_logout_session_required", "frontchannel_logout_uri"),
    "frontchannel_logout_session_required",
    *("require_pushed_authorization_requests", "default_max_age", "default_acr_values"),
    *("id_token_signed_response_alg", "authorization_signed_response_alg"),
    *("userinfo_signed_response_alg", "introspection_signed_response_alg"),
    *("id_token_encrypted_response_alg", "id_token_encrypted_response_enc"),
    *("userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc"),
    *("authorization_encrypted_response_alg", "authorization_encrypted_response_enc"),
    *("introspection_encrypted_response_alg", "introspection_encrypted_response_enc"),
    "request_uris",
    *("token_endpoint_auth_signing_alg", "request_object_signing_alg"),
    *("require_signed_request_object", "dpop_bound_access_tokens"),
    "backchannel_authentication_request_signing_alg",
    *(*CERTIFICATE_NAMES, "tls_client_certificate_bound_access_tokens"),
)
OURS = (
    *("client_id", "product", "tenant", "status", "client_secret", "client_secret_file"),
    *("jwks_file", "permissions", "resources", "authorization_details_types", "first_party"),
    *("require_pkce", "refresh_token_rotation", "access_token_signed_response_alg", "information"),
)
ALWAYS = {"require_auth_time": True}
NOT_SENT_BACK = (
    *("registration_access_token", "registration_client_uri"),
    *("client_secret_expires_at", "client_id_issued_at"),
)
MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class Registered:
    """`access_token` and `secret` are told once, and stay out of any `repr`."""

    client: Client
    registration: ClientRegistration
    changes: list[Change]
    access_token: str = field(repr=False)
    secret: str | None = field(repr=False)


def asked_for(claimed: Mapping[str, Any], terms: Terms, client_id: str) -> ClientForm:
    """Every member, as it was sent or as it is unsaid; what we don't know is left out (RFC 7591
    section 2). Raises MetadataRefusal."""
    sent = {name: value for name, value in claimed.items() if value is not None}
    policy = RegistrationPolicy.model_validate(terms.policy)
    unsaid = {"client_name": client_id, "scope": policy.scope}
    members = {name: sent.get(name, unsaid.get(name, _default(name))) for name in MEMBERS}
    information = {name: sent[name] for name in sent if name.partition("#")[0] in INFORMATION}
    information |= {name: sent[name] for name in sent if name.startswith("client_name#")}
    values = {
        **members,
        "client_id": client_id,
        "product": terms.product,
        "information": information,
        "require_pkce": policy.require_pkce or members["token_endpoint_auth_method"] == "none",
    }
    values |= _settled(values, sent)
    form = _form(values)
    _check_response_types(sent, form)
    _check_backchannel(sent)
    metadata = _metadata(form)
    check_client_metadata(metadata)
    _check_names({"client_name": form.client_name, **information})
    check_stranger(metadata)
    policy.check({**{name: values[name] for name in MEMBERS}, **information})
    return form


def check_needs_no_statement(terms: Terms) -> None:
    """Raises MissingStatement."""
    if RegistrationPolicy.model_validate(terms.policy).require_software_statement:
        raise MissingStatement


def is_encrypted_to(form: ClientForm) -> bool:
    """Whether anything is to be encrypted to its keys."""
    return any(algorithms_for(form, response)[0] for response in RESPONSES)


def check_published(form: ClientForm, document: bytes) -> None:
    """What is at its `jwks_uri`, judged as if it had been sent as `jwks`. Raises
    MetadataRefusal."""
    try:
        jwks = sound_keys(document)
    except NoKeys as problem:
        raise MetadataRefusal("jwks_uri", f"There is {problem}.") from problem
    check_client_metadata(changed(_metadata(form), jwks=jwks, jwks_uri=None))


def _metadata(form: ClientForm) -> ClientMetadata:
    names = (each.name for each in fields(ClientMetadata))
    return ClientMetadata(**{name: getattr(form, name) for name in names})


def _settled(values: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """What its profile says where the client does not."""
    settled = fapi.settled(values["profile"], lambda name: values.get(name, _default(name)))
    return {name: value for name, value in settled.items() if name not in sent}


def _default(name: str) -> Any:
    return ClientForm.model_fields[name].get_default(call_default_factory=True)


def _form(values: Mapping[str, Any]) -> ClientForm:
    try:
        return ClientForm.model_validate(values)
    except ValidationError as problem:
        fault = problem.errors(include_url=False, include_input=False, include_context=False)[0]
        member = str(fault["loc"][0]) if fault["loc"] else "client"
        raise MetadataRefusal(member, f"{fault['msg']}.") from None


def _check_names(told: Mapping[str, Any]) -> None:
    """People decide by them."""
    for member, name in told.items():
        if member.partition("#")[0] == "client_name" and one_line(name, MAX_NAME) is None:
            raise MetadataRefusal(member, f"1 to {MAX_NAME} characters, of which all are seen.")


def _check_response_types(sent: Mapping[str, Any], form: ClientForm) -> None:
    """They go with the grant types (RFC 7591 section 2.1). Unsaid, they follow."""
    claimed = sent.get("response_types")
    if claimed is not None and claimed != _response_types(form.grant_types):
        words = "code goes with the grant type authorization_code, and there is no other."
        raise MetadataRefusal("response_types", words)


def _check_backchannel(sent: Mapping[str, Any]) -> None:
    """Of the modes of CIBA Core section 4 there is one, and nobody has a code for it."""
    if sent.get("backchannel_token_delivery_mode", POLL) != POLL:
        raise MetadataRefusal("backchannel_token_delivery_mode", "Clients poll: there is no other.")
    if sent.get("backchannel_user_code_parameter", False) is not False:
        sentence = "People have no codes to give to clients."
        raise MetadataRefusal("backchannel_user_code_parameter", sentence)


def _backchannel(grant_types: Sequence[str]) -> dict[str, Any]:
    if CIBA not in grant_types:
        return {}
    return {"backchannel_token_delivery_mode": POLL, "backchannel_user_code_parameter": False}


def _response_types(grant_types: Sequence[str]) -> list[str]:
    return ["code"] if "authorization_code" in grant_types else []


def new_client_id() -> str:
    return f"client-{new_id()}"


def add(
    session: Session, form: ClientForm, terms: Terms, statement: str | None, now: float
) -> Registered:
    """Raises MetadataRefusal, from outside of which nothing may be written."""
    changes, secret = _applied(session, form, now)
    access_token = new_secret()
    registration = ClientRegistration(
        client_id=form.client_id,
        token_hash=fingerprint(access_token),
        initial_token=terms.initial_token,
        policy=terms.policy,
        software_statement=statement,
        created_at=now,
    )
    session.add(registration)
    session.flush()
    client = session.get_one(Client, form.client_id)
    return Registered(client, registration, changes, access_token, secret)


def replace(
    session: Session,
    registration: ClientRegistration,
    form: ClientForm,
    statement: str | None,
    access_token: str,
    now: float,
) -> Registered:
    """All of it, but for what is an operator's to say. A secret is new only where there was none
    and there has to be one."""
    changes, secret = _applied(session, form, now)
    registration.software_statement = statement
    session.flush()
    client = session.get_one(Client, form.client_id)
    return Registered(client, registration, changes, access_token, secret)


def _applied(session: Session, form: ClientForm, now: float) -> tuple[list[Change], str | None]:
    """With the secret, if one was made."""
    keeper = SecretKeeper(NO_FILES)
    try:
        with session.begin_nested():
            changes = apply_clients(session, [form], keeper, now)
    except FormMistake as mistake:
        raise MetadataRefusal(mistake.field, mistake.sentence) from mistake
    return changes, keeper.to_show.get(form.client_id)


def check_sent_back(claimed: Mapping[str, Any], client: Client, now: float) -> None:
    """RFC 7592 section 2.2: it names itself, sets nothing that is ours to set, and if it sends its
    secret, the one that it has. Raises MetadataRefusal."""
    if claimed.get("client_id") != client.client_id:
        raise MetadataRefusal("client_id", "It must be the client's own.")
    for name in NOT_SENT_BACK:
        if name in claimed:
            raise MetadataRefusal(name, "It is not the client's to say.")
    secret = claimed.get("client_secret")
    if secret is None:
        return
    known = [s.secret_hash for s in client.secrets if s.expires_at is None or s.expires_at > now]
    if not isinstance(secret, str) or fingerprint(secret) not in known:
        raise MetadataRefusal("client_secret", "It is not the one that the client has.")


def told(registered: Registered, issuer: str) -> dict[str, Any]:
    """What is registered (RFC 7591 section 3.2.1, RFC 7592 section 3)."""
    client, registration = registered.client, registered.registration
    members = {name: getattr(client, name) for name in MEMBERS} | client.information
    secret: dict[str, Any] = {"client_secret": registered.secret} if registered.secret else {}
    if client.token_endpoint_auth_method in WITH_SECRET:
        secret["client_secret_expires_at"] = 0  # never
    statement = registration.software_statement
    return {
        **{name: value for name, value in members.items() if value is not None},
        **ALWAYS,
        "response_types": _response_types(client.grant_types),
        **_backchannel(client.grant_types),
        **({"software_statement": statement} if statement else {}),
        **secret,
        "client_id": client.client_id,
        "client_id_issued_at": int(registration.created_at),
        "registration_access_token": registered.access_token,
        "registration_client_uri": f"{issuer}/register/{client.client_id}",
    }
