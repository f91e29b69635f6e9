"""The form of a policy: terms that are stated anew, each a field of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import flash, redirect, request
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from idp.directory.acting import Changed, Mistake
from idp.web.manage import shell

Typed = dict[str, str]


def submitted(
    names: Iterable[str], change: Callable[[str, Typed], None], page: Callable[..., str]
) -> Response | tuple[str, int]:
    """`change` takes what was `seen` and what was typed; `page` shows it again, with what is
    wrong."""
    typed = {name: request.form.get(name, "") for name in names}
    try:
        change(request.form.get("seen", ""), typed)
    except Mistake as mistake:
        return page(typed=typed, errors=shell.errors_of(mistake)), mistake.status
    except Changed as refusal:
        return page(error=_(refusal.public_message)), refusal.status
    flash(_("The policy is saved. It counts from now on."))
    return redirect(request.path, 303)
