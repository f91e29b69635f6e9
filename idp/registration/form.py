"""Products, clients, tenants and roles as they are described, by a file or by an operator.

A field that is left out is left alone where the thing exists already, and takes its default where
it is made. Lists are given whole. Nothing is ever deleted for not being named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from idp.directory.claim_names import RESERVED_NAMES
from idp.directory.roles import ACCOUNT_ADMIN, RANK, TOP_RANK
from idp.oidc.client_metadata import CLIENT_ID, NO_SHARED_KEYS, SCOPE_WORD
from idp.policies.password_age import LEAST_DAYS, MOST_DAYS
from idp.policies.password_rules import HISTORY, MIN_ALNUM, MIN_LENGTH
from idp.policies.second_factor_terms import LEAST_MINUTES, MOST_MINUTES
from idp.policies.sessions import ABSOLUTE, IDLE

GrantType = Literal[
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:openid:params:grant-type:ciba",
    "urn:ietf:params:oauth:grant-type:token-exchange",
]
MIN_CLIENT_SECRET = 32
MAX_AGE = 366 * 86400


def _role_key(key: str) -> str:
    if key in RESERVED_NAMES:
        raise ValueError("this is the name of a claim, so no role can have it")
    return key


def _auth_method(method: Any) -> Any:
    if method == "client_secret_jwt":
        raise ValueError(NO_SHARED_KEYS)
    return method


def _client_secret(secret: SecretStr) -> SecretStr:
    check_client_secret(secret.get_secret_value())
    return secret


def check_client_secret(text: str) -> None:
    """It is stored by SHA-256, so it must be one that nobody can guess. Raises ValueError."""
    if not MIN_CLIENT_SECRET <= len(text) <= 512:
        raise ValueError(f"a client secret has {MIN_CLIENT_SECRET} to 512 characters")
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("a client secret has visible ASCII characters only")


Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,120}$")]
Words = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{0,500}$")]
ProductKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
PermissionKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._:-]{0,63}$")]
DetailsTypeName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.:-]{0,63}$")]
ClientId = Annotated[str, StringConstraints(pattern=f"^{CLIENT_ID}$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,62}$")]
RoleKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{1,62}$"), AfterValidator(_role_key)
]
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+$", max_length=2048)]
ProviderKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,30}$")]
Algorithm = Literal["RS256", "ES256", "PS256", "Ed25519", "EdDSA"]
AuthMethod = Annotated[
    Literal[
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "tls_client_auth",
        "self_signed_tls_client_auth",
        "none",
    ],
    BeforeValidator(_auth_method),
]
KeyAlgorithm = Literal["RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A256KW"]
ContentAlgorithm = Literal["A128CBC-HS256", "A128GCM", "A256GCM"]
FreshMinutes = Annotated[int, Field(ge=LEAST_MINUTES, le=MOST_MINUTES)]
ClientSecret = Annotated[SecretStr, AfterValidator(_client_secret)]


class Form(BaseModel):
    """Unknown fields are refused, and nothing is guessed from another type."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    def stated(self, names: Iterable[str], is_new: bool) -> dict[str, Any]:
        """Those of the named fields that the file states; of something new all, with defaults."""
        return {
            name: getattr(self, name) for name in names if is_new or name in self.model_fields_set
        }


class PermissionForm(Form):
    """A node of a product's tree."""

    key: PermissionKey
    name: Line
    description: Words = ""
    children: list[PermissionForm] = []


class PasswordAgeForm(Form):
    """`password_max_age_since` is from when on the age holds. Left out, it follows from what is
    stored: from now on where the age is new or stricter."""

    password_max_age_days: int | None = Field(
        default=None, ge=LEAST_DAYS, le=MOST_DAYS, description="An older password is changed first."
    )
    password_max_age_since: float | None = Field(
        default=None, ge=0, description="From when on that holds, in seconds since 1970."
    )

    @model_validator(mode="after")
    def _of_an_age(self) -> Self:
        if self.password_max_age_since is not None and self.password_max_age_days is None:
            raise ValueError("password_max_age_since is given with password_max_age_days")
        return self


class DetailsFieldForm(Form):
    """What one authorization detail says, in one place of it."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,40}$")]
    title: Line = Field(description="As people read it.")
    kind: Literal["text", "amount", "list"] = Field(
        default="text", description="An amount is like 100.00; a list is of texts."
    )
    required: bool = True
    choices: list[Line] = Field(default=[], max_length=50, description="Of a text: one of these.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.name == "type":
            raise ValueError("every type has this field already")
        if self.choices and self.kind != "text":
            raise ValueError("choices are given for a text")
        return self


class DetailsTypeForm(Form):
    """A type of authorization details (RFC 9396), which people allow one by one."""

    type: DetailsTypeName
    title: Line
    sentence: Words = Field(description="For people, with {name} where a required field goes.")
    fields: list[DetailsFieldForm] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError("two fields have one name")
        named = {field.name for field in self.fields if field.required and field.kind != "list"}
        if not set(re.findall(r"\{([^{}]*)\}", self.sentence)) <= named:
            raise ValueError("sentence names what is no required text or amount")
        if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", self.sentence)):
            raise ValueError("sentence has a brace that names nothing")
        return self


class ProductForm(PasswordAgeForm):
    key: ProductKey
    name: Line
    description: Words = ""
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = Field(
        default="#475569", description="#rrggbb"
    )
    icon: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")] = Field(
        default="apps", description="The name of a Tabler icon."
    )
    resource: Uri | None = Field(
        default=None, description="The `aud` of its access tokens; urn:product:<key> if left out."
    )
    launch_client: ClientId | None = Field(default=None, description="Opens it from the menu.")
    position: int = Field(default=0, ge=0, le=10_000, description="Its place; new ones come last.")
    second_factor: bool = Field(default=False, description="True asks everybody for one.")
    second_factor_minutes: FreshMinutes | None = Field(
        default=None, description="How old it may be; no limit if left out."
    )
    sign_up: bool = Field(
        default=False, description="True lets people open an account on their way to it."
    )
    identity_providers: list[ProviderKey] = Field(
        default=[], description="Those that its sign-in offers beside a password, by key."
    )
    refuses_federated: bool = Field(
        default=False, description="True asks who came by another provider for a proof of our own."
    )
    access_token_format: Literal["jwt", "opaque"] = Field(
        default="jwt",
        description="Opaque ones can be read by nobody but us.",
    )
    permissions: list[PermissionForm] = []
    authorization_details_types: list[DetailsTypeForm] = Field(
        default=[], max_length=20, description="What people allow one by one."
    )

    @model_validator(mode="after")
    def _types_apart(self) -> Self:
        names = [each.type for each in self.authorization_details_types]
        if len(set(names)) != len(names):
            raise ValueError("authorization_details_types has a type twice")
        return self


class ClientForm(Form):
    """An OAuth client, in the words of RFC 7591. `oidc/client_metadata.py` has the rules."""

    client_id: ClientId
    client_name: Line
    product: ProductKey
    tenant: Slug | None = Field(default=None, description="A machine's own tenant.")
    status: Literal["active", "disabled"] = "active"
    profile: Literal["fapi2_security", "fapi2_message_signing"] | None = Field(
        default=None, description="Settles all that it demands where nothing else is said."
    )
    application_type: Literal["web", "native"] = "web"
    token_endpoint_auth_method: AuthMethod = "client_secret_basic"
    client_secret: ClientSecret | None = Field(
        default=None, description="At least 32 characters. Only its hash is kept."
    )
    client_secret_file: str | None = Field(
        default=None,
        min_length=1,
        description="Holds the secret; made with a new one if it is not there.",
    )
    token_endpoint_auth_signing_alg: Algorithm | None = Field(
        default=None, description="Of its assertions; any of them if left out."
    )
    jwks: dict[str, Any] | None = Field(
        default=None, description="Public keys, for private_key_jwt and request objects."
    )
    jwks_file: str | None = Field(default=None, min_length=1)
    jwks_uri: str | None = Field(
        default=None, description="Its public keys are there, and are fetched when they are needed."
    )
    redirect_uris: list[str] = []
    post_logout_redirect_uris: list[str] = []
    grant_types: list[GrantType] = ["authorization_code"]
    scope: Annotated[
        str, StringConstraints(pattern=f"^({SCOPE_WORD}( {SCOPE_WORD})*)?$", max_length=1000)
    ] = "openid profile email"
    permissions: list[PermissionKey] = Field(default=[], description="A machine's own.")
    resources: dict[ProductKey, list[PermissionKey]] = Field(
        default={},
        description="Other products that it may have tokens for, and the nodes that they carry.",
    )
    authorization_details_types: list[DetailsTypeName] = Field(
        default=[], description="What it may ask people to allow one by one."
    )
    first_party: bool = Field(default=False, description="True asks no one for consent.")
    initiate_login_uri: str | None = None
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool = Field(
        default=False, description="It needs a `sid` in logout tokens, which is always there."
    )
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool = Field(
        default=False, description="True adds `iss` and `sid` to the address."
    )
    require_pkce: bool = True
    require_pushed_authorization_requests: bool = False
    subject_type: Literal["public", "pairwise"] = Field(
        default="public", description="pairwise: its own name for each person."
    )
    sector_identifier_uri: str | None = Field(
        default=None, description="Its host stands for all that share those names."
    )
    request_object_signing_alg: Algorithm | None = Field(
        default=None, description="Of its request objects; any of them if left out."
    )
    request_uris: list[str] = Field(
        default=[], description="Its request objects are there; fetched only if the operator lets."
    )
    require_signed_request_object: bool = False
    backchannel_authentication_request_signing_alg: Algorithm | None = Field(
        default=None, description="Of its CIBA requests, all signed; none is if left out."
    )
    dpop_bound_access_tokens: bool = False
    default_acr_values: list[str] = Field(
        default=[], description="Classes that it wishes for where a request names none."
    )
    information: dict[str, Any] = Field(
        default={},
        description="For people: client_uri, logo_uri, policy_uri, tos_uri, contacts, …",
    )
    tls_client_auth_subject_dn: str | None = Field(
        default=None, description="For tls_client_auth: one of these five names its certificate."
    )
    tls_client_auth_san_dns: str | None = None
    tls_client_auth_san_uri: str | None = None
    tls_client_auth_san_ip: str | None = None
    tls_client_auth_san_email: str | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    default_max_age: int | None = Field(default=None, ge=0, le=MAX_AGE, description="Seconds.")
    id_token_signed_response_alg: Algorithm = "RS256"
    access_token_signed_response_alg: Algorithm = "ES256"
    authorization_signed_response_alg: Algorithm = "RS256"
    id_token_encrypted_response_alg: KeyAlgorithm | None = Field(
        default=None, description="Encrypted to one of its keys by it; signed alone if left out."
    )
    id_token_encrypted_response_enc: ContentAlgorithm | None = None
    authorization_encrypted_response_alg: KeyAlgorithm | None = None
    authorization_encrypted_response_enc: ContentAlgorithm | None = None
    userinfo_signed_response_alg: Algorithm | None = Field(
        default=None, description="JSON that nobody signed if left out."
    )
    userinfo_encrypted_response_alg: KeyAlgorithm | None = None
    userinfo_encrypted_response_enc: ContentAlgorithm | None = None
    introspection_signed_response_alg: Algorithm = Field(
        default="RS256", description="Of what it asks for as a JWT (RFC 9701)."
    )
    introspection_encrypted_response_alg: KeyAlgorithm | None = None
    introspection_encrypted_response_enc: ContentAlgorithm | None = None
    refresh_token_rotation: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> ClientForm:
        for left, right in (("client_secret", "client_secret_file"), ("jwks", "jwks_file")):
            if getattr(self, left) is not None and getattr(self, right) is not None:
                raise ValueError(f"give {left} or {right}, not both")
        return self


class KindForm(Form):
    """`since` is when the mode was last turned on again, and `was_on` remembers of one that is off
    that it was on before. Left out, both follow from what is stored."""

    mode: Literal["off", "selected", "optional", "required"]
    since: float | None = Field(default=None, ge=0)
    was_on: bool | None = None


class PolicyForm(PasswordAgeForm):
    """What a tenant demands beyond the platform."""

    session_idle_minutes: int | None = Field(default=None, ge=IDLE.least, le=IDLE.most)
    session_absolute_hours: int | None = Field(default=None, ge=ABSOLUTE.least, le=ABSOLUTE.most)
    second_factor: dict[Literal["staff", "customer", "organization"], KindForm] | None = Field(
        default=None, description="By kind of membership. Kinds that are left out stay."
    )
    second_factor_methods: list[Literal["passkey", "totp", "sms", "email"]] | None = Field(
        default=None, description="Those that count; passkey always does."
    )
    second_factor_products: dict[ProductKey, FreshMinutes | None] | None = Field(
        default=None, description="Products that demand one, and the minutes that it stays fresh."
    )
    password_after_enrolment: bool | None = Field(
        default=None, description="Ask customers for the password again once they have enrolled."
    )
    reset_needs_second_admin: bool | None = Field(
        default=None, description="Another admin has to approve a reset of second factors."
    )
    password_min_alnum: int | None = Field(
        default=None, ge=MIN_ALNUM.least, le=MIN_ALNUM.most, description="Letters or digits."
    )
    password_min_length: int | None = Field(
        default=None, ge=MIN_LENGTH.least, le=MIN_LENGTH.most, description="Characters of any kind."
    )
    password_history: int | None = Field(
        default=None,
        ge=HISTORY.least,
        le=HISTORY.most,
        description="How many are not had again, the current one included.",
    )
    password_reset: Literal["temporary_password", "link"] | None = Field(
        default=None, description="What the letter for a forgotten password leads to."
    )
    sign_up: Literal["approval", "admitted", "closed"] | None = Field(
        default=None, description="Who opens an account with an address of a verified domain."
    )
    sign_up_role: RoleKey | None = Field(
        default=None, description="What those who are admitted get; without it, none is."
    )
    sign_up_since: float | None = Field(
        default=None, description="Domains verified by then admit; stated now if left out."
    )


class RoleForm(Form):
    """`permissions` maps a product's key to nodes of its tree. The built-in account admin has
    all of them, so there it is not given."""

    key: RoleKey
    name: Line
    description: Words = ""
    rank: int = Field(
        default=RANK, ge=1, lt=TOP_RANK, description="Nobody gives a role above their own."
    )
    permissions: dict[ProductKey, list[PermissionKey]] = {}

    @model_validator(mode="after")
    def _built_in(self) -> RoleForm:
        if self.key == ACCOUNT_ADMIN and {"permissions", "rank"} & self.model_fields_set:
            raise ValueError(f"{ACCOUNT_ADMIN} is built in: every permission, and the top rank")
        return self


class TenantForm(Form):
    slug: Slug
    name: Line
    status: Literal["active", "suspended"] = "active"
    confirmed: bool = Field(
        default=True, description="False for one that somebody founded and nobody has confirmed."
    )
    policy: PolicyForm = PolicyForm()
    roles: list[RoleForm] = []


def nodes(tree: Iterable[PermissionForm]) -> Iterator[PermissionForm]:
    """Every node, parents before their children."""
    for node in tree:
        yield node
        yield from nodes(node.children)
