"""The provider's two cookies, in the strictest form that the issuer's scheme allows."""

from __future__ import annotations

from idp.endpoints.messages import Headers, Request
from idp.login import attempt
from idp.secret_values import new_secret
from idp.sessions import browser
from idp.settings import Settings


def set_cookie(settings: Settings, name: str, value: str) -> tuple[str, str]:
    """A header that sets it for the life of the browser's window."""
    secure = "; Secure" if settings.is_https else ""
    return ("Set-Cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")


def set_session(settings: Settings, secret: str) -> Headers:
    return (set_cookie(settings, browser.cookie_name(settings.is_https), secret),)


def browser_secret(settings: Settings, request: Request) -> tuple[str, Headers]:
    """The secret that binds attempts to this browser, and the header that sets it if it is new."""
    name = attempt.cookie_name(settings.is_https)
    secret = request.cookie(name)
    if secret:
        return secret, ()
    secret = new_secret()
    return secret, (set_cookie(settings, name, secret),)
