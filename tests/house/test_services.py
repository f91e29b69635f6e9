"""The services and the site of docs/operate.md ("From a bare machine to two replicas"), looked at
without starting them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from datetime import date
from pathlib import Path

import pytest
from granian.http import HTTP1Settings

from idp.settings import settings_from

FOLDER, IDP = "/var/backups/latchkey", "/opt/latchkey/.venv/bin/idp"
ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = ("latchkey@.service", "latchkey-worker.service")
BACKUP, TIMER = "latchkey-backup.service", "latchkey-backup.timer"
GUIDE = (ROOT / "docs" / "operate.md").read_text()


def lines(unit: str) -> set[str]:
    return set((DEPLOY / unit).read_text().splitlines())


def confinement(unit: str) -> str:
    rules = (DEPLOY / unit).read_text().partition("# It writes nowhere")[2]
    return rules.partition("[Install]")[0].strip()


def test_the_services_are_confined_alike() -> None:
    assert confinement(UNITS[0]) == confinement(UNITS[1]) == confinement(BACKUP)
    for rule in ("NoNewPrivileges=yes", "CapabilityBoundingSet=", "ProtectSystem=strict"):
        assert rule in confinement(UNITS[0]).splitlines()


def test_a_server_may_let_its_hashes_give_way() -> None:
    """What is allowed after a whole group was not (systemd.exec(5)), and the unprivileged may lower
    their own priority alone."""
    rules = [each for each in confinement(UNITS[0]).splitlines() if "SystemCallFilter=" in each]
    assert rules[-1] == "SystemCallFilter=setpriority"


@pytest.mark.parametrize("unit", UNITS)
def test_a_service_is_started_with_settings_that_there_are(unit: str) -> None:
    [given] = [line for line in lines(unit) if line.startswith("Environment=")]
    pairs = given.removeprefix("Environment=").replace("%i", "1").split()
    assert settings_from(dict(pair.split("=") for pair in pairs)).operations_port
    assert "User=latchkey" in lines(unit)
    stop = next(line for line in lines(unit) if line.startswith("TimeoutStopSec="))
    assert int(stop.partition("=")[2]) > settings_from({}).drain + 30


def test_a_backup_is_made_each_night_and_those_of_thirty_days_are_kept(tmp_path: Path) -> None:
    assert {"User=latchkey", f"ReadWritePaths={FOLDER}"} <= lines(BACKUP)
    assert {"OnCalendar=03:00", "Persistent=true"} <= lines(TIMER)
    for step in (f"install -d -o latchkey -g latchkey -m 0700 {FOLDER}", f"enable --now {TIMER}"):
        assert step in GUIDE
    kept, gone = tmp_path / "2026-11-22", tmp_path / "2026-10-01"
    for file, days in ((kept, 29), (gone, 32)):
        file.touch()
        os.utime(file, (time.time() - days * 86400,) * 2)
    for name in ("ExecStart", "ExecStartPost"):
        subprocess.run(command(BACKUP, name, tmp_path), check=True)
    there = set(tmp_path.iterdir())
    assert kept in there
    [made] = there - {kept}
    assert date.fromisoformat(made.name)


def command(unit: str, name: str, folder: Path) -> list[str]:
    """As systemd takes it apart; what `idp backup` is given, it would write."""
    [line] = [each for each in lines(unit) if each.startswith(f"{name}=")]
    text = line.partition("=")[2].replace("$$", "$").replace("%%", "%")
    return shlex.split(text.replace(FOLDER, str(folder)).replace(f"{IDP} backup", "touch"))


def test_the_site_passes_on_what_the_proxy_of_the_containers_does() -> None:
    site, whole = ((DEPLOY / name).read_text() for name in ("nginx-site.conf", "nginx.conf"))
    assert location(site) == location(whole)
    assert re.findall(r"server 127.0.0.1:(\d+) (.+);", site) == [
        (port, found[1])
        for port, found in zip(
            ("8001", "8002"), re.findall(r"server (\S+):8000 (.+);", whole), strict=True
        )
    ]


def test_a_kept_connection_is_ended_by_the_proxy_and_not_by_a_server() -> None:
    """Which could end it while a request is on its way."""
    for name in ("nginx-site.conf", "nginx.conf"):
        upstream = (DEPLOY / name).read_text().partition("upstream latchkey {")[2].partition("}")[0]
        [seconds] = re.findall(r"keepalive_timeout (\d+)s;", upstream)
        assert int(seconds) * 1000 < HTTP1Settings().header_read_timeout


def location(text: str) -> list[str]:
    inside = text.partition("location / {")[2].partition("}")[0]
    return [line.strip() for line in inside.strip().splitlines()]


def test_an_upgrade_moves_every_service_to_the_new_version() -> None:
    [moved] = re.findall(r"for unit in (.+); do\n    sed", GUIDE)
    assert {f"{unit}.service" for unit in moved.split()} == {
        file.name for file in DEPLOY.glob("*.service")
    }


def test_the_guide_names_files_that_there_are() -> None:
    named = set(re.findall(r"/opt/latchkey/deploy/([\w@.-]+)", GUIDE))
    assert named >= {*UNITS, BACKUP, TIMER, "nginx-site.conf", "role.sql", "idp"}
    assert all((DEPLOY / name).exists() for name in named)
