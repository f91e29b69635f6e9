"""A file for each scenario; its `SCENARIO` is found by being here."""

from __future__ import annotations

import importlib
import pkgutil

from chaos.scenario import Scenario


def scenarios() -> dict[str, Scenario]:
    """All of them by their number, in order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    found = [importlib.import_module(f"{__name__}.{name}").SCENARIO for name in names]
    return {each.number: each for each in found}
