"""Two real connections that order units: on SQLite a file, on PostgreSQL a server."""

import pytest

from sqcore.identity.principals import system_principal
from sqcore.org.models import Unit
from sqcore.org.services import shift_unit
from sqcore.tests.factories import NOW, make_unit
from sqcore.tests.monitoring.test_at_once import in_threads

pytestmark = pytest.mark.django_db(transaction=True)


def test_moves_at_once_each_count_and_do_not_wait_for_each_other() -> None:
    bank = make_unit("bank")
    units = {code: make_unit(code, parent=bank) for code in "abcdefgh"}

    def shift(code: str, by_places: int) -> None:
        shift_unit(
            unit=units[code], by_places=by_places, on=NOW.date(), by=system_principal(), now=NOW
        )

    in_threads(lambda: shift("a", 7), lambda: shift("h", -6))

    beside = Unit.objects.filter(code__in=units).order_by("position")
    assert [unit.position for unit in beside] == list(range(8))
    assert [unit.code for unit in beside] == list("hbcdefga")
