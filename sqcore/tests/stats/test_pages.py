"""The examples of the methods pages run."""

import doctest
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "docs" / "methods"


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md")))
def test_examples_of_the_page_are_right(page: str) -> None:
    assert doctest.testfile(str(PAGES / page), module_relative=False).failed == 0
