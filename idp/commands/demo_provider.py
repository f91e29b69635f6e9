"""`python -m idp.commands.demo_provider`: the demo's provider, which brings its own people.

Its output is what `idp demo` tells of them, and ends when the database holds them.
"""

from __future__ import annotations

import os
import sys

from idp.commands import all_kept, mistakes_told

with all_kept():
    from idp import logs, migrations, setup
    from idp.commands.demo import addresses_from
    from idp.commands.serve import prepare, start_server
    from idp.errors import SetupMistake
    from idp.provider import Provider, provider
    from idp.settings import settings_from


def serve_demo() -> None:
    """Furnish, tell, serve."""
    settings = settings_from()
    logs.configure(settings.log_level)
    held = provider(settings)
    sys.stdout.write(furnish(held, addresses_from(settings.port)))
    _end_output()
    start_server(settings)


def furnish(held: Provider, addresses: dict[str, str]) -> str:
    """Schema, the demo's directory, and keys; the passwords that everybody knows are for no
    database with people of its own. Gives what to tell of the people. Raises SetupMistake."""
    migrations.upgrade(held.database)
    strangers = setup.people_outside_the_demo(held, addresses)
    if strangers:
        raise SetupMistake(
            f"{held.database.url} holds {strangers} people of its own: the demo, whose passwords"
            " everybody knows, is not for it."
        )
    setup.apply_demo(held, addresses)
    prepare(held)
    return _people(held, addresses)


def _people(held: Provider, addresses: dict[str, str]) -> str:
    lines = ["", f"People (password: {setup.DEMO_PASSWORD}):", ""]
    lines += [f"  {person.email:<28} {person.note}" for person in setup.demo_people(addresses)]
    lines += ["", f"Data: {held.database.url}, keys: {held.settings.keys_dir}/", ""]
    return "\n".join(lines)


def _end_output() -> None:
    """For whoever reads it; what the server writes later goes nowhere."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


if __name__ == "__main__":
    with mistakes_told():
        serve_demo()
