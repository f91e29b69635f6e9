"""The page after signing out: who was told (product.md N6), and the frames by which the browser
tells products that want it (OpenID Connect Front-Channel Logout 1.0)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, session
from werkzeug.wrappers import Response

from idp.database import Connection
from idp.directory.clients import Client
from idp.oidc.logout_request import with_query
from idp.outbox import PENDING
from idp.sessions import clients, logout
from idp.sessions.clients import SignedIn
from idp.sessions.logout import Receipt
from idp.web.context import catalog, current_session, provider
from idp.web.leaving import ENDED_SESSION, SIGNED_OUT
from idp.web.login import logout_asked
from idp.web.presentation import allow_frames

blueprint = Blueprint("signed_out", __name__)


@blueprint.get(SIGNED_OUT)
def show() -> Response | str:
    """Of the session that has ended last in this browser, until somebody signs in there, who may be
    another person. What asked for the end is read again, so nobody is sent anywhere that their
    product has not registered."""
    asked, ended = logout_asked.read(), session.get(ENDED_SESSION, "")
    onward = asked.location()
    if current_session():
        return redirect(onward or "/", 303)
    with provider().database.connection() as db:
        receipts = logout.receipts(db, ended) if ended else []
        framed = in_frames(db, ended)
    if onward and not framed:
        return redirect(onward, 303)
    frames = [_address(client, signed_in) for client, signed_in in framed]
    allow_frames(frames)
    return render_template(
        "login/signed_out.html",
        receipts=_rows(receipts, [client for client, _ in framed]),
        is_pending=any(receipt.status == PENDING for receipt in receipts),
        frames=frames,
        onward=onward,
        onward_name=asked.client.client_name if asked.client else "",
        sign_in_url="/",
    )


def in_frames(db: Connection, session_id: str) -> list[tuple[Client, SignedIn]]:
    """The clients that a browser has to tell of the end of this session."""
    found = catalog().clients
    return [
        (found[each.client_id], each)
        for each in clients.signed_into(db, session_id)
        if each.client_id in found and found[each.client_id].frontchannel_logout_uri
    ]


def _address(client: Client, signed_in: SignedIn) -> str:
    """With the issuer and the session where the client asks for them (section 2)."""
    uri = client.frontchannel_logout_uri or ""
    if not client.frontchannel_logout_session_required:
        return uri
    return with_query(uri, {"iss": provider().settings.issuer, "sid": signed_in.sid})


def _rows(receipts: list[Receipt], framed: list[Client]) -> list[dict[str, Any]]:
    """A line for each client that is told: what it has answered us, or that this page tells it."""
    answered = {receipt.client_name for receipt in receipts}
    told = [receipt._asdict() for receipt in receipts]
    told += [
        {"client_name": client.client_name, "product_key": client.product_key, "status": "framed"}
        for client in framed
        if client.client_name not in answered
    ]
    products = catalog().products
    return [
        {**row, "product": products[row["product_key"]]}
        for row in told
        if row["product_key"] in products
    ]
