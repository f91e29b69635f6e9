"""The services and the site of docs/operate.md ("From a bare machine to two replicas"), looked at
without starting them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from idp.settings import settings_from

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = ("latchkey@.service", "latchkey-worker.service")
GUIDE = (ROOT / "docs" / "operate.md").read_text()


def lines(unit: str) -> set[str]:
    return set((DEPLOY / unit).read_text().splitlines())


def confinement(unit: str) -> str:
    return (DEPLOY / unit).read_text().partition("# It writes nowhere")[2].partition("[Install]")[0]


def test_both_services_are_confined_alike() -> None:
    assert confinement(UNITS[0]) == confinement(UNITS[1])
    for rule in ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict"):
        assert rule in confinement(UNITS[0]).splitlines()


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_is_started_with_settings_that_there_are(unit: str) -> None:
    [given] = [line for line in lines(unit) if line.startswith("Environment=")]
    pairs = given.removeprefix("Environment=").replace("%i", "1").split()
    assert settings_from(dict(pair.split("=") for pair in pairs)).operations_port
    assert "User=latchkey" in lines(unit)
    stop = next(line for line in lines(unit) if line.startswith("TimeoutStopSec="))
    assert int(stop.partition("=")[2]) > settings_from({}).drain + 30


def test_the_site_passes_on_what_the_proxy_of_the_containers_does() -> None:
    site, whole = ((DEPLOY / name).read_text() for name in ("nginx-site.conf", "nginx.conf"))
    assert location(site) == location(whole)
    assert re.findall(r"server 127.0.0.1:(\d+) (.+);", site) == [
        (port, found[1])
        for port, found in zip(
            ("8001", "8002"), re.findall(r"server (\S+):8000 (.+);", whole), strict=True
        )
    ]


def location(text: str) -> list[str]:
    inside = text.partition("location / {")[2].partition("}")[0]
    return [line.strip() for line in inside.strip().splitlines()]


def test_the_guide_names_files_that_there_are() -> None:
    named = set(re.findall(r"/opt/latchkey/deploy/([\w@.-]+)", GUIDE))
    assert named >= {*UNITS, "nginx-site.conf", "role.sql", "idp"}
    assert all((DEPLOY / name).exists() for name in named)
