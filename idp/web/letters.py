"""Letters: a template, in the person's language, its first line the subject."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask, render_template
from flask_babel import force_locale, format_date, format_time

from idp.provider import Provider
from idp.secret_values import LETTER_SECRET
from idp.senders import Letter
from idp.web.context import EXTENSION
from idp.web.languages import LANGUAGES

SUBJECT = "Subject: "


def write(app: Flask, payload: dict[str, Any]) -> Letter:
    """`payload` names the `template`, whom it goes `to`, their `name` and `locale`, and values. A
    `sealed_link` is a path of ours that nobody but the reader may see."""
    values = dict(payload)
    if "sealed_link" in values:
        values["link"] = _opened(app, values["sealed_link"])
    if "until" in values:
        values["until"] = datetime.fromtimestamp(values["until"], UTC)
    language = values.get("locale", "").partition("-")[0]
    with app.app_context(), force_locale(language if language in LANGUAGES else LANGUAGES[0]):
        if "until" in values:
            values["until"] = f"{format_time(values['until'], 'short', rebase=False)} UTC"
        if values.get("ends_on") is not None:
            last = datetime.fromtimestamp(values["ends_on"] - 1, UTC)
            values["ends_on"] = format_date(last, "long", rebase=False)
        person = {"name": values.get("name", ""), "email": values["to"]}
        text = render_template(f"mail/{values['template']}.txt", person=person, **values)
    subject, _, body = text.partition("\n")
    return Letter(values["to"], subject.removeprefix(SUBJECT).strip(), body.strip() + "\n")


def _opened(app: Flask, sealed: str) -> str:
    held: Provider = app.extensions[EXTENSION]
    path = held.secret_keys.decrypt(sealed, LETTER_SECRET).decode()
    return held.settings.issuer + path
