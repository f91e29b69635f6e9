"""Lint, format and types: what ruff and mypy say of the whole tree."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHECKS = ["ruff check", "ruff format --check", "mypy"]


@pytest.mark.timeout(300)  # mypy without its cache reads every library
@pytest.mark.parametrize("check", CHECKS)
def test_the_tree_passes(check: str) -> None:
    program, *arguments = check.split()
    outcome = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
