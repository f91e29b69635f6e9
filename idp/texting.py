"""How text messages leave: Twilio's HTTP API, or the demo's inbox. Used by the outbox alone.

Twilio answers 201 for a message that it took; its errors are JSON with a `code`.
"""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import unquote, urlsplit

import orjson

from idp.database import Database
from idp.delivery import Undelivered
from idp.outgoing import ANYWHERE, Answer, Unreachable, ask
from idp.senders import Letter, PostLetter, keep_in_inbox
from idp.settings import LOOPBACK_HOSTS, Settings

SCHEMES = {"twilio": "https", "twilio+http": "http"}
READ = 16 * 1024
TRIED_AGAIN = frozenset({401, 403, 404, 408, 429})  # ours to mend, or theirs to get over
MESSAGING_SERVICE = "MG"


def text_poster(settings: Settings, database: Database) -> PostLetter:
    """The demo's inbox, or the service of `sms_url`. A text is a letter to a number in E.164."""
    if settings.demo_inbox:
        return lambda text, _, now: keep_in_inbox(database, "sms", text, now)
    return lambda text, _, now: _send_by_twilio(settings, text)


def fault_of(settings: Settings) -> str | None:
    """What is wrong with the settings, if anything; none of them is no fault."""
    if not settings.sms_url:
        return None
    parts = urlsplit(settings.sms_url)
    if parts.scheme not in SCHEMES or not (parts.hostname and parts.username and parts.password):
        return "LATCHKEY_SMS_URL must be like twilio://account:token@api.twilio.com."
    if parts.scheme == "twilio+http" and parts.hostname not in LOOPBACK_HOSTS:
        return "LATCHKEY_SMS_URL: twilio+http is for loopback alone."
    return None if settings.sms_from else "Text messages have no sender: set LATCHKEY_SMS_FROM."


def _send_by_twilio(settings: Settings, text: Letter) -> None:
    """What may have arrived is not sent again: whoever waits for it asks for another."""
    fault = fault_of(settings) or (None if settings.sms_url else "nobody sends text messages")
    if fault:
        raise Undelivered(fault)
    parts = urlsplit(settings.sms_url)
    account, token = unquote(parts.username or ""), unquote(parts.password or "")
    place = parts.netloc.rpartition("@")[2]
    uri = f"{SCHEMES[parts.scheme]}://{place}/2010-04-01/Accounts/{account}/Messages.json"
    is_service = settings.sms_from.startswith(MESSAGING_SERVICE)
    sender = "MessagingServiceSid" if is_service else "From"
    basic = "Basic " + b64encode(f"{account}:{token}".encode()).decode()
    fields = {"To": text.to, "Body": text.body.strip(), sender: settings.sms_from}
    try:
        answer = ask(uri, ANYWHERE, fields, headers={"Authorization": basic}, most=READ)
    except Unreachable as problem:
        told = f"the SMS service could not be reached: {problem}"
        raise Undelivered(told, refused=problem.may_have_arrived) from problem
    if answer.status != 201:
        raise Undelivered(_told(answer), refused=_is_final(answer.status))


def _is_final(status: int) -> bool:
    return status < 500 and status not in TRIED_AGAIN


def _told(answer: Answer) -> str:
    """By the number that their documentation explains; their sentence may name the receiver."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        said = None
    code = said.get("code") if isinstance(said, dict) else None
    known = f", error {code}" if isinstance(code, int) else ""
    return f"the SMS service answered {answer.status}{known}"
