"""The provider's cookies, in the strictest form that the issuer's scheme allows."""

from __future__ import annotations

from idp.credentials import devices
from idp.endpoints.messages import Headers, Request
from idp.login import attempt
from idp.provider import Provider
from idp.secret_values import new_secret
from idp.sessions import browser
from idp.settings import Settings


def set_cookie(settings: Settings, name: str, value: str) -> tuple[str, str]:
    """A header that sets it for the life of the browser's window."""
    secure = "; Secure" if settings.is_https else ""
    return ("Set-Cookie", f"{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}")


def set_session(settings: Settings, secret: str, session_id: str) -> Headers:
    return (
        set_cookie(settings, browser.cookie_name(settings.is_https), secret),
        *_set_state(settings, session_id),
    )


def mend_state(settings: Settings, request: Request, session_id: str) -> Headers:
    """A browser that has lost the state of its session, or has another's, is given it again."""
    claimed = request.cookie(browser.state_cookie_name(settings.is_https))
    return () if claimed == browser.browser_state(session_id) else _set_state(settings, session_id)


def _set_state(settings: Settings, session_id: str) -> Headers:
    """Not for us, but for the frame that products show: so scripts read it, and a frame of another
    site has it too, where browsers let it (decision 0038)."""
    name, state = browser.state_cookie_name(settings.is_https), browser.browser_state(session_id)
    rule = "SameSite=None; Secure" if settings.is_https else "SameSite=Lax"
    return (("Set-Cookie", f"{name}={state}; Path=/; {rule}"),)


def set_device(provider: Provider, request: Request, user_id: str, now: float) -> Headers:
    """This browser is one of that person's from now on (`credentials/devices.py`)."""
    name = devices.cookie_name(provider.settings.is_https)
    value = devices.remember(provider.secret_keys, device(provider, request), user_id, now)
    header, cookie = set_cookie(provider.settings, name, value)
    return ((header, f"{cookie}; Max-Age={devices.LIFETIME}"),)


def device(provider: Provider, request: Request) -> str:
    """Whose devices this browser says it is."""
    return request.cookie(devices.cookie_name(provider.settings.is_https))


def browser_secret(settings: Settings, request: Request) -> tuple[str, Headers]:
    """The secret that binds attempts to this browser, and the header that sets it if it is new."""
    name = attempt.cookie_name(settings.is_https)
    secret = request.cookie(name)
    if secret:
        return secret, ()
    secret = new_secret()
    return secret, (set_cookie(settings, name, secret),)
