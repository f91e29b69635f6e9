"""What is the same in every application that a test makes is made once in a test process: pages
translated to Python, statements and queries to SQL, addresses to what finds them."""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from idp import database
from idp.database import Database, Statement
from idp.web.addresses import Address

QUERIES = 2000


def keep() -> None:
    """For every application from now on."""
    Flask.jinja_options = {"bytecode_cache": KeptTemplates()}
    _keep_statements()
    _keep_queries("sqlite_engine", SQLiteDialect_pysqlite)
    _keep_queries("postgres_engine", PGDialect_psycopg)
    _keep_addresses()


class KeptTemplates(BytecodeCache):
    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


def _keep_statements() -> None:
    compiled, kept = Database._compile, dict[tuple[bool, Statement], Any]()

    def compile_once(self: Database, statement: Statement) -> Any:
        key = (self.is_sqlite, statement)
        if key not in kept:
            kept[key] = compiled(self, statement)
        return kept[key]

    Database._compile = compile_once  # type: ignore[method-assign]


def _keep_queries(maker: str, dialect: Any) -> None:
    """Engines with one cache. It is asked by the dialect too, and each engine has its own: all of
    a kind are as good as the same."""
    kept: LRUCache[Any, Any] = LRUCache(QUERIES)
    dialect.__hash__ = lambda self: hash(type(self))
    dialect.__eq__ = lambda self, other: type(self) is type(other)
    make = getattr(database, maker)

    def made(*given: Any) -> sa.Engine:
        engine: sa.Engine = make(*given)
        engine._compiled_cache = kept
        return engine

    setattr(database, maker, made)


def _keep_addresses() -> None:
    """What an address is compiled to hangs on its text, and is changed by nobody afterwards."""
    compiled, kept = Address.compile, dict[tuple[str, bool | None], CompiledAddress]()

    def compile_once(self: Address) -> None:
        key = (self.rule, self.merge_slashes)
        if self.defaults or key not in kept:
            compiled(self)
            kept[key] = CompiledAddress.of(self)
        else:
            kept[key].give(self)

    Address.compile = compile_once  # type: ignore[assignment, method-assign]


class CompiledAddress(NamedTuple):
    parts: Any
    trace: Any
    converters: Any
    arguments: Any
    builders: tuple[Any, Any]

    @classmethod
    def of(cls, address: Address) -> CompiledAddress:
        bound: tuple[Any, Any] = (address._build, address._build_unknown)
        return cls(
            address._parts,
            address._trace,
            address._converters,
            address.arguments,
            (bound[0].__func__, bound[1].__func__),
        )

    def give(self, address: Address) -> None:
        address._parts, address._trace, address._converters = self[:3]
        address.arguments = self.arguments
        address._build, address._build_unknown = (each.__get__(address) for each in self.builders)
