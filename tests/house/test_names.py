"""A name says what is inside."""

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("idp", "relying_parties", "templates", "tests", "bench", "chaos", "docs", "install")
NAMES_THAT_SAY_NOTHING = {"utils", "helpers", "services", "managers", "common", "misc", "core"}
NOT_OURS = {"node_modules", "__pycache__", ".venv"}


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    assert list(empty_names(ROOT)) == []


@pytest.mark.parametrize("path", ["idp/utils.py", "idp/helpers/dates.py", "tests/flows/Common.md"])
def test_such_a_name_would_be_found(tmp_path: Path, path: str) -> None:
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).touch()
    assert len(list(empty_names(tmp_path))) == 1


def empty_names(root: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in (root / folder).rglob("*"):
            named = path.stem.lower() in NAMES_THAT_SAY_NOTHING
            if named and not NOT_OURS.intersection(path.parts):
                yield path
