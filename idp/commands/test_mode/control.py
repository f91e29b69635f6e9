"""What a test asks of its provider, over HTTP and in JSON (docs/integrate.md)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, TypeVar
from urllib.parse import parse_qs

import orjson
import structlog
from pydantic import ValidationError

from idp.commands.test_mode.gate import Refused, answer, check_controller
from idp.commands.test_mode.people import PersonForm
from idp.commands.test_mode.sign_in import SignInForm
from idp.commands.test_mode.trial import Trial
from idp.endpoints.router import Environ, StartResponse
from idp.errors import Refusal, SetupMistake
from idp.registration.form import Form

MAX_BODY = 1024 * 1024

log = structlog.get_logger("control")
Given = dict[str, Any]
Described = TypeVar("Described", bound=Form)


class ClockForm(Form):
    """Seconds further, or the time that it will be, in seconds since 1970."""

    advance: float | None = None
    now: float | None = None


class PasskeyForm(Form):
    email: str


class Control:
    """The WSGI callable at `port`. One thing at a time."""

    def __init__(self, trial: Trial, port: int, token: str) -> None:
        self._trial = trial
        self._port = port
        self._token = token
        self._turn = threading.RLock()
        self._routes: dict[tuple[str, str], Callable[[Given], object]] = {
            ("GET", "/"): lambda _: trial.told(),
            ("GET", "/clock"): lambda _: {"now": trial.clock()},
            ("POST", "/clock"): self._move_clock,
            ("GET", "/mail"): lambda given: trial.post.read("mail", given.get("to", "")),
            ("GET", "/sms"): lambda given: trial.post.read("sms", given.get("to", "")),
            ("POST", "/users"): self._make_person,
            ("POST", "/passkeys"): self._give_passkey,
            ("POST", "/clients"): lambda given: asdict(trial.declare_client(given)),
            ("POST", "/setup"): self._apply,
            ("POST", "/sign-in"): self._sign_in,
            ("POST", "/reset"): self._reset,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            check_controller(environ, self._port, self._token)
            return answer(start_response, 200, self._answer(environ))
        except Refused as refusal:
            return answer(start_response, refusal.status, refusal.told)
        except SetupMistake as mistake:
            return answer(start_response, 400, {"error": str(mistake)})
        except Refusal as refusal:
            return answer(start_response, 400, {"error": refusal.detail or refusal.code})
        except Exception:
            log.exception("failed", path=environ["PATH_INFO"])
            return answer(start_response, 500, {"error": "See the log on standard error."})

    def _answer(self, environ: Environ) -> object:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        do = self._routes.get((method, path))
        if do is None:
            is_there = any(path == known for _, known in self._routes)
            raise Refused(405 if is_there else 404, f"There is no {method} {path}.")
        given = _body(environ) if method == "POST" else _query(environ)
        with self._turn:
            return do(given)

    def _move_clock(self, given: Given) -> object:
        form = _read(ClockForm, given)
        clock = self._trial.clock
        if form.advance is not None and form.now is None:
            self._trial.advance(form.advance)
        elif form.now is not None and form.advance is None:
            self._trial.advance(form.now - clock())
        else:
            raise Refused(400, "Give advance or now.")
        return {"now": clock()}

    def _make_person(self, given: Given) -> object:
        return self._trial.people.make(_read(PersonForm, given)).told()

    def _give_passkey(self, given: Given) -> object:
        return self._trial.people.give_passkey(_read(PasskeyForm, given).email).told()["passkey"]

    def _apply(self, given: Given) -> object:
        return {name: asdict(client) for name, client in self._trial.apply(given).items()}

    def _sign_in(self, given: Given) -> object:
        return asdict(self._trial.sign_in(_read(SignInForm, given)))

    def _reset(self, _given: Given) -> object:
        self._trial.reset()
        return self._trial.told()


def _query(environ: Environ) -> Given:
    return {name: values[-1] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}


def _body(environ: Environ) -> Given:
    """A JSON object, or nothing at all. Raises Refused."""
    length = environ.get("CONTENT_LENGTH") or "0"
    if "HTTP_TRANSFER_ENCODING" in environ:
        raise Refused(411, "Send a Content-Length.")
    if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY:
        raise Refused(413, f"A body has {MAX_BODY} bytes at most.")
    body = environ["wsgi.input"].read(int(length))
    if not body:
        return {}
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "Send JSON: Content-Type: application/json.")
    try:
        given = orjson.loads(body)
    except ValueError:
        raise Refused(400, "The body is no JSON.") from None
    if not isinstance(given, dict):
        raise Refused(400, "The body is no JSON object.")
    return given


def _read(form: type[Described], given: Given) -> Described:
    """Raises Refused, which names the field."""
    try:
        return form.model_validate(given)
    except ValidationError as problem:
        fault = problem.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise Refused(400, f"{place}: {fault['msg'].removeprefix('Value error, ')}.") from None
