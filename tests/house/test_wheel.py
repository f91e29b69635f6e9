"""What is built for release holds all that the provider needs, and runs without this tree."""

import site
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZipFile

import pytest

from tests.machine.demo_process import start_demo

ROOT = Path(__file__).parents[2]
PACKAGES = ("idp", "relying_parties")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built with the pinned build tool, without a network."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder])
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment: the wheel itself, and the libraries of this one."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", python]
    run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel])
    lend_libraries(environment)
    return python.parent


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    assert sorted(set(files_to_ship()) - set(ZipFile(wheel).namelist())) == []


def test_templates_pages_files_and_migrations_are_in_the_wheel(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    for folder in ("idp/templates/", "idp/web/static/", "idp/migrations/"):
        assert any(name.startswith(folder) for name in names), folder


def test_no_key_test_or_cache_is_in_the_wheel(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert not [name for name in ZipFile(wheel).namelist() if "__pycache__" in name]


def test_the_installed_wheel_has_the_idp_command(programs: Path, tmp_path: Path) -> None:
    answer = run([programs / "idp", "--help"], cwd=tmp_path)
    assert "Usage: idp" in answer.stdout


def test_the_installed_wheel_runs_without_this_tree(programs: Path, tmp_path: Path) -> None:
    answer = run([programs / "python", "-c", "import idp; print(idp.__file__)"], cwd=tmp_path)
    assert Path(answer.stdout).is_relative_to(programs.parent)


def test_the_installed_wheel_brings_a_fixture_to_pytest(programs: Path, tmp_path: Path) -> None:
    asked = (
        "from importlib.metadata import entry_points as named;"
        "print(named(group='pytest11')['latchkey'].load().latchkey)"
    )
    assert "latchkey" in run([programs / "python", "-c", asked], cwd=tmp_path).stdout


def test_the_installed_wheel_runs_the_demo(programs: Path, tmp_path: Path) -> None:
    demo = start_demo(tmp_path, programs / "idp")
    try:
        with urlopen(demo.issuer) as page:
            assert "Sign in" in page.read().decode()
        with urlopen(f"{demo.payments}/healthz") as page:
            assert page.status == 200
    finally:
        assert demo.stop() == 0


def files_to_ship() -> Iterator[str]:
    for package in PACKAGES:
        yield from (str(path.relative_to(ROOT)) for path in real_files(ROOT / package))
    yield from (f"idp/{path.relative_to(ROOT)}" for path in real_files(ROOT / "templates"))


def real_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def lend_libraries(environment: Path) -> None:
    """Put our libraries behind its own; a plain path brings no editable install along."""
    place = next(environment.glob("lib/python*/site-packages"))
    (place / "lent.pth").write_text("\n".join(site.getsitepackages()))


def run(command: list[str | Path], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    outcome = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome
