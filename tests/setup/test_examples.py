"""The examples that the README shows can be applied as they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey

from idp.setup import Applied, apply, parse
from tests.setup.conftest import Desk

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
METHODS = {
    "confidential-client": "client_secret_basic",
    "public-client": "none",
    "private-key-client": "private_key_jwt",
}


def apply_example(desk: Desk, name: str) -> Applied:
    keys: dict[str, Any] = {"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}
    path = desk.folder / "ledger.jwks.json"
    if not path.exists():
        path.write_text(json.dumps(keys))
    file = parse(EXAMPLES / f"{name}.yaml")
    return apply(desk.provider, file, desk.now, base_dir=desk.folder)


@pytest.mark.parametrize(("name", "method"), METHODS.items())
def test_an_example_makes_its_client(desk: Desk, name: str, method: str) -> None:
    applied = apply_example(desk, name)
    (client,) = desk.provider.catalog.current(desk.now).clients.values()
    assert client.token_endpoint_auth_method == method
    assert list(applied.secrets) == (["wiki"] if name == "confidential-client" else [])
    assert apply_example(desk, name) == Applied([], {})


def test_there_is_no_other_example() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(METHODS)
