"""What a product is told about itself and about the identity provider: nothing else is needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Configuration:
    """One product as it is registered at the identity provider.

    `resource` is the audience its own API demands in an access token (RFC 9068 section 4).
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    base_url: str
    resource: str

    @property
    def is_secure(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def issuer_origin(self) -> str:
        issuer = urlsplit(self.issuer)
        return f"{issuer.scheme}://{issuer.netloc}"

    def own_url(self, path: str) -> str:
        return self.base_url + path


def configuration_from_environment(
    environ: Mapping[str, str], *, client_id: str, base_url: str
) -> Configuration:
    """Read OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET (or _FILE), BASE_URL and RESOURCE.

    The arguments are what holds where the environment is silent. Raises KeyError for a missing
    secret: a product that cannot sign anyone in should not start.
    """
    client_id = environ.get("OIDC_CLIENT_ID", client_id)
    secret_file = environ.get("OIDC_CLIENT_SECRET_FILE")
    secret = read_secret(Path(secret_file)) if secret_file else environ["OIDC_CLIENT_SECRET"]
    return Configuration(
        issuer=environ.get("OIDC_ISSUER", "http://localhost:8000"),
        client_id=client_id,
        client_secret=secret,
        base_url=environ.get("BASE_URL", base_url).rstrip("/"),
        resource=environ.get("RESOURCE", f"urn:product:{client_id}"),
    )


def read_secret(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()
