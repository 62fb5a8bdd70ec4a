from collections.abc import Iterator

import pytest

from training.tests.factories import Bank, make_bank
from training.tests.incentives.making import questions


@pytest.fixture(autouse=True)
def _questions() -> Iterator[None]:
    with questions():
        yield


@pytest.fixture
def bank(db: None) -> Bank:
    return make_bank()
