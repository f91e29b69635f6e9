"""The provider as it is replaced while it runs: two servers behind deploy/nginx.conf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from chaos.town import Town, town_on_postgres
from tests.machine.nginx import deployed_nginx
from tests.machine.processes import Process, free_port


@dataclass
class Pair(Town):
    """`entrance` is the proxy's; `servers` are those behind it, by the port of each, and `probes`
    the ports at which they say how they are."""

    entrance: int = 0
    servers: dict[int, Process] = field(default_factory=dict)
    probes: dict[int, int] = field(default_factory=dict)
    is_behind_proxy = True

    @property
    def ports(self) -> list[int]:
        return [self.entrance]

    def start(self, port: int, version: Path | None = None) -> None:
        """Once it serves. `version` is the tree of another one."""
        self.probes[port] = free_port()
        self.servers[port] = self.running.start_replica(
            version=version, port=port, operations_port=self.probes[port]
        )

    def says(self, port: int, probe: str) -> bool:
        """Whether the server at that port says yes."""
        try:
            asked = f"http://127.0.0.1:{self.probes[port]}/health/{probe}"
            return requests.get(asked, timeout=5).ok
        except requests.RequestException:
            return False


@contextmanager
def pair_of_servers(folder: Path, users: int, workers: int) -> Iterator[Town]:
    """Half of the workers each."""
    entrance, first, second = free_port(), free_port(), free_port()
    with deployed_nginx(entrance, {"idp-1": first, "idp-2": second}):
        issuer = f"http://localhost:{entrance}"
        own = {"issuer": issuer, "port": first, "workers": workers // 2}
        with town_on_postgres(folder, users, **own) as town:
            pair = Pair(**vars(town), entrance=entrance)
            pair.servers[first] = town.running.server
            pair.probes[first] = town.running.settings.operations_port
            pair.start(second)
            yield pair
