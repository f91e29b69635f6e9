"""A disk of its own that can be filled up, to see what becomes of those who write to it.

It is a tmpfs, which only root may mount.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.machine.processes import MissingTool, private_folder

MEGABYTES = 256
BLOCKS = (2**16, 1)  # bytes
FILLER = "filler"


@dataclass(frozen=True)
class SmallDisk:
    folder: Path

    def fill(self, name: str = FILLER) -> None:
        """To the last byte, by what is added to the file of that name: where a file of somebody
        else's ends in the middle of a page, that has room still."""
        with (self.folder / name).open("ab", buffering=0) as file:
            for block in BLOCKS:
                with suppress(OSError):
                    while file.write(b"\n" * block):
                        pass

    def free(self) -> None:
        (self.folder / FILLER).unlink()


@contextmanager
def small_disk(owner: str | None = None) -> Iterator[SmallDisk]:
    """Gone with all that is on it at the end. Raises MissingTool."""
    folder = private_folder("latchkey-disk-", owner)
    uid = folder.stat().st_uid
    mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m,mode=0700,uid={uid}", "tmpfs"]
    told = subprocess.run([*mount, folder], capture_output=True, text=True, check=False)
    try:
        if told.returncode:
            raise MissingTool(f"To fill up a disk takes root, who may mount one: {told.stderr}")
        yield SmallDisk(folder)
    finally:
        if not told.returncode:
            subprocess.run(["umount", "--lazy", folder], check=True)
        shutil.rmtree(folder)
