"""compose.yaml and the Dockerfile say what they should: no container engine is needed to know. That
two servers behind that proxy are one provider is shown in tests/concurrency/test_replicas.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from idp.commands import idp
from idp.settings import settings_from
from relying_parties.__main__ import parser

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "compose.yaml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
PROVIDERS = {name: each for name, each in SERVICES.items() if each["image"] == "latchkey"}


def hadolint(text: str) -> str:
    return told(["hadolint", "--no-color", "-"], text)


def compose_faults(folder: Path, text: str) -> str:
    (folder / "compose.yaml").write_text(text)
    given = ["--builtin-schema", "vendor.compose-spec", str(folder / "compose.yaml")]
    return told(["check-jsonschema", *given], "").replace("ok -- validation done\n", "")


def told(command: list[str], text: str) -> str:
    program = str(Path(sys.executable).with_name(command[0]))
    run = subprocess.run(
        [program, *command[1:]], input=text, capture_output=True, text=True, check=False
    )
    assert run.returncode in (0, 1), run.stderr
    return run.stdout


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    assert hadolint(DOCKERFILE) == ""
    assert "DL3002" in hadolint(DOCKERFILE.replace("USER 10001:10001", "USER root"))


def test_compose_yaml_is_of_the_form_that_the_specification_gives(tmp_path: Path) -> None:
    assert compose_faults(tmp_path, COMPOSE) == ""
    assert "depend" in compose_faults(tmp_path, COMPOSE.replace("depends_on:", "depends_upon:", 1))


def test_the_image_holds_what_it_is_made_of_and_no_more() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sources == set(let_in)
    assert all((ROOT / source).exists() for source in sources)


def test_two_servers_and_a_worker_are_started_with_settings_that_there_are() -> None:
    started = [each.get("command", ["serve"])[0] for each in PROVIDERS.values()]
    assert sorted(started) == ["--bind", "demo", "serve", "serve", "worker"]
    for name in ("idp-1", "idp-2", "worker", "setup"):
        settings = settings_from(PROVIDERS[name]["environment"])
        assert settings.database_url.startswith("postgresql://")
        assert settings.redis_url
        assert settings.trusted_proxies == SERVICES["proxy"]["networks"]["default"]["ipv4_address"]


def test_what_is_started_can_be_started() -> None:
    command, *arguments = PROVIDERS["setup"]["command"]
    subcommand = idp.get_command(None, command)  # type: ignore[arg-type]
    assert subcommand
    assert subcommand.make_context(command, arguments).params["furnish"]
    assert parser().parse_args(PROVIDERS["products"]["command"]).bind == "0.0.0.0"


def test_the_products_hold_their_own_secrets_and_none_of_the_providers_keys() -> None:
    """Whoever makes a volume of a folder that the image does not have makes it as root."""
    folder = parser().parse_args(PROVIDERS["products"]["command"]).secrets_dir
    assert PROVIDERS["products"]["volumes"] == [f"clients:{folder}:ro"]
    assert f"clients:{folder}" in PROVIDERS["setup"]["volumes"]
    assert re.search(
        rf"^RUN install --directory --owner 10001 .* {folder}$", DOCKERFILE, re.MULTILINE
    )


def test_every_service_has_as_few_rights_as_it_can_do_with() -> None:
    for name, service in SERVICES.items():
        if name != "postgres":  # its image begins as root, to own its files
            assert service["read_only"], name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name


def test_every_service_that_is_spoken_of_is_there() -> None:
    for name, service in SERVICES.items():
        others = set(service.get("depends_on", ()))
        others |= set(re.findall(r"^service:(.+)$", service.get("network_mode", "")))
        assert others <= set(SERVICES), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source, name


def test_the_proxy_asks_the_servers_that_there_are() -> None:
    asked = re.findall(r"server (\S+):8000 ", (ROOT / "deploy" / "nginx.conf").read_text())
    assert asked == [name for name in SERVICES if name.startswith("idp-")]


@pytest.mark.parametrize("name", ["idp-1", "idp-2", "worker"])
def test_containers_are_given_the_time_that_a_server_takes_to_stop(name: str) -> None:
    drain = settings_from(PROVIDERS[name]["environment"]).drain
    assert int(PROVIDERS[name]["stop_grace_period"].removesuffix("s")) > drain + 30
