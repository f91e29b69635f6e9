"""The demo's inbox: mail and SMS that would otherwise leave the machine. Absent elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, abort, render_template, request

from idp.senders import InboxMessage
from idp.web import menu
from idp.web.context import current_session, orm, provider

blueprint = Blueprint("inbox", __name__)

SHOWN = 100


@blueprint.get("/inbox")
def inbox() -> str:
    if not provider().settings.demo_inbox:
        abort(404)
    to = request.args.get("to", "").strip()
    found = sa.select(InboxMessage).order_by(InboxMessage.at.desc()).limit(SHOWN)
    if to:
        found = found.where(InboxMessage.recipient == to)
    recipients = sa.select(InboxMessage.recipient).distinct().order_by(InboxMessage.recipient)
    signed_in = current_session()
    return render_template(
        "inbox.html",
        menu=menu.of(signed_in, menu.openings(signed_in)) if signed_in else None,
        to=to,
        recipients=list(orm.session.scalars(recipients)),
        messages=[
            {
                "channel": message.channel,
                "to": message.recipient,
                "subject": message.subject,
                "body": message.body,
                "at": message.at,
            }
            for message in orm.session.scalars(found)
        ],
    )
