"""The word to a person that their account was opened in a browser that is not known as theirs
(security.md S84)."""

from __future__ import annotations

from idp import audit
from idp.audit import Origin, Wanted
from idp.audit_chain import PLATFORM
from idp.credentials import devices
from idp.database import Connection
from idp.directory import users
from idp.secret_values import SecretKeys


def tell(
    db: Connection, keys: SecretKeys, device_cookie: str, user_id: str, now: float, origin: Origin
) -> None:
    """Before a session is started. Nobody has a device to compare with at their first sign-in."""
    person = users.find_person(db, user_id)
    if person is None or devices.recognise(keys, device_cookie, person, now):
        return
    if audit.search(db, PLATFORM, Wanted("sign_in.succeeded", person=user_id), 1).entries:
        browser = origin.user_agent[:300]
        audit.record(db, "sign_in.new_device", now, origin, actor=user_id, user_agent=browser)
