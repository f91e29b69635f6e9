"""Who may import whom: the contracts hold, and each has been seen to fail."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "pyproject.toml"
LINTER = Path(sys.executable).with_name("lint-imports")

PLANNED = """
    idp/commands.py idp/setup/apply.py idp/migrations/env.py idp/app.py
    idp/web/login/password.py idp/web/account/profile.py idp/web/manage/members.py
    idp/endpoints/authorize.py idp/endpoints/token.py
    idp/provider.py idp/login/attempt.py idp/grants/refresh_token.py
    idp/oidc/pkce.py idp/sessions/browser.py idp/federation/google.py
    idp/policies/mfa.py idp/policies/sessions.py
    idp/credentials/factors.py idp/credentials/password.py idp/credentials/totp.py
    idp/tokens/claims.py idp/directory/users.py idp/limits.py idp/outbox.py idp/used_once.py
    idp/answered_once.py
    idp/audit.py idp/ephemeral.py idp/secret_values.py idp/database.py idp/settings.py idp/errors.py
    relying_parties/base/client.py
    relying_parties/lms.py relying_parties/payments.py relying_parties/connections.py
"""

ALLOWED = [
    ("idp/commands.py", "import flask, idp.setup.apply, idp.app"),
    ("idp/app.py", "import flask_wtf, idp.web.login.password, idp.endpoints.token"),
    ("idp/web/login/password.py", "from werkzeug.exceptions import NotFound; import idp.errors"),
    ("idp/setup/apply.py", "import idp.app, idp.directory.users"),
    ("idp/settings.py", "import idp.errors"),
    ("relying_parties/lms.py", "import flask, relying_parties.base.client"),
]

PLANTED = [
    ("downward", "idp/endpoints/token.py", "import idp.app"),
    ("downward", "idp/app.py", "import idp.commands"),
    ("downward", "idp/setup/apply.py", "import idp.commands"),
    ("downward", "idp/grants/refresh_token.py", "import idp.provider"),
    ("downward", "idp/login/attempt.py", "from idp.web.login import password"),
    ("downward", "idp/oidc/pkce.py", "import idp.grants.refresh_token"),
    ("downward", "idp/credentials/totp.py", "import idp.policies.mfa"),
    ("downward", "idp/directory/users.py", "import idp.credentials.password"),
    ("downward", "idp/limits.py", "import idp.directory.users"),
    ("downward", "idp/outbox.py", "import idp.audit"),
    ("downward", "idp/used_once.py", "import idp.limits"),
    ("downward", "idp/database.py", "import idp.ephemeral"),
    ("downward", "idp/settings.py", "import idp.database"),
    ("downward", "idp/errors.py", "import idp.settings"),
    ("downward", "idp/endpoints/authorize.py", "import idp.web.login.password"),
    ("downward", "idp/web/login/password.py", "import idp.endpoints.authorize"),
    ("downward", "idp/policies/sessions.py", "import idp.sessions.browser"),
    ("downward", "idp/tokens/claims.py", "import idp.credentials.factors"),
    ("downward", "idp/limits.py", "def check():\n    import idp.answered_once"),
    ("downward", "idp/tools.py", "a_module_that_has_no_layer = True"),
    ("web", "idp/web/manage/members.py", "import idp.web.account.profile"),
    ("web", "idp/web/account/profile.py", "import idp.web.login.password"),
    ("flask", "idp/endpoints/token.py", "from flask import request"),
    ("flask", "idp/sessions/browser.py", "import werkzeug.security"),
    ("flask", "idp/setup/apply.py", "from flask_babel import gettext"),
    ("products", "relying_parties/base/client.py", "import idp.errors"),
    ("products", "idp/commands.py", "import relying_parties.lms"),
    ("suite", "relying_parties/lms.py", "import relying_parties.payments"),
    ("suite", "relying_parties/base/client.py", "import relying_parties.connections"),
]


def test_every_contract_holds() -> None:
    outcome = lint(ROOT)
    assert outcome.returncode == 0, outcome.stdout


def test_the_house_as_planned_breaks_no_contract(tmp_path: Path) -> None:
    outcome = lint(planned_house(tmp_path))
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.parametrize(("contract", "path", "code"), PLANTED)
def test_a_planted_violation_breaks_its_contract(
    tmp_path: Path, contract: str, path: str, code: str
) -> None:
    house = planned_house(tmp_path)
    plant(house, path, code)
    outcome = lint(house)
    assert outcome.returncode == 1, outcome.stdout
    assert broken_contracts(outcome.stdout) == [contract_names()[contract]]


def test_every_contract_has_a_planted_violation() -> None:
    assert {contract for contract, _, _ in PLANTED} == set(contract_names())


def test_every_flask_library_is_kept_out_by_name() -> None:
    forbidden = next(each for each in contracts() if each["id"] == "flask")["forbidden_modules"]
    installed = {name for name in packages_distributions() if name.startswith("flask")}
    assert installed <= set(forbidden)


def contracts() -> list[dict[str, Any]]:
    written = tomllib.loads(CONFIGURATION.read_text())["tool"]["importlinter"]["contracts"]
    assert isinstance(written, list)
    return written


def contract_names() -> dict[str, str]:
    return {each["id"]: each["name"] for each in contracts()}


def planned_house(folder: Path) -> Path:
    """The modules that house.md plans, empty but for the imports that are easily mistaken."""
    for module in PLANNED.split():
        plant(folder, module, "")
    for path, code in ALLOWED:
        plant(folder, path, code)
    return folder


def plant(house: Path, path: str, code: str) -> None:
    module = house / path
    module.parent.mkdir(parents=True, exist_ok=True)
    for package in takewhile(lambda parent: parent != house, module.parents):
        (package / "__init__.py").touch()
    module.write_text(f"{code}\n")


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LINTER, "--config", CONFIGURATION, "--no-cache", "--no-logo"],
        cwd=house,
        capture_output=True,
        text=True,
        check=False,
    )


def broken_contracts(report: str) -> list[str]:
    return re.findall(r"^(.*) BROKEN", report, re.MULTILINE)
