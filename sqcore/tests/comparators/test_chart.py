"""Competitors and the market as lines on control charts."""

from datetime import date

import pytest
from django.test import Client

from sqcore.identity.permissions import Role
from sqcore.indicators.models import Indicator, UnitOfMeasure
from sqcore.monitoring.charts import chart_at
from sqcore.monitoring.lines import ChartLine, Stretch, lines_on
from sqcore.org.models import Unit
from sqcore.tests.comparators.making import SYSTEM, make_comparator, reached
from sqcore.tests.factories import TODAY, give_role, make_unit, make_user
from sqcore.tests.monitoring.series import Series, leaf, make_series, quiet
from sqcore.tests.pages import faults_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def north() -> Unit:
    return make_unit("north")


@pytest.fixture
def bank(north: Unit) -> Series:
    """Sixty weeks of waiting from 1 January 2024 on, and what the market reached in that year."""
    bank = make_series(
        leaf("waiting", unit_of_measure=UnitOfMeasure.MINUTES.value, statistic="mean")
    )
    bank.put(north, quiet(60))
    waiting, _new = Indicator.objects.get_or_create(
        code="waiting", defaults={"name": {"en": "Waiting"}, "source": "encounters"}
    )
    Indicator.objects.filter(pk=waiting.pk).update(unit_of_measure="min", statistic="mean")
    waiting.refresh_from_db()
    reached(
        make_comparator("market"), waiting, 7.5, low=7.0, high=8.0,
        starts_on=date(2024, 1, 1), ends_on=date(2025, 1, 1), published_on=date(2025, 3, 1),
    )  # fmt: skip
    reached(
        make_comparator("rival", "competitor"), waiting, 6.0,
        starts_on=date(2022, 1, 1), ends_on=date(2023, 1, 1),
    )  # fmt: skip
    return bank


def test_a_line_stands_where_its_days_are(bank: Series, north: Unit) -> None:
    chart = chart_at(
        principal=SYSTEM, system=bank.system, unit=north, code="waiting", grain=bank.grain,
        profile="nhs", today=TODAY,
    )  # fmt: skip

    assert lines_on(chart, principal=SYSTEM) == [
        ChartLine(
            "Market",
            (
                Stretch(
                    date(2024, 1, 1), date(2025, 1, 1), 7.5, 7.0, 8.0,
                    title="2024", told="Yearbook of banks, published 1 Mar 2025",
                ),
            ),
        )
    ]  # fmt: skip


def test_the_page_draws_it_and_says_its_source_in_the_table(bank: Series, client: Client) -> None:
    user = make_user("ana")
    give_role(user, Role.ANALYST)
    client.force_login(user)

    answer = client.get(f"/quality/charts/{bank.system.code}/north/waiting/?grain=week")

    html = answer.content.decode()
    assert (answer.status_code, faults_of(html)) == (200, [])
    assert 'data-sign="beside-1"' in html
    assert "Market; 95 % interval 7.0 – 8.0; Yearbook of banks, published 1 Mar 2025" in html
    assert "Rival" not in html
    traces = answer.context["page"].figure.traces
    drawn = [trace for trace in traces if trace.get("line", {}).get("color") == "--series-4"]
    assert [(trace["x"], trace["y"]) for trace in drawn] == [
        (["2024-01-01", "2024-12-31"], [7.5, 7.5])
    ]
