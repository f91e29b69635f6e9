"""What is the same in every application that a test makes is made once in a test process: pages
translated to Python, statements and queries to SQL, and the application itself."""

from __future__ import annotations

from copy import copy
from typing import Any

import sqlalchemy as sa
from flask import Flask
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from idp import app, database
from idp.database import Database
from idp.provider import Provider
from idp.statements import Statement
from idp.web.context import EXTENSION, orm

QUERIES = 2000


def keep() -> None:
    """For every application from now on."""
    Flask.jinja_options = {"bytecode_cache": KeptTemplates()}
    _keep_statements()
    _keep_queries("sqlite_engine", SQLiteDialect_pysqlite)
    _keep_queries("postgres_engine", PGDialect_psycopg)
    _keep_pages()


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


def _keep_pages() -> None:
    """Pages are made once and given to one provider after another: a copy differs by what Flask
    keeps of the provider alone, its settings and its database."""
    make, kept = app.create_pages, list[Flask]()

    def made(held: Provider) -> Flask:
        if not kept:
            kept.append(make(held))
        own = copy(kept[0])
        own.config = copy(own.config)
        own.config.update(app._flask_settings(held))
        own.extensions = {**own.extensions, EXTENSION: held}
        _give_database(own)
        return own

    app.create_pages = made


def _give_database(pages: Flask) -> None:
    """As if it had none yet: what Flask-SQLAlchemy has told it is told anew."""
    del pages.extensions["sqlalchemy"]
    pages.teardown_appcontext_funcs, pages.shell_context_processors = [], []
    orm.init_app(pages)
