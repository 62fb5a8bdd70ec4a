"""How easily chance would have given a signal, among the series that are watched."""

from math import exp

import pytest

from sqcore.identity.permissions import Role
from sqcore.identity.principals import system_principal
from sqcore.monitoring.chance import false_shares
from sqcore.monitoring.models import Signal, Watch
from sqcore.stats.cusum import false_alarms_a_year
from sqcore.tests.factories import make_unit
from sqcore.tests.monitoring.series import make_series, quiet, shifted
from sqcore.tests.monitoring.test_pages import SIGNALS, page, person, words

pytestmark = pytest.mark.django_db

EVERYBODY = system_principal("test")


def test_the_share_grows_with_the_series_that_are_watched() -> None:
    bank = make_series()
    bank.put(make_unit("north"), shifted(quiet(60), 3, since=41))
    bank.watch(60)
    signal = Signal.objects.get()
    baseline = signal.baseline
    rate = false_alarms_a_year(n0=baseline.n, phi=baseline.phi, h=signal.height)
    p = 1 - exp(-rate * (signal.last_on - baseline.applies_from).days / 365.25)

    assert false_shares(EVERYBODY) == {signal.pk: pytest.approx(p)}

    Watch.objects.update(judged=10)
    assert false_shares(EVERYBODY) == {signal.pk: pytest.approx(10 * p)}


def test_the_list_tells_it_beside_the_signal() -> None:
    bank = make_series()
    north = make_unit("north")
    bank.put(north, shifted(quiet(60), 3, since=41))
    bank.watch(60)

    text = words(page(person("mei", Role.MANAGER, north), SIGNALS))

    assert "by chance (q " in text
    assert "the share that chance alone lets expect" in text


def test_nobody_learns_of_signals_elsewhere() -> None:
    bank = make_series()
    bank.put(make_unit("north"), shifted(quiet(60), 3, since=41))
    bank.watch(60)
    chen = person("chen", Role.MANAGER, make_unit("south"))

    assert "(q " not in words(page(chen, SIGNALS))
