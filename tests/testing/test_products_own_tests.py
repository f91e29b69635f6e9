"""What docs/integrate.md says to those who test a product, done as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "docs" / "integrate.md").read_text().partition("\n## Testing your product\n")[2]
FILES = ("wiki.py", "conftest.py", "test_wiki.py")
IDP = f"""#!/bin/sh
exec {sys.executable} -m idp.commands "$@"
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """For all that anybody keeps for a while."""
    (tmp_path / "kept").mkdir()
    return tmp_path


def environment(place: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place / "kept"), **more}


def left_in(place: Path) -> list[str]:
    return [path.name for path in (place / "kept").iterdir() if "latchkey" in path.name]


def test_the_example_passes_by_the_plugin_and_leaves_nothing(place: Path) -> None:
    for name, text in zip(FILES, blocks("python"), strict=True):
        assert f"`{name}`" in SECTION
        (place / name).write_text(text)
    (place / "test_without.py").write_text(WITHOUT)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "idp.pytest_plugin", "-W", "error"]
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    outcome = subprocess.run(
        [*command, "--strict-markers", "test_without.py", "test_wiki.py", "test_without.py"],
        cwd=place,
        env=environment(place, **alone),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "7 passed" in outcome.stdout
    assert left_in(place) == []


WITHOUT = """
import os
import sys
from pathlib import Path
import pytest

def test_who_does_not_ask_pays_nothing():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "idp"}
    assert loaded == {"idp", "idp.pytest_plugin", "idp.testing"}  # that one by test_wiki.py
    assert Path(f"/proc/self/task/{os.getpid()}/children").read_text() == ""

@pytest.fixture(scope="module")
def somebody(latchkey):
    return latchkey.user("ada@acme.example")

def test_somebody_is_made(latchkey, somebody):
    assert latchkey.advance(60)

@pytest.mark.latchkey(reset=False)
def test_it_may_be_kept_as_the_test_before_left_it(latchkey, somebody):
    assert latchkey.sign_in(somebody, "wiki").code
"""


def test_the_lines_for_other_languages_do_what_they_say_and_leave_nothing(place: Path) -> None:
    (place / "idp").write_text(IDP)
    (place / "idp").chmod(0o755)
    (lines,) = blocks("sh")
    outcome = subprocess.run(
        ["bash", "-euc", f"set -m\n{lines}\nwait"],
        cwd=place,
        env=environment(place, PATH=f"{place}:{os.environ['PATH']}"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert '"redirect":"http://localhost:9000/callback?code=' in outcome.stdout
    assert left_in(place) == []
