"""How other people's clients are registered at the provider: as entries of a set-up file."""

from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from tests.machine.processes import free_port
from tests.peers.apache_sites import CALLBACK, SITES
from tests.peers.certificates import Certificates

AWAY = "https://peer.example/callback"  # nobody is there: the visitor stops when sent to it
SIGNED_OUT = "https://peer.example/signed-out"
ALGORITHMS = ("RS256", "ES256", "PS256", "Ed25519")
SAMPLE_PRODUCTS = ("lms", "payments", "connections")
WITH_REFRESH = ["authorization_code", "refresh_token"]
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ENCRYPTED_BY = "RSA-OAEP-256"
SEALED = {
    f"{answer}_{member}": value
    for answer in ("id_token", "userinfo", "authorization", "introspection")
    for member, value in (
        ("signed_response_alg", "ES256"),
        ("encrypted_response_alg", ENCRYPTED_BY),
        ("encrypted_response_enc", "A256GCM"),
    )
}


def secret_of(client_id: str) -> str:
    return f"forty-characters-that-need-no-secrecy-of-{client_id}"


def odd_secret_of(client_id: str) -> str:
    """One that has to be escaped in a Basic header (RFC 6749 section 2.3.1)."""
    return f"{secret_of(client_id)}:+%2B%&=/?"


@dataclass(frozen=True)
class Ports:
    """Where the peers listen, chosen before the provider is told of them."""

    apache: dict[str, int] = field(default_factory=lambda: {site: free_port() for site in SITES})
    browser_app: int = field(default_factory=free_port)
    nginx: int = field(default_factory=free_port)
    express: int = field(default_factory=free_port)
    logout_receiver: int = field(default_factory=free_port)
    products: dict[str, int] = field(
        default_factory=lambda: {key: free_port() for key in SAMPLE_PRODUCTS}
    )

    @property
    def addresses(self) -> dict[str, str]:
        """Of the sample products, as the demo's set-up wants them."""
        return {key: f"http://localhost:{port}" for key, port in self.products.items()}


def new_client_keys() -> dict[str, dict[str, Any]]:
    """Private keys of a client that signs its assertions, by algorithm, and one to encrypt to."""
    made: dict[str, RSAKey | ECKey | OKPKey] = {
        "RS256": RSAKey.generate_key(2048),
        "ES256": ECKey.generate_key("P-256"),
        "PS256": RSAKey.generate_key(2048),
        "Ed25519": OKPKey.generate_key("Ed25519"),
        ENCRYPTED_BY: RSAKey.generate_key(2048),
    }
    return {
        alg: {**key.as_dict(private=True), "alg": alg, "kid": f"{alg}-of-a-peer"}
        for alg, key in made.items()
    }


def public_halves(keys: dict[str, dict[str, Any]], *algorithms: str) -> dict[str, Any]:
    held: Any = {"keys": [keys[alg] for alg in algorithms]}
    return dict(KeySet.import_key_set(held).as_dict(private=False))


def registrations(
    ports: Ports, keys: dict[str, dict[str, Any]], certificates: Certificates
) -> list[dict[str, Any]]:
    apache, signing_apache = (
        f"http://localhost:{ports.apache[site]}" for site in ("plain", "signs")
    )
    apps = [f"http://{host}:{ports.browser_app}" for host in ("localhost", "127.0.0.1")]
    express = f"http://localhost:{ports.express}"
    receiver = f"http://localhost:{ports.logout_receiver}"
    return [
        _client("peer-basic", client_secret=odd_secret_of("peer-basic"), grant_types=WITH_REFRESH),
        _with_secret("peer-post", token_endpoint_auth_method="client_secret_post"),
        _with_secret("peer-asks-consent", first_party=False),
        _with_secret("peer-without-pkce", require_pkce=False, grant_types=WITH_REFRESH),
        *(_with_secret(f"peer-{alg.lower()}", **_both_tokens_by(alg)) for alg in ALGORITHMS),
        _client("peer-public", token_endpoint_auth_method="none", grant_types=WITH_REFRESH),
        _with_secret(
            "peer-hotline",
            grant_types=["urn:openid:params:grant-type:ciba", "refresh_token"],
            redirect_uris=[],
            post_logout_redirect_uris=[],
        ),
        _client(
            "peer-device",
            token_endpoint_auth_method="none",
            grant_types=["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            redirect_uris=[],
            post_logout_redirect_uris=[],
        ),
        _client(
            "peer-key",
            token_endpoint_auth_method="private_key_jwt",
            jwks=public_halves(keys, *ALGORITHMS),
            grant_types=[*WITH_REFRESH, "client_credentials"],
            scope="openid profile email loans:read",
        ),
        _with_secret(
            "peer-signs",
            jwks=public_halves(keys, *ALGORITHMS),
            require_signed_request_object=True,
            request_object_signing_alg="PS256",
            authorization_signed_response_alg="ES256",
        ),
        _client(
            "peer-fapi",
            profile="fapi2_message_signing",
            jwks=public_halves(keys, "ES256", "PS256", "Ed25519"),
            grant_types=WITH_REFRESH,
        ),
        _client(
            "peer-sealed",
            token_endpoint_auth_method="private_key_jwt",
            jwks=public_halves(keys, "ES256", ENCRYPTED_BY),
            grant_types=WITH_REFRESH,
            **SEALED,
        ),
        _client(
            "peer-by-name",
            token_endpoint_auth_method="tls_client_auth",
            tls_client_auth_subject_dn=certificates.of_authority.subject,
            grant_types=["client_credentials"],
            scope="loans:read",
            redirect_uris=[],
            post_logout_redirect_uris=[],
        ),
        _client(
            "peer-by-certificate",
            token_endpoint_auth_method="self_signed_tls_client_auth",
            jwks={"keys": [certificates.by_itself.jwk]},
            tls_client_certificate_bound_access_tokens=True,
            grant_types=WITH_REFRESH,
        ),
        _with_secret(
            "peer-calls-on",
            grant_types=[TOKEN_EXCHANGE],
            scope="profile",
            resources={"payments": ["payouts.read"]},
            redirect_uris=[],
            post_logout_redirect_uris=[],
        ),
        _with_secret(
            "peer-machine",
            grant_types=["client_credentials"],
            scope="loans:read loans:write",
            redirect_uris=[],
            post_logout_redirect_uris=[],
        ),
        _with_secret(
            "peer-told",
            backchannel_logout_uri=f"{receiver}/backchannel-logout",
            grant_types=WITH_REFRESH,
        ),
        _client(
            "peer-browser",
            token_endpoint_auth_method="none",
            redirect_uris=[f"{app}/{page}" for app in apps for page in ("callback", "silent")],
            post_logout_redirect_uris=[f"{app}/" for app in apps],
            frontchannel_logout_uri=f"{apps[0]}/gone",
            frontchannel_logout_session_required=True,
        ),
        _with_secret(
            "peer-express",
            redirect_uris=[f"{express}/callback"],
            post_logout_redirect_uris=[f"{express}/signed-out"],
            backchannel_logout_uri=f"{express}/backchannel-logout",
            backchannel_logout_session_required=True,
        ),
        _with_secret(
            "peer-apache",
            access_token_signed_response_alg="RS256",
            redirect_uris=[apache + CALLBACK],
            post_logout_redirect_uris=[f"{apache}/signed-out.html"],
            backchannel_logout_uri=f"{apache}{CALLBACK}?logout=backchannel",
            initiate_login_uri=apache + CALLBACK,
            grant_types=WITH_REFRESH,
        ),
        _client(
            "peer-apache-signs",
            token_endpoint_auth_method="private_key_jwt",
            jwks=public_halves(keys, "RS256"),
            request_object_signing_alg="RS256",
            userinfo_signed_response_alg="RS256",
            redirect_uris=[signing_apache + CALLBACK],
            post_logout_redirect_uris=[f"{signing_apache}/signed-out.html"],
            frontchannel_logout_uri=f"{signing_apache}{CALLBACK}?logout=get",
            frontchannel_logout_session_required=True,
            grant_types=WITH_REFRESH,
        ),
    ]


def _with_secret(client_id: str, **more: Any) -> dict[str, Any]:
    return _client(client_id, client_secret=secret_of(client_id), **more)


def _client(client_id: str, **more: Any) -> dict[str, Any]:
    usual = {
        "client_id": client_id,
        "client_name": client_id,
        "product": "lms",
        "first_party": True,
        "redirect_uris": [AWAY],
        "post_logout_redirect_uris": [SIGNED_OUT],
    }
    return {**usual, **more}


def _both_tokens_by(alg: str) -> dict[str, str]:
    return {
        "id_token_signed_response_alg": alg,
        "access_token_signed_response_alg": alg,
    }
