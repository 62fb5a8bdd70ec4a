"""The bank, with its source of results registered while a test runs."""

import pytest

from sqcore.performance.sources import PERSON_SOURCES
from training.tests.effect.making import LOT, Bank, make_bank


@pytest.fixture
def bank(db: None, monkeypatch: pytest.MonkeyPatch) -> Bank:
    monkeypatch.setattr(PERSON_SOURCES, "_offers", {})
    # Chance has its say in the simulations of the methods; a test of a verdict draws one lot.
    monkeypatch.setattr("training.effect.services.secrets.randbelow", lambda _most: LOT)
    return make_bank(PERSON_SOURCES.register)
