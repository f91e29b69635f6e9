"""Where a client's secret comes from, where it is kept, and that it is told to nobody else."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from joserfc.jwk import ECKey

from idp.directory.clients import ClientSecret
from idp.errors import ClientRefusal, SetupMistake
from idp.oidc import parameters
from idp.oidc.client_authentication import authenticate
from idp.secret_values import fingerprint
from idp.setup import Applied, export, to_yaml
from tests.setup.conftest import PASSWORD, SECRET, Desk, small

FILE = "clients/loans.secret"


def client(**fields: Any) -> dict[str, Any]:
    """The small file with other fields in its client, and no secret but what they say."""
    content = small()
    del content["clients"][0]["client_secret"]
    content["clients"][0] |= fields
    return content


def is_accepted(desk: Desk, secret: str) -> bool:
    sent = parameters.parse(f"client_id=loans-web&client_secret={secret}")
    find_client = desk.provider.catalog.current(desk.now).clients.get
    try:
        authenticate(sent, "", find_client, desk.provider.client_keys, (), None, desk.now)
    except ClientRefusal:
        return False
    return True


def hashes(desk: Desk) -> list[str]:
    return [row[0] for row in desk.dump()["client_secrets"]]


def test_a_given_secret_is_kept_by_its_hash_and_works(desk: Desk) -> None:
    post = {"token_endpoint_auth_method": "client_secret_post"}
    assert desk.apply(client(client_secret=SECRET, **post)).secrets == {}
    assert hashes(desk) == [fingerprint(SECRET)]
    assert is_accepted(desk, SECRET)
    assert not is_accepted(desk, SECRET[::-1])


def test_without_one_a_secret_is_made_and_shown_once(desk: Desk) -> None:
    applied = desk.apply(client(token_endpoint_auth_method="client_secret_post"))
    secret = applied.secrets["loans-web"]
    assert len(secret) >= 43
    assert is_accepted(desk, secret)
    assert secret not in repr(applied) + "".join(map(str, applied.changes))
    assert desk.apply(client()) == Applied([], {})
    assert is_accepted(desk, secret)


def test_a_missing_secret_file_is_made_for_its_owner_alone(desk: Desk) -> None:
    assert desk.apply(client(client_secret_file=FILE)).secrets == {}
    path = desk.folder / FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert hashes(desk) == [fingerprint(path.read_text().strip())]
    assert [each.name for each in path.parent.iterdir()] == ["loans.secret"]


def test_a_secret_file_is_used_again(desk: Desk) -> None:
    desk.apply(client(client_secret_file=FILE))
    before = (desk.folder / FILE).read_text()
    assert desk.apply(client(client_secret_file=FILE)).changes == []
    assert (desk.folder / FILE).read_text() == before


def test_a_secret_file_that_is_there_is_in_force_and_never_written(desk: Desk) -> None:
    path = desk.folder / FILE
    path.parent.mkdir()
    path.write_text(f"  {SECRET}\n")
    desk.apply(client(client_secret_file=FILE))
    assert hashes(desk) == [fingerprint(SECRET)]
    assert path.read_text() == f"  {SECRET}\n"


def test_what_is_new_in_the_file_is_in_force_and_the_old_is_not(desk: Desk) -> None:
    desk.apply(client(client_secret_file=FILE))
    (desk.folder / FILE).write_text(SECRET)
    (change,) = desk.apply(client(client_secret_file=FILE)).changes
    assert change.fields == {"client_secret": ("another", f"from {FILE}")}
    assert hashes(desk) == [fingerprint(SECRET)]


def test_a_lost_secret_file_is_made_anew(desk: Desk) -> None:
    desk.apply(client(client_secret_file=FILE))
    (desk.folder / FILE).unlink()
    (change,) = desk.apply(client(client_secret_file=FILE)).changes
    assert change.fields == {"client_secret": ("another", f"generated into {FILE}")}
    assert hashes(desk) == [fingerprint((desk.folder / FILE).read_text().strip())]


@pytest.mark.parametrize("held", ["", "canary-too-short", "canary " * 9, "canary-ümlaut" * 9])
def test_an_unusable_secret_file_is_refused_and_not_repeated(desk: Desk, held: str) -> None:
    (desk.folder / "loans.secret").write_text(held)
    with pytest.raises(SetupMistake, match="holds no usable secret") as caught:
        desk.apply(client(client_secret_file="loans.secret"))
    assert "canary" not in str(caught.value)


def test_a_secret_file_of_bytes_is_refused(desk: Desk) -> None:
    (desk.folder / "loans.secret").write_bytes(b"\xff" * 64)
    with pytest.raises(SetupMistake, match="it is not text"):
        desk.apply(client(client_secret_file="loans.secret"))


def test_a_secret_file_that_can_not_be_is_refused(desk: Desk) -> None:
    (desk.folder / "clients").write_text("a file, where a folder should be")
    (desk.folder / "folder").mkdir()
    for name in (FILE, "folder"):
        with pytest.raises(SetupMistake, match="can't be read"):
            desk.apply(client(client_secret_file=name))
    assert desk.dump()["clients"] == []


def test_a_secret_file_that_can_not_be_written_takes_everything_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(SetupMistake, match="can't be written: Permission denied"):
        desk.apply(client(client_secret_file=FILE))
    assert desk.dump()["clients"] == []


def test_a_file_that_came_to_be_meanwhile_is_never_overwritten(desk: Desk) -> None:
    (desk.folder / "loans.secret").symlink_to(desk.folder / "nowhere")
    with pytest.raises(SetupMistake, match="came to be meanwhile"):
        desk.apply(client(client_secret_file="loans.secret"))
    assert desk.dump()["clients"] == []
    assert not (desk.folder / "nowhere").exists()
    assert [path.name for path in desk.folder.glob(".loans*")] == []


def test_a_secret_on_its_way_out_is_ended_by_the_file(desk: Desk) -> None:
    desk.apply(client(client_secret=SECRET))
    with desk.provider.database.session() as session:
        session.scalars(sa.select(ClientSecret)).one().expires_at = desk.now + 60
        session.add(ClientSecret(secret_hash="b" * 64, client_id="loans-web", created_at=desk.now))
    assert desk.apply(client()).changes == []
    assert len(hashes(desk)) == 2
    assert len(desk.apply(client(client_secret=SECRET)).changes) == 1
    assert hashes(desk) == [fingerprint(SECRET)]
    assert desk.apply(client(client_secret=SECRET)).changes == []


def test_a_client_whose_secrets_have_all_expired_gets_one(desk: Desk) -> None:
    desk.apply(client(client_secret=SECRET))
    with desk.provider.database.session() as session:
        session.scalars(sa.select(ClientSecret)).one().expires_at = desk.now - 1
    assert "loans-web" in desk.apply(client()).secrets


def test_two_clients_never_have_one_secret(desk: Desk) -> None:
    content = client(client_secret=SECRET)
    content["clients"].append({**content["clients"][0], "client_id": "other-web"})
    with pytest.raises(SetupMistake, match="another client has the same") as caught:
        desk.apply(content)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("fields", [{"client_secret": SECRET}, {"client_secret_file": FILE}])
def test_a_public_client_has_no_secret(desk: Desk, fields: dict[str, Any]) -> None:
    with pytest.raises(SetupMistake, match="with none there is none"):
        desk.apply(client(token_endpoint_auth_method="none", **fields))


def test_a_client_that_turns_public_loses_its_secret(desk: Desk) -> None:
    desk.apply(client(client_secret=SECRET))
    (change,) = desk.apply(client(token_endpoint_auth_method="none")).changes
    assert change.fields["client_secret"] == ("one", None)
    assert hashes(desk) == []
    assert (
        "loans-web" in desk.apply(client(token_endpoint_auth_method="client_secret_basic")).secrets
    )


KEY = ECKey.generate_key("P-256")
PUBLIC = {"keys": [dict(KEY.as_dict(private=False))]}
PRIVATE = {"keys": [dict(KEY.as_dict(private=True))]}
SIGNS = {"token_endpoint_auth_method": "private_key_jwt"}


def test_a_client_with_keys_is_made_once(desk: Desk) -> None:
    assert desk.apply(client(jwks=PUBLIC, **SIGNS)).secrets == {}
    assert desk.apply(client(jwks=PUBLIC, **SIGNS)).changes == []
    assert desk.apply(client(**SIGNS)).changes == []
    assert desk.provider.catalog.current(desk.now).clients["loans-web"].jwks == PUBLIC


def test_keys_may_lie_in_a_file(desk: Desk) -> None:
    (desk.folder / "loans.jwks").write_text(json.dumps(PUBLIC))
    desk.apply(client(jwks_file="loans.jwks", **SIGNS))
    assert desk.apply(client(jwks=PUBLIC, **SIGNS)).changes == []


def test_new_keys_are_told_by_thumbprint(desk: Desk) -> None:
    desk.apply(client(jwks=PUBLIC, **SIGNS))
    other = ECKey.generate_key("P-256")
    new = {"keys": [*PUBLIC["keys"], dict(other.as_dict(private=False))]}
    (change,) = desk.apply(client(jwks=new, **SIGNS)).changes
    assert change.fields == {"jwks": ([KEY.thumbprint()], [KEY.thumbprint(), other.thumbprint()])}


@pytest.mark.parametrize("held", ["", "[]", "{", json.dumps(PRIVATE)])
def test_an_unusable_key_file_is_refused(desk: Desk, held: str) -> None:
    (desk.folder / "loans.jwks").write_text(held)
    with pytest.raises(SetupMistake, match="client loans-web, jwks") as caught:
        desk.apply(client(jwks_file="loans.jwks", **SIGNS))
    assert str(PRIVATE["keys"][0]["d"]) not in str(caught.value)


def test_a_key_file_that_is_not_there_is_told(desk: Desk) -> None:
    with pytest.raises(SetupMistake, match="can't be read: No such file"):
        desk.apply(client(jwks_file="loans.jwks", **SIGNS))


def test_keys_stay_until_they_are_taken_away(desk: Desk) -> None:
    """They may sign request objects, however the client proves itself."""
    desk.apply(client(jwks=PUBLIC, **SIGNS))
    (change,) = desk.apply(client(token_endpoint_auth_method="none")).changes
    assert "jwks" not in change.fields
    with pytest.raises(SetupMistake, match="has to sign needs a key"):
        desk.apply(client(jwks=None, **SIGNS))
    (change,) = desk.apply(client(token_endpoint_auth_method="none", jwks=None)).changes
    assert change.fields["jwks"] == ([KEY.thumbprint()], None)


def test_no_secret_is_told_anywhere(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    content = client(client_secret=SECRET)
    content["clients"].append(
        {**client(client_secret_file=FILE)["clients"][0], "client_id": "from-file"}
    )
    content["clients"].append({**client()["clients"][0], "client_id": "made"})
    applied = desk.apply(content)
    secrets = {
        SECRET,
        PASSWORD,
        applied.secrets["made"],
        (desk.folder / FILE).read_text().strip(),
    }
    told = [
        "".join(f"{change} {change!r} {change.as_json()}" for change in applied.changes),
        repr(applied),
        to_yaml(export(desk.provider)),
        str(desk.dump()),
        caplog.text,
    ]
    assert [secret for secret in secrets for text in told if secret in text] == []
    hashes_told = [h for h in hashes(desk) for text in told[:3] if h in text]
    assert hashes_told == []
    assert "$argon2" not in told[0] + told[1] + told[2] + str(desk.dump()["audit_events"])
