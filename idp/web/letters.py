"""Letters: a template, in the person's language, its first line the subject."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, render_template
from flask_babel import force_locale, format_date, format_time

from idp.provider import Provider
from idp.secret_values import LETTER_SECRET
from idp.senders import Letter
from idp.settings import LANGUAGES, Settings
from idp.web.browsers import browser_name
from idp.web.context import EXTENSION

SUBJECT = "Subject: "


def write(app: Flask, payload: dict[str, Any]) -> Letter:
    """`payload` names the `template`, whom it goes `to`, their `name` and `locale`, and values. A
    `sealed_link` is a path of ours that nobody but the reader may see, a `sealed_code` the code."""
    language = payload.get("locale", "").partition("-")[0]
    with app.app_context(), force_locale(language if language in LANGUAGES else LANGUAGES[0]):
        values = {**payload, **_times(payload)}
        if "user_agent" in values:
            values["browser"] = browser_name(values["user_agent"])
        if "sealed_link" in values:
            values["link"] = _settings(app).issuer + _opened(app, values["sealed_link"])
        if "sealed_code" in values:
            values["code"] = _opened(app, values["sealed_code"])
            values["host"] = urlsplit(_settings(app).issuer).hostname
        person = {"name": values.get("name", ""), "email": values["to"]}
        text = render_template(f"mail/{values['template']}.txt", person=person, **values)
    subject, _, body = text.partition("\n")
    body = re.sub(r"\n{3,}", "\n\n", body).strip() + "\n"
    return Letter(values["to"], subject.removeprefix(SUBJECT).strip(), body)


def _times(payload: dict[str, Any]) -> dict[str, str]:
    """In the letter's language, and in UTC; `ends_on` is the first moment after its day."""
    words = {}
    if "until" in payload:
        words["until"] = _time(payload["until"])
    if "at" in payload:
        words["at"] = f"{_day(payload['at'])}, {_time(payload['at'])}"
    if payload.get("ends_on") is not None:
        words["ends_on"] = _day(payload["ends_on"] - 1)
    return words


def _day(at: float) -> str:
    return str(format_date(datetime.fromtimestamp(at, UTC), "long", rebase=False))


def _time(at: float) -> str:
    return f"{format_time(datetime.fromtimestamp(at, UTC), 'short', rebase=False)} UTC"


def _opened(app: Flask, sealed: str) -> str:
    return _held(app).secret_keys.decrypt(sealed, LETTER_SECRET).decode()


def _settings(app: Flask) -> Settings:
    return _held(app).settings


def _held(app: Flask) -> Provider:
    return cast(Provider, app.extensions[EXTENSION])
