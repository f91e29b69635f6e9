"""What clients may be that register themselves by an initial access token, now and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from idp.errors import MetadataRefusal
from idp.oidc.client_authentication import METHODS
from idp.oidc.client_metadata import GRANT_TYPES, SCOPE_WORD
from idp.registration.form import Form

ANY_HOST = "*"
HOST = r"^(\*|(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+)$"


def _known_grant_types(named: list[str]) -> list[str]:
    return _known(named, GRANT_TYPES)


def _known_methods(named: list[str]) -> list[str]:
    return _known(named, METHODS)


def _known(named: list[str], all_there_are: Sequence[str]) -> list[str]:
    for each in named:
        if each not in all_there_are:
            raise ValueError(f"{each} is none of {', '.join(all_there_are)}")
    return named


class RegistrationPolicy(Form):
    """`redirect_hosts` are those of every address that a client may name: `app.example`, all below
    it as `*.app.example`, or `*` for any, which lets in private schemes of native applications too.
    A public client needs PKCE whatever `require_pkce` says."""

    redirect_hosts: list[Annotated[str, StringConstraints(pattern=HOST, max_length=253)]] = Field(
        min_length=1, max_length=50
    )
    scope: Annotated[
        str, StringConstraints(pattern=f"^({SCOPE_WORD}( {SCOPE_WORD})*)?$", max_length=1000)
    ] = "openid profile email"
    grant_types: Annotated[list[str], AfterValidator(_known_grant_types)] = Field(
        default=["authorization_code", "refresh_token"], min_length=1
    )
    token_endpoint_auth_methods: Annotated[list[str], AfterValidator(_known_methods)] = Field(
        default=list(METHODS), min_length=1
    )
    require_pkce: bool = True
    require_software_statement: bool = False

    def check(self, members: Mapping[str, Any]) -> None:
        """Raises MetadataRefusal for the first member that goes beyond it."""
        _check_words("grant_types", members["grant_types"], self.grant_types)
        _check_words("scope", members["scope"].split(), self.scope.split())
        method = members["token_endpoint_auth_method"]
        _check_words("token_endpoint_auth_method", [method], self.token_endpoint_auth_methods)
        for name, value in members.items():
            for uri in _addresses(name, value):
                if not self._lets_in(uri):
                    raise MetadataRefusal(name, f"{uri} is at a host that is not let in here.")

    def _lets_in(self, uri: str) -> bool:
        host = urlsplit(uri).hostname or ""
        return any(
            each in (ANY_HOST, host) or (each.startswith("*.") and host.endswith(each[1:]))
            for each in self.redirect_hosts
        )


def _check_words(member: str, claimed: Sequence[str], allowed: Sequence[str]) -> None:
    for word in claimed:
        if word not in allowed:
            raise MetadataRefusal(member, f"{word} is not let in here.")


def _addresses(member: str, value: Any) -> list[str]:
    """Also those that are for people to read, in each language."""
    name = member.partition("#")[0]
    if name.endswith("_uri"):
        return [value] if value else []
    return list(value) if name.endswith("_uris") else []
