"""The identity provider as this product sees it: Authlib's stock client, with what it lacks.

Authlib finds everything from the issuer's metadata, makes state, nonce and PKCE, redeems codes
and checks ID tokens. Added here: the metadata's issuer, RFC 9207's `iss`, the ID token's audience
and an algorithm allow-list; `id_token.py` has one more.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from authlib.integrations.flask_client import FlaskOAuth2App, OAuth, OAuthError
from authlib.oidc.core import CodeIDToken
from flask import Flask, session
from joserfc.errors import JoseError
from requests import RequestException
from werkzeug.wrappers import Response

from relying_parties.base.configuration import Configuration
from relying_parties.base.expiring import ExpiringValues
from relying_parties.base.id_token import check_at_hash
from relying_parties.base.issuer_keys import ALGORITHMS, LEEWAY_SECONDS
from relying_parties.base.sessions import AppSession, Tokens

TIMEOUT_SECONDS = 10
MENU_TIMEOUT_SECONDS = 5
METADATA_FRESH_SECONDS = 3600
EXPIRES_EARLY_SECONDS = 15
PARALLEL_SIGN_INS = 8
UNUSABLE_ANSWER = (RequestException, ValueError, KeyError)


class ProviderAway(Exception):
    """The identity provider does not answer, or not as one; trying again later may help."""


class SignInRefused(Exception):
    """An answer that cannot be turned into a session. The message is for the log."""


@dataclass(frozen=True)
class SignedIn:
    claims: dict[str, Any]
    tokens: Tokens


class Provider:
    """One product's registration at its identity provider. Nothing is fetched before it is used."""

    def __init__(
        self, app: Flask, configuration: Configuration, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        issuer = configuration.issuer.rstrip("/")
        self._client: FlaskOAuth2App = OAuth(app, cache=ExpiringValues()).register(
            configuration.client_id,
            client_id=configuration.client_id,
            client_secret=configuration.client_secret,
            server_metadata_url=f"{issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile email",
                "code_challenge_method": "S256",
                "default_timeout": TIMEOUT_SECONDS,
            },
        )

    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0 section 4: the document's issuer must be ours, exactly."""
        known = self._client.server_metadata
        if time.time() - known.get("_loaded_at", 0) > METADATA_FRESH_SECONDS:
            known.pop("_loaded_at", None)
        try:
            found = self._client.load_server_metadata()
        except UNUSABLE_ANSWER as error:
            raise ProviderAway("no metadata") from error
        if found.get("issuer") != self._configuration.issuer:
            known.pop("_loaded_at", None)
            raise ProviderAway("metadata of another issuer")
        offered = found.get("id_token_signing_alg_values_supported", ["RS256"])
        found["id_token_signing_alg_values_supported"] = [a for a in offered if a in ALGORITHMS]
        return found

    def fetch_keys(self) -> dict[str, Any]:
        self.metadata()
        try:
            return cast(dict[str, Any], self._client.fetch_jwk_set(force=True))
        except UNUSABLE_ANSWER as error:
            raise ProviderAway("no keys") from error

    def start_sign_in(self, *, target: str, is_silent: bool, **parameters: str) -> str:
        """The authorization request's URL. State, nonce and verifier stay here, by state."""
        self.metadata()
        self._forget_oldest_attempts()
        redirect_uri = self._configuration.own_url("/callback")
        request = self._client.create_authorization_url(redirect_uri, **parameters)
        self._client.save_authorize_data(
            redirect_uri=redirect_uri, target=target, is_silent=is_silent, **request
        )
        return str(request["url"])

    def find_attempt(self, claimed_state: str | None) -> dict[str, Any] | None:
        """What was remembered when this browser started the sign-in with that state."""
        found = self._client.framework.get_state_data(session, claimed_state)
        return cast("dict[str, Any] | None", found)

    def forget_attempt(self, state: str) -> None:
        self._client.framework.clear_state_data(session, state)

    def is_own_issuer(self, claimed_issuer: str | None) -> bool:
        """RFC 9207 section 2.4: compare, and demand `iss` of a provider that says it sends it."""
        if claimed_issuer is None:
            promised = "authorization_response_iss_parameter_supported"
            return not self.metadata().get(promised, False)
        return claimed_issuer == self._configuration.issuer

    def redeem(self) -> SignedIn:
        """Trade the code of the current request for tokens, and ask userinfo who this is."""
        self.metadata()
        try:
            answer = self._client.authorize_access_token(**self._id_token_demands())
            claims = _checked_claims(answer, answer.get("userinfo"))
        except (OAuthError, JoseError) as error:
            raise SignInRefused(str(error)) from error
        except UNUSABLE_ANSWER as error:
            raise ProviderAway("token endpoint") from error
        return SignedIn(self._with_userinfo(claims, answer), self._tokens(answer))

    def renew(self, held: AppSession) -> bool:
        """A new access token by the refresh token; False when the provider's session is over.

        OpenID Connect Core 12.2: a new ID token must be about the same person.
        """
        refreshed = self._refresh(held.tokens) if held.tokens.refresh_token else None
        if refreshed is None or refreshed.claims.get("sub", held.sub) != held.sub:
            return False
        held.claims = {**held.claims, **refreshed.claims}
        held.tokens = refreshed.tokens
        return True

    def _refresh(self, before: Tokens) -> SignedIn | None:
        self.metadata()
        try:
            answer = self._client.fetch_access_token(
                grant_type="refresh_token", refresh_token=before.refresh_token
            )
            claims = self._renewed_claims(answer)
        except OAuthError as error:
            if error.error == "invalid_grant":
                return None
            raise ProviderAway("refresh") from error
        except JoseError:
            return None
        except UNUSABLE_ANSWER as error:
            raise ProviderAway("refresh") from error
        return SignedIn(claims, self._tokens(answer, before))

    def is_fresh(self, tokens: Tokens) -> bool:
        return self._clock() < tokens.expires_at - EXPIRES_EARLY_SECONDS

    def fetch_menu(self, access_token: str) -> dict[str, Any] | None:
        """The provider's product switcher for this person, or None if it has none to give."""
        endpoint = self.metadata().get("product_switcher_endpoint")
        if endpoint is None:
            return None
        try:
            answer = self._client.get(
                endpoint, token=_bearer(access_token), timeout=MENU_TIMEOUT_SECONDS
            )
            return cast("dict[str, Any]", answer.json()) if answer.ok else None
        except UNUSABLE_ANSWER:
            return None

    def sign_out(self, *, id_token: str | None) -> Response | None:
        """To the end-session endpoint (RP-Initiated Logout 1.0), or None if there is none.

        Without an ID token the provider asks the person before it ends anything.
        """
        if "end_session_endpoint" not in self.metadata():
            return None
        return self._client.logout_redirect(
            post_logout_redirect_uri=self._configuration.own_url("/signed-out"),
            id_token_hint=id_token,
            client_id=self._configuration.client_id,
        )

    def is_back_from_sign_out(self) -> bool:
        """Whether the current request carries the state that `sign_out` sent along."""
        try:
            self._client.validate_logout_response()
        except OAuthError:
            return False
        return True

    def _forget_oldest_attempts(self) -> None:
        # The cookie that names them has room for about forty; abandoned tabs must not fill it.
        for name in list(session)[: -PARALLEL_SIGN_INS + 1]:
            session.pop(name)

    def _id_token_demands(self) -> dict[str, Any]:
        audience = self._configuration.client_id
        return {
            "claims_cls": CodeIDToken,
            "claims_options": {
                "iss": {"essential": True, "value": self._configuration.issuer},
                "aud": {"essential": True, "value": audience},
            },
            "leeway": LEEWAY_SECONDS,
        }

    def _with_userinfo(self, claims: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        """OpenID Connect Core 5.3.2: userinfo about another `sub` must not be used."""
        if "userinfo_endpoint" not in self.metadata():
            return claims
        try:
            userinfo = self._client.userinfo(token=_bearer(answer["access_token"]))
        except RequestException as error:
            raise ProviderAway("userinfo") from error
        if userinfo.get("sub") != claims["sub"]:
            raise SignInRefused("userinfo is about somebody else")
        return {**userinfo, **claims}

    def _renewed_claims(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "id_token" not in answer:
            return {}
        claims = self._client.parse_id_token(answer, nonce=None, **self._id_token_demands())
        return _checked_claims(answer, claims)

    def _tokens(self, answer: dict[str, Any], before: Tokens | None = None) -> Tokens:
        return Tokens(
            id_token=answer.get("id_token") or (before.id_token if before else ""),
            access_token=answer["access_token"],
            refresh_token=answer.get("refresh_token") or (before.refresh_token if before else None),
            expires_at=self._clock() + int(answer.get("expires_in", 300)),
        )


def _checked_claims(answer: dict[str, Any], claims: dict[str, Any] | None) -> dict[str, Any]:
    if claims is None:
        raise SignInRefused("no ID token")
    check_at_hash(claims, id_token=answer["id_token"], access_token=answer["access_token"])
    return dict(claims)


def _bearer(access_token: str) -> dict[str, str]:
    # Without its refresh token, so that Authlib never refreshes behind the session's lock.
    return {"access_token": access_token, "token_type": "Bearer"}
