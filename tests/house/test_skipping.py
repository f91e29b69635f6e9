"""A test that did not run has shown nothing."""

import pytest

from tests import conftest


@pytest.fixture
def strict_run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.syspath_prepend(str(conftest.__file__).removesuffix("/tests/conftest.py"))
    hooks = ("pytest_runtest_makereport", "pytest_make_collect_report")
    pytester.makeconftest("".join(f"from tests.conftest import {hook}\n" for hook in hooks))
    return pytester


def test_a_skipped_test_has_failed(strict_run: pytest.Pytester) -> None:
    strict_run.makepyfile("import pytest\n\ndef test_it():\n    pytest.skip('no browser')\n")
    outcome = strict_run.runpytest_inprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(failed=1)
    outcome.stdout.fnmatch_lines(["*nothing here may be*no browser*"])


def test_a_skipped_file_has_failed(strict_run: pytest.Pytester) -> None:
    strict_run.makepyfile("import pytest\n\npytest.importorskip('no_such_library')\n")
    outcome = strict_run.runpytest_inprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(errors=1)


def test_an_expected_failure_is_no_skip(strict_run: pytest.Pytester) -> None:
    strict_run.makepyfile(
        "import pytest\n\n@pytest.mark.xfail\ndef test_it():\n    raise ValueError\n"
    )
    strict_run.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(xfailed=1)
