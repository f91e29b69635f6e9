"""What is written for people is so, and what is so is written: settings, commands, claims, errors,
addresses, examples and links."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from threading import Thread
from typing import Any

import click
import pytest
from werkzeug.serving import make_server

from idp import setup
from idp.app import create_pages
from idp.audit import TAGS
from idp.audit_concerns import CONCERNS
from idp.commands import demo, demo_provider, idp
from idp.database import Database
from idp.endpoints.router import BELOW, ROUTES
from idp.endpoints.well_known import metadata
from idp.grants.claims import CLAIMS
from idp.login.steps import Step
from idp.measures import COUNTED, TIMED
from idp.operations.metrics import GAUGES
from idp.provider import Provider
from idp.settings import PREFIX, Settings
from tests.machine.processes import free_port
from tests.machine.provider_process import start_provider
from tests.peers.visitor import Visitor
from tests.world import ADDRESSES, AMARA, PASSWORD, PRIYA, World, apply_demo, claims_of

ROOT = Path(__file__).parents[2]
README, INTEGRATE, OPERATE, SECURITY, CONSOLE, CONFORMANCE = (
    (ROOT / name).read_text()
    for name in (
        "README.md",
        "docs/integrate.md",
        "docs/operate.md",
        "docs/security.md",
        "docs/console.md",
        "docs/conformance.md",
    )
)
PAGES = [
    *(ROOT / "README.md", ROOT / "CHANGELOG.md"),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "decisions").glob("*.md")),
]
TYPES = {"int": {"number"}, "bool": {"switch"}, "Path": {"folder"}}
WORDS = {"address", "list", "word", "text"}
EXAMPLES = sorted((ROOT / "docs" / "examples").glob("*.yaml"))
SET_UP_FILES = ("wiki.yaml", "notes.yaml", "ledger.yaml")
CODE = re.compile(
    r"\b(?:_Fault|OAuthRefusal|BearerRefusal|PageRefusal|Refused|RefusedRequest|__init__)"
    r'\(\s*"([a-z_]+)"'
)
TO_PEOPLE = {
    "sign_in_failed",
    "second_factor_failed",
    "passkey_refused",
    "too_many_passkeys",
    "federated_sign_in_failed",
    "identity_provider_unreachable",
    "identity_provider_unfinished",
}  # words on the sign-in page, which nobody is sent a code with


def section(page: str, heading: str) -> str:
    found = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL
    )
    assert found, f"there is no section {heading}"
    return found[1]


def table(page: str, heading: str) -> dict[str, list[str]]:
    """The rows of a section's tables, by the name that stands first in backticks."""
    rows = re.findall(r"^\| `([^`]+)`[^|]*\|(.*)\|$", section(page, heading), re.MULTILINE)
    names = [name for name, _ in rows]
    assert len(names) == len(set(names)), "a name is documented twice"
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in rows}


def quoted(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def test_every_setting_is_documented_with_its_type_and_default() -> None:
    documented = table(OPERATE, "Settings")
    settings = {PREFIX + field.name.upper(): field for field in fields(Settings)}
    assert set(documented) == set(settings)
    for name, field in settings.items():
        kind, default = documented[name][:2]
        assert kind in TYPES.get(str(field.type), WORDS), name
        value = int(field.default) if isinstance(field.default, bool) else field.default
        assert default == (f"`{value}`" if str(value) else "(empty)"), name


def test_settings_that_are_spoken_of_exist() -> None:
    spoken_of = {name for page in PAGES for name in re.findall(r"LATCHKEY_\w+", page.read_text())}
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    assert spoken_of - {"LATCHKEY_"} <= known


def test_every_audit_tag_is_documented() -> None:
    assert set(table(OPERATE, "The audit log")) == set(TAGS)


def test_every_metric_is_documented_with_its_labels_and_meaning() -> None:
    rows = {n: row for n, row in table(OPERATE, "Is it alive").items() if n[0] != "/"}
    kinds = {
        **{name: ("counter", kind) for name, kind in COUNTED.items()},
        **{f"{name}_seconds": ("histogram", kind) for name, kind in TIMED.items()},
        **{name: ("gauge", kind) for name, kind in GAUGES.items()},
    }
    assert set(rows) == set(kinds)
    for name, (sort, kind) in kinds.items():
        assert rows[name][0] == sort, name
        assert quoted(rows[name][1]) == set(kind.labels), name
        assert rows[name][2].startswith(kind.means), name


def test_alerts_and_dashboard_ask_for_metrics_that_there_are() -> None:
    counted = {f"{name}_total" for name in COUNTED}
    timed = {f"{name}_seconds_{part}" for name in TIMED for part in ("bucket", "count", "sum")}
    known = {f"latchkey_{name}" for name in counted | timed | set(GAUGES)}
    for file in ("alerts.yaml", "dashboard.json"):
        asked = set(re.findall(r"\blatchkey_\w+", (ROOT / "deploy" / file).read_text()))
        assert asked, file
        assert asked <= known, file
    tags = re.findall(r'tag=~?\\*"([^"\\]+)', (ROOT / "deploy" / "alerts.yaml").read_text())
    assert {tag for each in tags for tag in each.split("|")} <= set(TAGS)


def test_every_event_that_is_mailed_is_documented() -> None:
    assert set(table(OPERATE, "Letters")) == {tag for tag in TAGS if CONCERNS[tag].readers}


def test_every_command_and_option_is_documented() -> None:
    rows = re.findall(r"^\| `(idp [^`]+)` \|(.*)\|$", section(OPERATE, "Commands"), re.MULTILINE)
    documented = {re.sub(r" [A-Z\[].*", "", name): text for name, text in rows}
    existing = dict(commands(idp, "idp"))
    assert set(documented) - {"idp --version"} == set(existing)
    for name, command in existing.items():
        for option in (o for o in command.params if isinstance(o, click.Option)):
            assert option.opts[0] in documented[name], f"{name} {option.opts[0]}"


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for child in group.list_commands(context):
        command = group.get_command(context, child)
        assert command
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {child}")
        else:
            yield f"{name} {child}", command


def test_every_endpoint_is_documented_with_its_methods() -> None:
    documented = {path: row[0] for path, row in table(INTEGRATE, "Endpoints").items()}
    below = {path + "{client_id}": route for path, route in BELOW.items()}
    existing = {path: ", ".join(route.methods) for path, route in (ROUTES | below).items()}
    assert documented == {**existing, "/logout": "GET, POST"}


def test_every_page_is_documented(world: World) -> None:
    rules = {rule.rule for rule in create_pages(world.held).url_map.iter_rules()}
    console = {rule for rule in rules if rule.startswith(("/manage", "/operate", "/api"))}
    assert set(table(OPERATE, "Every address")) == rules - console
    assert set(table(CONSOLE, "Every address")) == console


WITH_CERTIFICATES = Settings(
    trusted_proxies="127.0.0.1",
    client_certificate_header="XCert",
    client_certificate_verified_header="XVerify",
    mtls_url="https://mtls.id.example",
)


def test_every_member_of_the_metadata_is_documented() -> None:
    documented, told = table(INTEGRATE, "Discovery"), metadata(WITH_CERTIFICATES, ("loan",))
    assert set(documented) == set(told)
    for name, value in told.items():
        row = " ".join(documented[name])
        if isinstance(value, bool):
            assert row.startswith(str(value).lower()), name
        elif isinstance(value, list) and row.startswith("`"):
            assert set(value) <= quoted(row), name


def test_every_claim_is_documented_where_it_is(world: World) -> None:
    documented = table(INTEGRATE, "Claims")
    everything = json.dumps({"id_token": dict.fromkeys(CLAIMS)})
    tokens = world.browser().tokens(PRIYA, tenant="harbor", claims=everything)
    plain = world.browser().tokens(PRIYA, tenant="harbor", scope="openid", nonce=None)
    places = [
        [claims_of(answer["id_token"]) for answer in (tokens, plain)],
        [claims_of(answer["access_token"]) for answer in (tokens, plain)],
        [world.userinfo(answer["access_token"]).json or {} for answer in (tokens, plain)],
    ]
    assert set(CLAIMS) <= set(documented)
    for name, row in documented.items():
        found = [["–", "asked", "always"][sum(name in claims for claims in p)] for p in places]
        if name != "cross_tenant_grant":  # tests/flows/test_cross_tenant.py
            assert row[:3] == found, name
    for claims in (claims for place in places for claims in place):
        assert set(claims) <= set(documented)


def test_the_claims_of_machines_and_of_introspection_are_documented(world: World) -> None:
    form = {"grant_type": "client_credentials"}
    machine = world.post("/token", world.basic("lms-batch"), **form).json or {}
    introspected = world.introspect(world.browser().tokens()["access_token"])
    known = set(table(INTEGRATE, "Claims"))
    assert set(claims_of(machine["access_token"])) <= known
    assert set(introspected) - known <= quoted(section(INTEGRATE, "Checking access tokens"))


def test_the_switcher_answers_in_the_documented_shape(world: World) -> None:
    token = world.browser().tokens(PRIYA, tenant="harbor")["access_token"]
    answer = world.get("/switcher", Authorization=f"Bearer {token}").json
    documented = json.loads(blocks(section(INTEGRATE, "The product switcher"), "json")[0])
    assert shape(documented) == shape(answer)


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def test_every_error_is_documented() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "idp").rglob("*.py"))
    codes = set(CODE.findall(sources)) | {step.error for step in Step} | {"server_error"}
    assert len(codes) > 20
    assert codes - TO_PEOPLE <= quoted(section(INTEGRATE, "Errors"))


def test_the_readme_shows_the_example_files_word_for_word() -> None:
    assert len(EXAMPLES) == 3
    assert sorted(blocks(README, "yaml")) == sorted(path.read_text() for path in EXAMPLES)


def test_the_readme_alone_is_enough_to_register_three_clients(world: World, tmp_path: Path) -> None:
    """Its files by the names that it gives them, and its way to make a key."""
    subprocess.run([sys.executable, "-c", blocks(README, "python")[1]], cwd=tmp_path, check=True)
    for name, text in zip(SET_UP_FILES, blocks(README, "yaml"), strict=True):
        assert f"`{name}`" in README
        (tmp_path / name).write_text(text)
        assert f"+ client {name.removesuffix('.yaml')}" in apply(world, tmp_path / name)
        assert apply(world, tmp_path / name) == "Nothing to change.\n"


def apply(world: World, file: Path) -> str:
    settings = {
        "LATCHKEY_ISSUER": world.settings.issuer,
        "LATCHKEY_DATABASE_URL": world.settings.database_url,
        "LATCHKEY_KEYS_DIR": str(world.settings.keys_dir),
    }
    return subprocess.run(
        [sys.executable, "-m", "idp.commands", "apply", file.name],
        cwd=file.parent,
        env={**os.environ, **settings},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_the_readme_example_has_ten_lines() -> None:
    lines = blocks(README, "python")[0].splitlines()
    assert len([each for each in lines if each and "import" not in each]) == 10


def test_the_readme_example_signs_somebody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    secrets: dict[str, str] = {}

    def furnish(held: Provider) -> None:
        apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})
        (tmp_path / "wiki.yaml").write_text(blocks(README, "yaml")[0].replace("9000", str(port)))
        described = setup.parse(tmp_path / "wiki.yaml")
        secrets.update(setup.apply(held, described, held.clock(), base_dir=tmp_path).secrets)

    running, visitor = start_provider(tmp_path, furnish), Visitor()
    monkeypatch.setenv("WIKI_SECRET", secrets["wiki"])
    source = blocks(README, "python")[0].replace("9000", str(port))
    try:
        with served(source.replace("http://localhost:8000", running.issuer), port):
            sign_in = visitor.open(f"http://localhost:{port}/")
            person = json.loads(visitor.sign_in(sign_in, AMARA, PASSWORD).text)
    finally:
        visitor.close()
        running.stop()
    assert (person["email"], person["permissions"]) == (AMARA, ["wiki.read"])


@contextmanager
def served(source: str, port: int) -> Iterator[None]:
    """The Flask application that `source` makes, on that port."""
    made: dict[str, Any] = {"__name__": "wiki"}
    exec(compile(source, "README.md", "exec"), made)
    server = make_server("127.0.0.1", port, made["app"], threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_readme_shows_what_the_demo_prints(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    held = replace(world.held, settings=Settings(), database=Database(Settings().database_url))
    demo._introduce(demo_provider._people(held, demo.addresses_from(8000)), 8000)
    assert capsys.readouterr().out.strip() == blocks(README, "text")[0].strip()


def test_the_lines_for_the_management_api_list_people_and_make_a_role(tmp_path: Path) -> None:
    """At a provider that runs, in a folder with the demo's keys."""

    def furnish(held: Provider) -> None:
        apply_demo(held, {**ADDRESSES, "issuer": held.settings.issuer})

    running = start_provider(tmp_path, furnish)
    (lines,) = blocks(section(INTEGRATE, "The management API"), "sh")
    assert len(lines.splitlines()) <= 10
    secrets = running.settings.keys_dir / "clients"
    script = lines.replace("http://localhost:8000", running.issuer)
    try:
        done = subprocess.run(
            ["bash", "-euc", script.replace("keys/clients", str(secrets))],
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        running.stop()
    people, role = done.stdout.split("}{")
    assert len(json.loads(people + "}")["items"]) == 2
    assert json.loads("{" + role)["permissions"] == ["lms/loans.read"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in local_links(page.read_text()) if not leads_somewhere(page, link)] == []


def local_links(text: str) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", prose)
    links = [one or other for one, other in found]
    return [link for link in links if not re.match(r"https?:", link)]


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target.read_text()))


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_decision_is_numbered_in_turn() -> None:
    decisions = [page for page in PAGES if page.parent.name == "decisions"]
    for number, page in enumerate(decisions, start=1):
        assert page.name.startswith(f"{number:04}-")
        assert page.read_text().startswith(f"# {number}. ")


def test_every_module_has_a_test_that_is_there() -> None:
    """Whatever docs/conformance.md names as a test is one."""
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", CONFORMANCE))
    assert len(named) > 20
    assert (
        sorted(
            named - names_of_tests("flows") - names_of_tests("security") - names_of_tests("peers")
        )
        == []
    )


def names_of_tests(folder: str) -> set[str]:
    files = (ROOT / "tests" / folder).glob("test_*.py")
    return {name for path in files for name in re.findall(r"def (test_\w+)\(", path.read_text())}


def test_every_promise_has_its_proof_and_every_proof_its_promise() -> None:
    rows = re.findall(r"^\| [^|]+ \| (S\d\d.*) \|$", SECURITY, re.MULTILINE)
    claimed = {number for row in rows for number in re.findall(r"S(\d\d)", row)}
    assert claimed
    assert claimed <= proven()
    assert proven() <= set(re.findall(r"\bS(\d\d)\b", SECURITY))


def proven() -> set[str]:
    """The numbers of the tests in tests/security."""
    sources = (path.read_text() for path in (ROOT / "tests" / "security").glob("test_*.py"))
    return {number for text in sources for number in re.findall(r"def test_sec_(\d\d)_", text)}
