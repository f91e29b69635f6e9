"""Where a sign-in may return to: a page of this product, whatever the link asked for."""

from urllib.parse import urlsplit

PROTOCOL_PATHS = ("/login", "/callback", "/logout", "/signed-out", "/backchannel-logout", "/api/")


def find_local_target(claimed_uri: str | None, *, base_url: str) -> str | None:
    """The path and query of a `target_link_uri`, or None if it is not a page of ours.

    OpenID Connect Core 4: the relying party must not be an open redirector. Browsers read
    backslashes as slashes and drop control characters, so neither may occur at all.
    """
    if not claimed_uri or _has_unsafe_characters(claimed_uri):
        return None
    path = claimed_uri.removeprefix(base_url) if claimed_uri.startswith(base_url) else claimed_uri
    if not path.startswith("/") or path.startswith(("//", *PROTOCOL_PATHS)):
        return None
    parts = urlsplit(path)
    return None if parts.scheme or parts.netloc else path


def _has_unsafe_characters(uri: str) -> bool:
    return any(character <= " " or character in "\\\x7f" for character in uri)
