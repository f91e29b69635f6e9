"""From a file to a form: YAML or JSON, placeholders, and mistakes told by where they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from idp.errors import SetupMistake
from idp.setup.form import SetupFile

NAMING_FIELDS = ("client_id", "slug", "email", "key", "tenant")
_PLACEHOLDER = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def parse(path: Path, variables: Mapping[str, str] | None = None) -> SetupFile:
    """`${name}` in a text stands for a variable of the caller's, never of the environment as
    such; `$${` is a plain `${`.

    Raises SetupMistake, which never repeats a value that may be secret.
    """
    with _mistakes_told(path):
        return read(_load(path), variables or {}, str(path))


def load(path: Path) -> object:
    """What the file holds, as it stands. Raises SetupMistake."""
    with _mistakes_told(path):
        return _load(path)


@contextmanager
def _mistakes_told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise SetupMistake(f"{path} can't be read: {problem.strerror}.") from problem
    except RecursionError:
        raise SetupMistake(f"{path} is not sound: it is nested too deeply.") from None
    except (ValueError, yaml.YAMLError) as problem:
        raise SetupMistake(f"{path} is not sound: {_short(problem)}") from None


def read(content: object, variables: Mapping[str, str], name: str) -> SetupFile:
    """The form in what a file holds; `name` is the file's, for messages."""
    if not isinstance(content, dict):
        raise SetupMistake(f"{name} must hold products, clients, tenants or users.")
    filled = _filled(content, variables, name)
    try:
        return SetupFile.model_validate(filled)
    except ValidationError as problem:
        faults = problem.errors(include_url=False, include_input=False, include_context=False)
        told = [f"  {_place(filled, fault['loc'])}: {_message(fault)}" for fault in faults]
        raise SetupMistake("\n".join([f"{name} can't be applied:", *told])) from None


def json_schema() -> dict[str, Any]:
    """What docs/setup.schema.json holds (JSON Schema 2020-12)."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **SetupFile.model_json_schema(by_alias=True)}


def _load(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text, object_pairs_hook=_each_name_once)
    return yaml.load(text, _Loader)  # noqa: S506  # it is a SafeLoader


def _each_name_once(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    """A name given twice would silently lose one of its two values."""
    found: dict[Any, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} is given twice in one place.")
        found[name] = value
    return found


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            line = node.start_mark.line + 1
            raise ValueError(
                f"{repeated!r} is given twice in the place that begins in line {line}."
            )
        return super().construct_mapping(node, deep)


def _short(problem: Exception) -> str:
    """Where and what, without the excerpt of the file that YAML's own message shows."""
    if isinstance(problem, yaml.MarkedYAMLError) and problem.problem_mark is not None:
        mark = problem.problem_mark
        return f"{problem.problem} in line {mark.line + 1}, column {mark.column + 1}."
    return str(problem)


def _filled(value: Any, variables: Mapping[str, str], name: str) -> Any:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: _variable(found, variables, name), value)
    if isinstance(value, list):
        return [_filled(each, variables, name) for each in value]
    if isinstance(value, dict):
        return {key: _filled(each, variables, name) for key, each in value.items()}
    return value


def _variable(found: re.Match[str], variables: Mapping[str, str], name: str) -> str:
    if found[0] == "$${":
        return "${"
    if found[1] is None:
        raise SetupMistake(f"{name}: a placeholder is written ${{name}}, and $${{ is a plain ${{.")
    if found[1] not in variables:
        known = ", ".join(sorted(variables)) or "none are given"
        raise SetupMistake(f"{name}: ${{{found[1]}}} is no known variable ({known}).")
    return variables[found[1]]


def _place(content: Any, path: tuple[int | str, ...]) -> str:
    """`clients[2] "lms", redirect_uris[0]`: by number, and by the name of what stands there."""
    told = ""
    for step in path:
        content = _inside(content, step)
        told += f"[{step}]" if isinstance(step, int) else f"{', ' if told else ''}{step}"
        if isinstance(step, int) and isinstance(content, dict):
            named = next((content[name] for name in NAMING_FIELDS if name in content), None)
            told += f" {json.dumps(named, ensure_ascii=False)}" if isinstance(named, str) else ""
    return told or "the file"


def _inside(content: Any, step: int | str) -> Any:
    if isinstance(content, dict):
        return content.get(step)
    if isinstance(content, list) and isinstance(step, int) and step < len(content):
        return content[step]
    return None


def _message(fault: ErrorDetails) -> str:
    if fault["type"] == "extra_forbidden":
        return "there is no such field."
    if fault["type"] == "missing":
        return "this field is missing."
    return f"{fault['msg'].removeprefix('Value error, ')}."
