"""The lock files: everything pinned by hash, nothing tied to one registry."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON_LOCKS = ["requirements.txt", "requirements-dev.txt", "requirements-build.txt"]
NODE_LOCK = ROOT / "tests" / "peers" / "node" / "package-lock.json"


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_a_python_lock_names_no_host(name: str) -> None:
    assert not re.search(r"://|--(extra-)?index-url|--find-links| @ ", (ROOT / name).read_text())


@pytest.mark.parametrize("name", PYTHON_LOCKS)
def test_every_python_requirement_is_pinned_by_hash(name: str) -> None:
    requirements = re.split(r"\n(?=[\w#])", (ROOT / name).read_text())
    pinned = [each for each in requirements if not each.startswith("#")]
    assert pinned
    assert [each for each in pinned if "==" not in each or "--hash=sha256:" not in each] == []


def test_the_locks_agree_with_each_other() -> None:
    everything = versions("requirements-dev.txt")
    for name in PYTHON_LOCKS:
        assert versions(name).items() <= everything.items()


def test_the_node_lock_names_no_place_to_download_from() -> None:
    packages = json.loads(NODE_LOCK.read_text())["packages"]
    installed = {name: package for name, package in packages.items() if name}
    assert [name for name, package in installed.items() if "resolved" in package] == []
    assert [name for name, package in installed.items() if "integrity" not in package] == []


def versions(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.\[\]-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
