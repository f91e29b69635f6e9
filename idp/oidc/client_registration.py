"""What a client may be: the rules of registration (RFC 7591 section 2, RFC 8252, RFC 9700).

One set of rules for every way in: the set-up file, the console, dynamic registration. Everything is
judged together, since one member decides what another may be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from ipaddress import ip_address

from idp.directory.claim_names import RESERVED_NAMES
from idp.directory.products import BUILT_IN
from idp.errors import MetadataRefusal
from idp.oidc import client_certificate, fapi
from idp.oidc.client_addresses import MAX_URI, PRINTABLE, check_uri, split_uri
from idp.oidc.client_authentication import METHODS
from idp.oidc.client_certificate import certificates_in, distinguished
from idp.oidc.client_information import check_information
from idp.oidc.client_metadata import (
    APPLICATION_TYPES,
    CERTIFICATE_NAMES,
    CIBA,
    CLIENT_ID,
    GRANT_TYPES,
    NO_SHARED_KEYS,
    SCOPE_WORD,
    TOKEN_EXCHANGE,
    ClientMetadata,
)
from idp.oidc.encrypted_responses import RESPONSES, algorithms_for
from idp.oidc.jwks import check_jwks, is_to_encrypt_to, is_to_sign_by
from idp.origins import origin_of
from idp.tokens import subjects
from idp.tokens.encrypted_tokens import CONTENT_ALGORITHMS, KEY_ALGORITHMS
from idp.tokens.key_pairs import ALGORITHMS

NOT_PUBLIC = ("client_credentials", CIBA, TOKEN_EXCHANGE)
MAX_REQUEST_URI = 512
SIGNED_BY = (
    *("token_endpoint_auth_signing_alg", "request_object_signing_alg"),
    *("id_token_signed_response_alg", "access_token_signed_response_alg"),
    *("authorization_signed_response_alg", "userinfo_signed_response_alg"),
    *("introspection_signed_response_alg", "backchannel_authentication_request_signing_alg"),
)

_SUBJECT = re.compile(r"[0-9a-f]{32}")


def check_client_metadata(
    metadata: ClientMetadata, product_permissions: AbstractSet[str] = frozenset()
) -> None:
    """Raises MetadataRefusal. `product_permissions` are the keys of its product's tree."""
    for check in CHECKS:
        check(metadata)
    for key in metadata.permissions:
        if key not in product_permissions:
            raise MetadataRefusal("permissions", f"{key!r} is not in the product's tree.")


def check_resources(
    metadata: ClientMetadata, product_key: str, trees: Mapping[str, AbstractSet[str]]
) -> None:
    """Raises MetadataRefusal. `trees` are the nodes of all products, by their keys. The consoles
    are called by clients of their own alone, and those call nobody else."""
    for key, nodes in metadata.resources.items():
        if key not in trees:
            raise MetadataRefusal("resources", f"There is no product {key!r}.")
        if key == product_key:
            raise MetadataRefusal("resources", f"{key!r} is its own product.")
        if key in BUILT_IN or product_key in BUILT_IN:
            raise MetadataRefusal("resources", f"{product_key!r} and {key!r} can't go together.")
        for node in nodes:
            if node not in trees[key]:
                raise MetadataRefusal("resources", f"{node!r} is not in the tree of {key!r}.")


def check_details_types(
    metadata: ClientMetadata, product_key: str, known: Mapping[str, AbstractSet[str]]
) -> None:
    """Of its own product, and of those that it may call (RFC 9396 section 10). Raises
    MetadataRefusal. `known` are the types of all products, by their keys."""
    within = {each for key in (product_key, *metadata.resources) for each in known.get(key, ())}
    for name in metadata.authorization_details_types:
        if name not in within:
            member = "authorization_details_types"
            raise MetadataRefusal(member, f"{name!r} is of no product that it may call.")


def _check_client_id(metadata: ClientMetadata) -> None:
    """A client is never mistaken for a person or for a claim (security.md S81)."""
    client_id = metadata.client_id
    if not re.fullmatch(CLIENT_ID, client_id):
        raise MetadataRefusal("client_id", f"{client_id!r} does not match {CLIENT_ID}.")
    if _SUBJECT.fullmatch(client_id):
        raise MetadataRefusal("client_id", "32 hexadecimal characters are the shape of a user's.")
    if client_id in RESERVED_NAMES:
        raise MetadataRefusal("client_id", f"{client_id!r} is the name of a claim.")


def _check_choices(metadata: ClientMetadata) -> None:
    if metadata.token_endpoint_auth_method == "client_secret_jwt":
        raise MetadataRefusal("token_endpoint_auth_method", NO_SHARED_KEYS)
    choices: tuple[tuple[str, str | None, Sequence[str]], ...] = (
        ("profile", metadata.profile, fapi.PROFILES),
        ("application_type", metadata.application_type, APPLICATION_TYPES),
        ("token_endpoint_auth_method", metadata.token_endpoint_auth_method, METHODS),
        ("subject_type", metadata.subject_type, subjects.TYPES),
        *((member, getattr(metadata, member), ALGORITHMS) for member in SIGNED_BY),
        *(("grant_types", grant_type, GRANT_TYPES) for grant_type in metadata.grant_types),
    )
    for member, value, allowed in choices:
        if value is not None and value not in allowed:
            raise MetadataRefusal(member, f"{value!r} is none of {', '.join(allowed)}.")


def _check_public(metadata: ClientMetadata) -> None:
    """A client without a secret proves nothing about itself (RFC 6749 section 4.4), and needs
    PKCE (RFC 9700 section 2.1.1)."""
    if metadata.token_endpoint_auth_method != "none":
        return
    for grant_type in NOT_PUBLIC:
        if grant_type in metadata.grant_types:
            raise MetadataRefusal("grant_types", f"{grant_type} is not for public clients.")
    if not metadata.require_pkce:
        raise MetadataRefusal("require_pkce", "A public client can't do without PKCE.")


def _check_redirect_uris(metadata: ClientMetadata) -> None:
    if "authorization_code" in metadata.grant_types and not metadata.redirect_uris:
        raise MetadataRefusal("redirect_uris", "authorization_code needs at least one.")
    is_native = metadata.application_type == "native"
    for uri in metadata.redirect_uris:
        check_uri("redirect_uris", uri, is_native)
    for uri in metadata.post_logout_redirect_uris:
        check_uri("post_logout_redirect_uris", uri, is_native)


def _check_own_uris(metadata: ClientMetadata) -> None:
    for member, uri in (
        ("jwks_uri", metadata.jwks_uri),
        ("initiate_login_uri", metadata.initiate_login_uri),
        ("backchannel_logout_uri", metadata.backchannel_logout_uri),
        ("sector_identifier_uri", metadata.sector_identifier_uri),
        ("frontchannel_logout_uri", metadata.frontchannel_logout_uri),
    ):
        if uri is not None:
            check_uri(member, uri, may_be_private=False)


def _check_sector(metadata: ClientMetadata) -> None:
    """What a pairwise client calls people is for one sector (OpenID Connect Core section 8.1)."""
    if metadata.subject_type == subjects.PUBLIC:
        return
    sectors = subjects.sectors_of(metadata.sector_identifier_uri, metadata.redirect_uris)
    if len(sectors) != 1 or "" in sectors:
        sentence = "pairwise needs it, unless all redirect_uris are of one host."
        raise MetadataRefusal("sector_identifier_uri", sentence)


def _check_frontchannel(metadata: ClientMetadata) -> None:
    """The browser is sent nowhere but to where it signs in (Front-Channel Logout section 2)."""
    uri = metadata.frontchannel_logout_uri
    if uri is not None and origin_of(uri) not in map(origin_of, metadata.redirect_uris):
        sentence = "It must have the scheme, host and port of a redirect URI."
        raise MetadataRefusal("frontchannel_logout_uri", sentence)


def _check_request_uris(metadata: ClientMetadata) -> None:
    """A fragment is no part of the address: it tells versions apart (OpenID Connect Core section
    6.2)."""
    for uri in metadata.request_uris:
        if len(uri) > MAX_REQUEST_URI:
            sentence = f"An address has more than {MAX_REQUEST_URI} characters."
            raise MetadataRefusal("request_uris", sentence)
        check_uri("request_uris", uri.partition("#")[0], may_be_private=False)
        split_uri("request_uris", uri)


def _check_information(metadata: ClientMetadata) -> None:
    check_information(metadata.information)


def _check_classes(metadata: ClientMetadata) -> None:
    for name in metadata.default_acr_values:
        if not PRINTABLE.fullmatch(name) or len(name) > MAX_URI:
            raise MetadataRefusal("default_acr_values", "It must be a list of words.")


def _check_scope(metadata: ClientMetadata) -> None:
    for word in metadata.scope.split(" ") if metadata.scope else ():
        if not re.fullmatch(SCOPE_WORD, word):
            raise MetadataRefusal("scope", f"{word!r} does not match {SCOPE_WORD}.")


def _check_keys(metadata: ClientMetadata) -> None:
    """In one place (RFC 7591 section 2)."""
    if metadata.jwks is None:
        return
    check_jwks(metadata.jwks)
    if metadata.jwks_uri is not None:
        raise MetadataRefusal("jwks_uri", "jwks and jwks_uri exclude each other.")


def _check_encryption(metadata: ClientMetadata) -> None:
    """`enc` goes with an `alg` (OpenID Connect Registration section 2), and `alg` with a key that
    can be encrypted to by it; what is at a `jwks_uri` is not known here."""
    for response in RESPONSES:
        alg, enc = algorithms_for(metadata, response)
        member = f"{response}_encrypted_response"
        if alg is not None and alg not in KEY_ALGORITHMS:
            raise MetadataRefusal(f"{member}_alg", f"{alg!r} is none of {KEY_ALGORITHMS}.")
        if enc is not None and enc not in CONTENT_ALGORITHMS:
            raise MetadataRefusal(f"{member}_enc", f"{enc!r} is none of {CONTENT_ALGORITHMS}.")
        if enc and not alg:
            raise MetadataRefusal(f"{member}_enc", "It needs an alg beside it.")
        if not alg or metadata.jwks_uri is not None:
            continue
        if not (metadata.jwks and is_to_encrypt_to(metadata.jwks, alg)):
            raise MetadataRefusal("jwks", f"No key in it can be encrypted to by {alg}.")


def _check_certificate(metadata: ClientMetadata) -> None:
    """RFC 8705 sections 2.1.2 and 2.2.2: one name, or the certificates themselves."""
    method = metadata.token_endpoint_auth_method
    named = [member for member in CERTIFICATE_NAMES if getattr(metadata, member)]
    if len(named) != (1 if method == client_certificate.BY_AUTHORITY else 0):
        sentence = "tls_client_auth needs exactly one name of its certificate, others have none."
        raise MetadataRefusal((named or CERTIFICATE_NAMES)[-1], sentence)
    try:
        distinguished(metadata.tls_client_auth_subject_dn or "")
        ip_address(metadata.tls_client_auth_san_ip or "::")
    except ValueError as problem:
        raise MetadataRefusal(named[0], "It can't be read.") from problem
    if method != client_certificate.BY_ITSELF or metadata.jwks_uri is not None:
        return
    if not certificates_in(metadata.jwks):
        raise MetadataRefusal("jwks", "A key needs an x5c with the client's certificate.")


def _check_profile(metadata: ClientMetadata) -> None:
    if metadata.profile is None:
        return
    found = fapi.find_contradiction(metadata.profile, partial(getattr, metadata))
    if found:
        raise MetadataRefusal(*found)


def _check_signing(metadata: ClientMetadata) -> None:
    """Who has to sign has a key for it, by the algorithm that it registered if it did."""
    method, alg = metadata.token_endpoint_auth_method, metadata.token_endpoint_auth_signing_alg
    backchannel_alg = metadata.backchannel_authentication_request_signing_alg
    for has_to_sign, signed_by in (
        (method == "private_key_jwt", alg),
        (metadata.require_signed_request_object, metadata.request_object_signing_alg),
        (backchannel_alg is not None, backchannel_alg),
    ):
        if not has_to_sign or metadata.jwks_uri is not None:
            continue
        if not (metadata.jwks and is_to_sign_by(metadata.jwks, signed_by)):
            raise MetadataRefusal("jwks", "A client that has to sign needs a key for it.")


CHECKS = (
    *(_check_client_id, _check_choices, _check_public),
    *(_check_redirect_uris, _check_own_uris, _check_request_uris, _check_frontchannel),
    *(_check_sector, _check_information, _check_classes),
    *(_check_scope, _check_keys, _check_encryption, _check_certificate),
    *(_check_profile, _check_signing),
)
