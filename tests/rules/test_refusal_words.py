"""What refusals say is known to the languages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import idp
from idp.web.languages import read_catalog

PACKAGE = Path(idp.__file__).parent
REFUSALS = {"PageRefusal"}


def sentences_for_people() -> Iterator[str]:
    """The second argument of every PageRefusal, and of the `super().__init__` of its kind."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and _tells_people(node, path):
                sentence = node.args[1]
                if isinstance(sentence, ast.Call):
                    (sentence,) = sentence.args  # told(…)
                if isinstance(sentence, ast.Constant) and isinstance(sentence.value, str):
                    yield sentence.value


def _tells_people(node: ast.Call, path: Path) -> bool:
    if len(node.args) < 2:
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in REFUSALS
    is_super = isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
    return is_super and path.name in {"acting.py", "attempt.py", "errors.py"}


def test_every_refusal_that_people_read_is_said_in_spanish() -> None:
    known = {message.id for message in read_catalog("es") if message.string}
    told = set(sentences_for_people()) - {"Client authentication failed."}
    assert len(told) >= 10
    assert told - known == set()
