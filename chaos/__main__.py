"""`python -m chaos [R1 R2 ...]`: run the scenarios, and print what came of them."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from chaos.report import Result, table, told, write
from chaos.scenario import Scenario, Size
from chaos.scenarios import scenarios
from chaos.town import USERS


@click.command()
@click.argument("names", nargs=-1)
@click.option("--bounded", is_flag=True, help="A few seconds each, as the tests do.")
@click.option("--scale", default=1.0, show_default=True, help="Share of the table's time to take.")
@click.option("--rate", type=float, help="Visits a second, instead of the table's.")
@click.option("--users", default=USERS, show_default=True, help="How many virtual users.")
@click.option("--results", type=click.Path(path_type=Path), help="Write them there as JSON.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep histories and logs there.")
def main(
    names: tuple[str, ...],
    bounded: bool,
    scale: float,
    rate: float | None,
    users: int,
    results: Path | None,
    keep: Path | None,
) -> None:
    """Break a provider in every way of docs/security.md, and look at what it promised."""
    known = scenarios()
    chosen = [known[name.upper()] for name in names] if names else list(known.values())
    done = []
    for scenario in chosen:
        size = scenario.bounded if bounded else scenario.size.scaled(scale)
        size = replace(size, rate=rate) if rate else size
        done.append(_run(scenario, size, users, keep))
        print(table(done[-1:]), told(done[-1]), sep="\n", flush=True)
    if len(done) > 1:
        print("", table(done), sep="\n")
    if results:
        write(done, results)
    sys.exit(any(each.wrong for each in done))


def _run(scenario: Scenario, size: Size, users: int, keep: Path | None) -> Result:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as made:
        folder = (keep or Path(made)) / scenario.number
        with scenario.made(folder / "town", users) as town:
            return scenario.run(town, size, folder / "run")


if __name__ == "__main__":
    main()
