"""What every test starts from."""

import pytest

from surveys.instruments.codebook import forget_codebooks


@pytest.fixture(autouse=True)
def _fresh_codebooks() -> None:
    forget_codebooks()
