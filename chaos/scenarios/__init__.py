"""A file for each scenario; its `SCENARIO` is found by being here, and `MORE` variants of it."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from chaos.scenario import Scenario


def scenarios() -> dict[str, Scenario]:
    """All of them by their number, in order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {each.number: each for module in modules for each in _of(module)}


def _of(module: ModuleType) -> tuple[Scenario, ...]:
    return (module.SCENARIO, *vars(module).get("MORE", ()))
