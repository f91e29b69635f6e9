"""Addresses whose builders are compiled when a page first names them.

Werkzeug compiles two functions for each address when it is registered. Of two hundred addresses a
process builds few, and those that it never builds would be a tenth of a second of every start.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from werkzeug.routing import Rule


class Address(Rule):
    """A rule of Flask's `url_rule_class`, in all else as Werkzeug has it."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = cache(super()._compile_builder)

        def build(rule: Rule, /, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build
