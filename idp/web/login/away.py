"""Off to another provider."""

from __future__ import annotations

from flask import make_response, render_template
from werkzeug.wrappers import Response

from idp.credentials import tries
from idp.directory.identity_providers import return_uri
from idp.directory.upstream_providers import UpstreamProvider
from idp.login import federated
from idp.login.attempt import Attempt
from idp.web.context import now, origin, provider
from idp.web.login.offered import oldest


def send(attempt: Attempt, upstream: UpstreamProvider, email: str) -> Response:
    """By a page that goes on by itself: from a form's answer a browser follows only to where forms
    may end (`form-action`), and nobody knows where a provider leads. Raises NotReached,
    NotSetUp."""
    ration()
    held = provider()
    target = federated.begin(
        *(held.ephemeral, held.upstreams, upstream, attempt),
        *(return_uri(held.settings.issuer, upstream.key), email, now()),
        max_age=oldest(attempt, upstream),
    )
    page = render_template("login/upstream.html", name=upstream.name, target=target)
    answer = make_response(page)
    answer.headers["Refresh"] = f"0; url={target}"
    return answer


def ration() -> None:
    """Before anybody is asked and anything is written: each takes a thread of ours for seconds.
    Raises TooManyTries."""
    held = provider()
    tries.count_question(held.ephemeral, held.settings, now(), origin())
