"""Letters: a template, in the person's language, its first line the subject."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask, render_template
from flask_babel import force_locale, format_time

from idp.senders import Letter
from idp.web.languages import LANGUAGES

SUBJECT = "Subject: "


def write(app: Flask, payload: dict[str, Any]) -> Letter:
    """`payload` names the `template`, whom it goes `to`, their `name` and `locale`, and values."""
    values = dict(payload)
    if "until" in values:
        values["until"] = datetime.fromtimestamp(values["until"], UTC)
    language = values.get("locale", "").partition("-")[0]
    with app.app_context(), force_locale(language if language in LANGUAGES else LANGUAGES[0]):
        if "until" in values:
            values["until"] = f"{format_time(values['until'], 'short', rebase=False)} UTC"
        person = {"name": values.get("name", ""), "email": values["to"]}
        text = render_template(f"mail/{values['template']}.txt", person=person, **values)
    subject, _, body = text.partition("\n")
    return Letter(values["to"], subject.removeprefix(SUBJECT).strip(), body.strip() + "\n")
