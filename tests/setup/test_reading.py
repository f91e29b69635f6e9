"""Reading a set-up file: what is wrong is said, where it is, and without its secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from idp.commands.setup import apply
from idp.errors import SetupMistake
from idp.setup import json_schema, parse
from tests.setup.conftest import PASSWORD, SECRET, Desk, Reader, small

SCHEMA = Path(__file__).parents[2] / "docs" / "setup.schema.json"


def mistake(reader: Reader, content: dict[str, Any] | str, **variables: str) -> str:
    with pytest.raises(SetupMistake) as caught:
        reader.read(content, **variables)
    return str(caught.value)


def with_field(what: str, name: str, value: object) -> dict[str, Any]:
    """The small file with one field of its first product, client, tenant or user changed."""
    content = small()
    content[what][0][name] = value
    return content


def test_the_published_schema_is_the_forms_own() -> None:
    """`idp apply --schema` prints it."""
    assert json.loads(SCHEMA.read_text()) == json_schema()
    assert next(iter(json_schema())) == "$schema"


def test_yaml_and_json_are_the_same_file(reader: Reader) -> None:
    path = reader.folder / "setup.json"
    path.write_text(json.dumps({"$schema": "docs/setup.schema.json", **small()}))
    assert parse(path).products == reader.read(small()).products


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(SetupMistake, match=r"nothing\.yaml can't be read: No such file"):
        parse(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("content", ["", "just words", "- a\n- list\n", "5"])
def test_a_file_of_another_shape_is_refused(reader: Reader, content: str) -> None:
    assert "must hold products, clients, tenants or users" in mistake(reader, content)


def test_broken_yaml_is_told_by_line_and_not_repeated(reader: Reader) -> None:
    message = mistake(reader, f"users:\n  - password: {SECRET}: [\n")
    assert "line 2" in message
    assert SECRET not in message


def test_broken_json_is_told(tmp_path: Path) -> None:
    path = tmp_path / "setup.json"
    path.write_text('{"products": [}')
    with pytest.raises(SetupMistake, match="line 1"):
        parse(path)


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.getcwd []", "!!python/name:os.system"])
def test_yaml_makes_no_objects(reader: Reader, tag: str) -> None:
    assert "is not sound" in mistake(reader, f"products: {tag}")


def test_nesting_without_end_is_a_mistake_and_no_crash(reader: Reader) -> None:
    assert "nested too deeply" in mistake(reader, "products: " + "[" * 1500)


def test_nesting_that_json_still_reads_is_a_mistake_too(tmp_path: Path) -> None:
    path = tmp_path / "setup.json"
    path.write_text('{"products": ' + "[" * 700 + "]" * 700 + "}")
    with pytest.raises(SetupMistake):
        parse(path)


@pytest.mark.parametrize("name", ["setup.yaml", "setup.json"])
def test_a_name_given_twice_in_one_place_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"products": [],\n"users": [], "products": []}')
    with pytest.raises(SetupMistake, match="'products' is given twice"):
        parse(path)


def test_an_unknown_field_is_refused_where_it_stands(reader: Reader) -> None:
    message = mistake(reader, with_field("clients", "redirect_uri", "https://a.example/"))
    assert 'clients[0] "loans-web", redirect_uri: there is no such field.' in message


@pytest.mark.parametrize("what", ["products", "clients", "tenants", "users"])
@pytest.mark.parametrize("name", ["id", "is_admin", "created_at", "sub", "all_permissions"])
def test_columns_of_ours_can_not_be_written(reader: Reader, what: str, name: str) -> None:
    assert "there is no such field" in mistake(reader, with_field(what, name, "1"))


def test_a_missing_field_is_told(reader: Reader) -> None:
    content = small()
    del content["tenants"][0]["name"]
    assert 'tenants[0] "acme", name: this field is missing.' in mistake(reader, content)


def test_every_mistake_is_told_at_once(reader: Reader) -> None:
    content = with_field("products", "color", "green")
    content["users"][0]["zoneinfo"] = "Mars/Olympus"
    message = mistake(reader, content)
    assert "products[0]" in message
    assert "America/Chicago" in message


BAD_VALUES = [
    ("products", "key", "LMS"),
    ("products", "key", "l"),
    ("products", "key", "loans_"),
    ("products", "name", ""),
    ("products", "name", "two\nlines"),
    ("products", "color", "#fff"),
    ("products", "color", "#12345g"),
    ("products", "color", "#123456;}body{"),
    ("products", "icon", "../apps"),
    ("products", "icon", "<svg>"),
    ("products", "resource", "loans"),
    ("products", "resource", "https://loans.example/a b"),
    ("products", "launch_client", "0123456789abcdef 0"),
    ("products", "position", -1),
    ("products", "permissions", [{"key": "loans read", "name": "x"}]),
    ("products", "permissions", [{"key": "loans.read"}]),
    ("clients", "client_id", "Loans"),
    ("clients", "status", "on"),
    ("clients", "token_endpoint_auth_method", "client_secret_jwt"),
    ("clients", "client_secret", "too short to be a secret"),
    ("clients", "client_secret", "x" * 513),
    ("clients", "client_secret", "a secret with spaces in it is no secret"),
    ("clients", "client_secret", "ein-geheimnis-mit-ümlauten-0123456789"),
    ("clients", "client_secret_file", ""),
    ("clients", "grant_types", ["password"]),
    ("clients", "grant_types", "authorization_code"),
    ("clients", "scope", "openid  email"),
    ("clients", "scope", "OPENID"),
    ("clients", "scope", ["openid"]),
    ("clients", "first_party", "yes"),
    ("clients", "first_party", 1),
    ("clients", "default_max_age", -1),
    ("clients", "default_max_age", "60"),
    ("clients", "id_token_signed_response_alg", "none"),
    ("clients", "access_token_signed_response_alg", "HS256"),
    ("tenants", "slug", "Acme"),
    ("tenants", "slug", "a" * 64),
    ("tenants", "status", "disabled"),
    ("tenants", "policy", {"session_idle_minutes": 0}),
    ("tenants", "policy", {"session_idle_minutes": 1441}),
    ("tenants", "policy", {"session_absolute_hours": 0}),
    ("tenants", "policy", {"session_absolute_hours": 721}),
    ("tenants", "policy", {"password_min_alnum": 21}),
    ("tenants", "policy", {"password_min_length": 7}),
    ("tenants", "policy", {"password_min_length": 65}),
    ("tenants", "policy", {"password_history": 25}),
    ("tenants", "policy", {"password_max_age_days": 29}),
    ("tenants", "policy", {"password_max_age_days": 731}),
    ("tenants", "policy", {"password_reset": "sms"}),
    ("tenants", "policy", {"session_idle_minutes": 2.5}),
    ("tenants", "policy", {"mfa": "off"}),
    ("tenants", "roles", [{"key": "Agent", "name": "Agent"}]),
    ("tenants", "roles", [{"key": "two words", "name": "Agent"}]),
    ("tenants", "roles", [{"key": "agent", "name": "Agent", "permissions": ["loans.read"]}]),
    ("tenants", "roles", [{"key": "account_admin", "name": "Boss", "permissions": {}}]),
    ("users", "email", "mia"),
    ("users", "email", "mia@acme"),
    ("users", "email", "mia@a@acme.example"),
    ("users", "name", ""),
    ("users", "name", "Mia\x1b[31m"),
    ("users", "locale", "english"),
    ("users", "locale", "no such thing"),
    ("users", "zoneinfo", "Mars/Olympus"),
    ("users", "zoneinfo", "../../etc/passwd"),
    ("users", "zoneinfo", ""),
    ("users", "status", "deleted"),
    ("users", "operator", "true"),
    ("users", "password", "a1-b2-c3!!!!"),
    ("users", "password", "………………………………"),
    ("users", "password", "ä" * 513),
    ("users", "password", "000webhost1500"),
    ("users", "invitation", True),
    ("users", "memberships", [{"tenant": "acme", "kind": "robot"}]),
    ("users", "memberships", [{"tenant": "acme", "roles": "agent"}]),
]


@pytest.mark.parametrize(("what", "name", "value"), BAD_VALUES)
def test_a_bad_value_is_refused_where_it_stands(
    reader: Reader, what: str, name: str, value: object
) -> None:
    assert f"{what}[0]" in mistake(reader, with_field(what, name, value))


RESERVED = ["roles", "permissions", "iss", "sub", "aud", "exp", "tenant", "acr", "amr"]


@pytest.mark.parametrize("key", RESERVED)
def test_no_role_has_the_name_of_a_claim(reader: Reader, key: str) -> None:
    content = with_field("tenants", "roles", [{"key": key, "name": "x"}])
    assert "this is the name of a claim" in mistake(reader, content)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_secret", {"of": SECRET}),
        ("client_secret", [SECRET]),
        ("client_secret", SECRET[:20]),
        ("client_secret", SECRET + " "),
        ("jwks", SECRET),
    ],
)
def test_a_refused_secret_is_not_repeated(reader: Reader, field: str, value: object) -> None:
    assert SECRET[:20] not in mistake(reader, with_field("clients", field, value))


def test_a_refused_password_is_not_repeated(reader: Reader) -> None:
    assert "canary" not in mistake(reader, with_field("users", "password", "canary-1"))
    assert "canary" not in mistake(reader, with_field("users", "password", ["canary-1"]))


def test_a_file_that_was_read_shows_no_secret(reader: Reader) -> None:
    file = reader.read(small())
    shown = f"{file!r} {file} {file.model_dump_json()}"
    assert SECRET not in shown
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    ("left", "right", "value"),
    [("client_secret", "client_secret_file", SECRET), ("jwks_file", "jwks", {"keys": []})],
)
def test_a_client_has_one_source_of_secrets(
    reader: Reader, left: str, right: str, value: object
) -> None:
    content = small()
    content["clients"][0] |= {"client_secret": None, left: SECRET, right: value}
    assert f"{right}, not both" in mistake(reader, content) or f"{left}, not both" in mistake(
        reader, content
    )


def twice(what: str) -> dict[str, Any]:
    content = small()
    content[what] += small()[what]
    return content


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("products", "product 'loans'"),
        ("clients", "client 'loans-web'"),
        ("tenants", "tenant 'acme'"),
        ("users", "user 'mia@acme.example'"),
    ],
)
def test_a_thing_is_named_once(reader: Reader, what: str, told: str) -> None:
    assert f"{told} is named twice" in mistake(reader, twice(what))


def test_two_spellings_of_an_address_are_one_person(reader: Reader) -> None:
    content = twice("users")
    content["users"][1]["email"] = "MIA@Acme.EXAMPLE"
    assert "is named twice" in mistake(reader, content)


def test_inside_a_thing_names_are_told_apart_too(reader: Reader) -> None:
    node = {"key": "loans.read", "name": "x"}
    role = {"key": "agent", "name": "x"}
    tree = [{"key": "a", "name": "x", "children": [node]}, node]
    assert "loans.read" in mistake(reader, with_field("products", "permissions", tree))
    assert "role of acme" in mistake(reader, with_field("tenants", "roles", [role, role]))
    double = [{"tenant": "acme"}, {"tenant": "acme"}]
    assert "membership of" in mistake(reader, with_field("users", "memberships", double))


def test_two_clients_never_share_a_secret_file(reader: Reader) -> None:
    content = twice("clients")
    for number, client in enumerate(content["clients"]):
        del client["client_secret"]
        client |= {"client_id": f"client-{number}", "client_secret_file": "one.secret"}
    assert "'one.secret' is named twice" in mistake(reader, content)


def test_placeholders_are_filled_in_by_the_caller(reader: Reader) -> None:
    content = with_field("clients", "redirect_uris", ["${loans}/callback"])
    file = reader.read(content, loans="https://a.example")
    assert file.clients[0].redirect_uris == ["https://a.example/callback"]


def test_a_placeholder_is_never_filled_from_the_environment(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME_PAGE", "https://a.example")
    content = with_field("clients", "redirect_uris", ["${HOME_PAGE}/callback"])
    message = mistake(reader, content, loans="https://canary.example")
    assert "${HOME_PAGE} is no known variable (loans)" in message
    assert "canary" not in message
    assert "none are given" in mistake(reader, content)


def test_the_command_fills_it_with_the_variables_that_it_is_told_and_no_others(desk: Desk) -> None:
    file = desk.folder / "setup.yaml"
    file.write_text("products: [{key: wiki, name: '${WIKI_NAME}'}]")
    settings = {
        "LATCHKEY_DATABASE_URL": str(desk.provider.settings.database_url),
        "LATCHKEY_KEYS_DIR": str(desk.provider.settings.keys_dir),
        "WIKI_NAME": "Wiki of ours",
    }
    for told in ([], ["--env", "HOME"]):
        said = CliRunner().invoke(apply, [str(file), *told], env=settings)
        assert "${WIKI_NAME} is no known variable" in str(said.exception), told
    said = CliRunner().invoke(apply, [str(file), "--env", "WIKI_NAMES"], env=settings)
    assert said.exit_code == 2
    assert "The environment has no WIKI_NAMES." in said.output
    said = CliRunner().invoke(apply, [str(file), "--env", "WIKI_NAME"], env=settings)
    assert "name: Wiki of ours" in said.output


@pytest.mark.parametrize("text", ["${", "${}", "${two words}", "${a-b}", "${1a}"])
def test_a_broken_placeholder_is_refused(reader: Reader, text: str) -> None:
    assert "a placeholder is written ${name}" in mistake(
        reader, with_field("products", "description", text)
    )


def test_a_placeholder_can_be_written_as_plain_text(reader: Reader) -> None:
    content = with_field("products", "description", "costs $5, $${name} and $$")
    assert reader.read(content).products[0].description == "costs $5, ${name} and $$"


def test_what_a_variable_holds_is_no_placeholder_again(reader: Reader) -> None:
    content = with_field("products", "description", "${a}")
    assert reader.read(content, a="${b}").products[0].description == "${b}"
