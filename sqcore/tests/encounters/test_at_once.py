"""Two real connections at the same encounters: on SQLite a file, on PostgreSQL a server."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from sqcore.base.periods import Period
from sqcore.encounters import services
from sqcore.encounters.models import Encounter, TouchedSpan
from sqcore.encounters.queries import row_sums
from sqcore.encounters.services import Taken, sum_up, take_encounters
from sqcore.encounters.sources import EncounterSource
from sqcore.tests.encounters.factories import encounter
from sqcore.tests.factories import NOW, make_unit

pytestmark = pytest.mark.django_db(transaction=True)

HEAD_START = 0.5
"""Seconds in which the other one gets as far as it can."""


class Other(threading.Thread):
    """Does something by a connection of its own; `outcome` is what came of it."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__()
        self.call = call
        self.outcome: object = "nothing yet"

    def run(self) -> None:
        try:
            self.outcome = self.call()
        finally:
            connection.close()


def after(other: Other, wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, which when it is done starts the other one and leaves it time."""

    def work(*args: Any, **kwargs: Any) -> Any:
        found = wrapped(*args, **kwargs)
        if other.ident is None:
            other.start()
            time.sleep(HEAD_START)
        return found

    return work


def summed() -> int:
    found = EncounterSource().collect(measures=["waiting"], period=Period.parse("2026-03"))
    whole = [at for at, cell in enumerate(found.cells) if not cell.margin]
    return int(found.moments.n[whole].sum())


def test_what_comes_while_a_span_is_summed_up_is_summed_up_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unit = make_unit("riverside")
    take_encounters(rows=[encounter("a", unit)], now=NOW)
    coming = Other(lambda: take_encounters(rows=[encounter("b", unit)], now=NOW))
    monkeypatch.setattr(services, "row_sums", after(coming, row_sums))

    sum_up(clock=lambda: NOW)
    coming.join(timeout=60)

    assert coming.outcome == Taken(new=1)
    assert TouchedSpan.objects.count() == 1
    assert summed() == 2
    sum_up(clock=lambda: NOW)
    assert not TouchedSpan.objects.exists()
    assert summed() == 2


def test_two_sums_of_a_span_at_once_leave_the_newer(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make_unit("riverside")
    take_encounters(rows=[encounter("a", unit)], now=NOW)

    def come_and_sum() -> int:
        take_encounters(rows=[encounter("b", unit)], now=NOW)
        return sum_up(clock=lambda: NOW)

    other = Other(come_and_sum)
    monkeypatch.setattr(services, "row_sums", after(other, row_sums))

    sum_up(clock=lambda: NOW)
    other.join(timeout=60)

    assert not TouchedSpan.objects.exists()
    assert summed() == 2


def test_two_senders_of_one_new_key_leave_one_encounter(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = make_unit("riverside")
    other = Other(lambda: take_encounters(rows=[encounter("a", unit, wait=2)], now=NOW))
    monkeypatch.setattr(services, "_stored", after(other, services._stored))

    mine = take_encounters(rows=[encounter("a", unit, wait=1)], now=NOW)
    other.join(timeout=60)

    outcomes = {mine, other.outcome}
    assert outcomes == {Taken(new=1), Taken(replaced=1)}
    assert Encounter.objects.count() == 1
