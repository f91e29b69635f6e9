"""The demo's companies, people and products, for tests that are about something else than how `idp
demo` starts them: the provider is born of the forge, and the products start when they are first
gone to."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from idp import setup
from idp.commands.demo import PRODUCTS, addresses_from
from idp.provider import Provider
from tests.machine.demo_process import PORTS, Demo
from tests.machine.processes import free_port
from tests.machine.provider_process import Furnish, RunningProvider, start_provider
from tests.peers.sample_products import running_products


@dataclass
class FurnishedDemo(Demo):
    running: RunningProvider
    _opened: ExitStack = field(default_factory=ExitStack)
    _is_open: bool = False

    @property
    def lms(self) -> str:
        return self._open(super().lms)

    @property
    def payments(self) -> str:
        return self._open(super().payments)

    @property
    def connections(self) -> str:
        return self._open(super().connections)

    def _open(self, address: str) -> str:
        if not self._is_open:
            secrets = self.running.settings.keys_dir / "clients"
            ports = {key: self.port + number for number, key in enumerate(PRODUCTS, start=1)}
            log = self.log.with_name("products.log")
            self._opened.enter_context(running_products(self.issuer, secrets, ports, log))
            self._is_open = True
        return address

    def stop(self) -> int:
        """1 if a process had died before, as `idp demo` ends."""
        processes = (self.running.server, *self.running.outbox_workers)
        has_died = any(process.poll() is not None for process in processes)
        self._opened.close()
        self.running.stop()
        return int(has_died)


def start_furnished_demo(folder: Path, also: Furnish | None = None) -> FurnishedDemo:
    """With its inbox, and what `also` adds before anybody is served."""
    port = free_port(PORTS)

    def furnish(held: Provider) -> None:
        setup.apply_demo(held, addresses_from(port))
        if also:
            also(held)

    running = start_provider(folder, furnish, outbox_workers=1, port=port, demo_inbox=True)
    return FurnishedDemo(port, running.server, running.log, running)
