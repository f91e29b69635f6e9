"""A script of tests/peers/node that is kept running and called: one line of JSON each way."""

import json
import subprocess
from typing import IO, Any

from tests.machine.node import PEERS_FOLDER, find_node

SECONDS_TO_STOP = 10


class Refused(Exception):
    """The library threw: `error` is the provider's word for it, `code` the library's."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(json.dumps(problem))
        self.error: str | None = problem.get("error")
        self.code: str | None = problem.get("code")


class NodeProcess:
    """Ends by itself when we are gone, since its input ends."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            [find_node(), "--throw-deprecation", PEERS_FOLDER / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, name: str, **given: Any) -> Any:
        """What the script's function of that name answers. Raises Refused."""
        to_script, from_script = self._pipes()
        to_script.write(json.dumps({"call": name, **given}) + "\n")
        to_script.flush()
        line = from_script.readline()
        if not line:
            raise RuntimeError(f"Node ended at {name}; its words are above.")
        answer = json.loads(line)
        if "problem" in answer:
            raise Refused(answer["problem"])
        return answer["value"]

    def stop(self) -> None:
        to_script, from_script = self._pipes()
        to_script.close()
        self._process.wait(SECONDS_TO_STOP)
        from_script.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin
        assert self._process.stdout
        return self._process.stdin, self._process.stdout
