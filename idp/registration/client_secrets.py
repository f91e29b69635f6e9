"""Where a client's secret comes from: the file itself, a file that it names, or chance.

Only the SHA-256 is stored. A secret that is in force is never made anew.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from idp.directory.clients import Client, ClientSecret
from idp.errors import FormMistake, SetupMistake
from idp.registration.changes import Edit
from idp.registration.client_form import ClientForm, check_client_secret
from idp.secret_values import fingerprint, new_id, new_secret

WITH_SECRET = ("client_secret_basic", "client_secret_post")
NO_FILES = Path("/nonexistent")  # for whoever may name none


class Chosen(NamedTuple):
    """`origin` says in words where it comes from."""

    secret: str
    origin: str


@dataclass(slots=True)
class SecretKeeper:
    """Holds what was made until the run is known to succeed: files are written last."""

    base_dir: Path
    to_write: dict[Path, str] = field(default_factory=dict, repr=False)
    to_show: dict[str, str] = field(default_factory=dict, repr=False)

    def choose(self, form: ClientForm, has_one: bool) -> Chosen | None:
        """The secret that has to be in force, or None to leave things as they are."""
        if form.client_secret is not None:
            return Chosen(form.client_secret.get_secret_value(), "given")
        if form.client_secret_file is not None:
            return self._from_file(self.base_dir / form.client_secret_file, form)
        if has_one:
            return None
        self.to_show[form.client_id] = new_secret()
        return Chosen(self.to_show[form.client_id], "generated, shown once")

    def _from_file(self, path: Path, form: ClientForm) -> Chosen:
        try:
            secret = path.read_text(encoding="utf-8").strip()
            check_client_secret(secret)
        except FileNotFoundError:
            self.to_write[path] = new_secret()
            return Chosen(self.to_write[path], f"generated into {form.client_secret_file}")
        except OSError as problem:
            raise SetupMistake(f"{path} can't be read: {problem.strerror}.") from problem
        except ValueError as problem:
            why = "it is not text" if isinstance(problem, UnicodeError) else problem
            raise SetupMistake(f"{path} holds no usable secret: {why}.") from None
        return Chosen(secret, f"from {form.client_secret_file}")

    def write_files(self) -> None:
        """Each whole or not at all, readable by its owner alone, never over another."""
        for path, secret in self.to_write.items():
            try:
                _write(path, secret)
            except FileExistsError as problem:
                raise SetupMistake(f"{path} came to be meanwhile: apply it again.") from problem
            except OSError as problem:
                raise SetupMistake(f"{path} can't be written: {problem.strerror}.") from problem


def _write(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{new_id()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    finally:
        draft.unlink()


def apply_secret(
    session: Session, edit: Edit, client: Client, form: ClientForm, keeper: SecretKeeper, now: float
) -> None:
    """Exactly the secret that the file asks for, or one at all; none where the method has none."""
    if client.token_endpoint_auth_method not in WITH_SECRET:
        _drop_secrets(edit, client, form)
        return
    in_force = [s for s in client.secrets if s.expires_at is None or s.expires_at > now]
    chosen = keeper.choose(form, has_one=bool(in_force))
    if chosen is None:
        return
    wanted = fingerprint(chosen.secret)
    if [(s.secret_hash, s.expires_at) for s in client.secrets] == [(wanted, None)]:
        return
    _put(session, client, wanted, now)
    edit.note("client_secret", "another" if in_force else None, chosen.origin)


def _drop_secrets(edit: Edit, client: Client, form: ClientForm) -> None:
    if form.client_secret is not None or form.client_secret_file is not None:
        raise SetupMistake(
            f"client {client.client_id}, client_secret: with"
            f" {client.token_endpoint_auth_method} there is none."
        )
    if client.secrets:
        edit.note("client_secret", "one", None)
        client.secrets = []


def _put(session: Session, client: Client, wanted: str, now: float) -> None:
    stored = session.get(ClientSecret, wanted)
    if stored is not None and stored.client_id != client.client_id:
        raise FormMistake(
            f"client {client.client_id}", "client_secret", "another client has the same."
        )
    secret = stored or ClientSecret(secret_hash=wanted, created_at=now)
    secret.expires_at = None
    client.secrets = [secret]
