"""What mod_auth_openidc is told on each site of the Apache: on two as a relying party, on one that
registers itself, and on two as an API."""

from __future__ import annotations

SITES = ("plain", "signs", "registers", "asks", "checks")
CALLBACK = "/protected/callback"
RELYING_PARTY = """
OIDCRedirectURI {base_url}{callback}
OIDCScope "openid profile email"
OIDCRemoteUserClaim email
OIDCPassIDTokenAs claims serialized
OIDCInfoHook iat access_token access_token_expires id_token userinfo refresh_token session
OIDCRedirectURLsAllowed ^{base_url}/
OIDCDefaultURL {base_url}/protected/
OIDCDefaultLoggedOutURL {base_url}/signed-out.html
<Location /protected>
    AuthType openid-connect
    Require valid-user
</Location>
"""
API = """
<Location /protected>
    AuthType oauth20
    Require claim permissions:loans.read
</Location>
OIDCOAuthRemoteUserClaim sub
"""
TOLD = {
    "plain": RELYING_PARTY
    + """
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID peer-apache
OIDCClientSecret {secret}
OIDCPKCEMethod S256
""",
    "signs": RELYING_PARTY
    + """
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID peer-apache-signs
OIDCPrivateKeyFiles {kid}#{folder}/private.pem
OIDCPublicKeyFiles {kid}#{folder}/public.pem
OIDCProviderTokenEndpointAuth private_key_jwt
OIDCRequestObject "{request_object}"
OIDCProviderAuthRequestMethod POST
OIDCResponseMode form_post
OIDCPKCEMethod S256
OIDCUserInfoSignedResponseAlg RS256
OIDCUserInfoTokenMethod post_param
OIDCPassUserInfoAs claims jwt
""",
    "registers": RELYING_PARTY
    + """
OIDCMetadataDir {folder}/providers
OIDCClientName "An Apache that came by itself"
OIDCPKCEMethod S256
OIDCRefreshAccessTokenBeforeExpiry 700 logout_on_error
""",
    "asks": API
    + """
OIDCOAuthServerMetadataURL {issuer}/.well-known/oauth-authorization-server
OIDCOAuthClientID peer-machine
OIDCOAuthClientSecret {machine_secret}
OIDCOAuthTokenIntrospectionInterval -1
""",
    "checks": API
    + """
OIDCOAuthVerifyCertFiles {provider_kid}#{folder}/provider.pem
""",
}
ASKED = (
    *("client_id", "response_type", "response_mode", "redirect_uri", "scope", "state", "nonce"),
    *("prompt", "code_challenge", "code_challenge_method"),
)


def request_object(issuer: str, client_id: str) -> dict[str, object]:
    """Signed, with all that is asked in it."""
    return {
        "request_object_type": "request",
        "crypto": {"sign_alg": "RS256"},
        "static": {"iss": client_id, "aud": issuer},
        "copy_from_request": ["client_id", "response_type", "scope"],
        "copy_and_remove_from_request": [
            name for name in ASKED if name not in ("client_id", "response_type", "scope")
        ],
    }


REGISTERED_AS = {"response_types": ["code"], "grant_types": ["authorization_code", "refresh_token"]}
