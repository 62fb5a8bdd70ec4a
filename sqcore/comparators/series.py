"""What competitors and the market reach, as lines on control charts."""

from collections.abc import Sequence
from datetime import date, timedelta

from django.utils.translation import gettext as _

from sqcore.comparators.models import ComparatorValue
from sqcore.comparators.queries import values_about
from sqcore.dashboards.tags import day
from sqcore.identity.principals import Principal
from sqcore.monitoring.charts import Chart
from sqcore.monitoring.lines import ChartLine, Stretch


class MarketLines:
    """A line for each comparator that has values of the indicator; scores have none."""

    key = "comparators"

    def lines(
        self, *, principal: Principal, chart: Chart, first: date, end: date
    ) -> Sequence[ChartLine]:
        if chart.leaf is None:
            return []
        found: dict[int, list[ComparatorValue]] = {}
        for value in values_about(principal, [chart.key.code], first=first, end=end):
            found.setdefault(value.comparator_id, []).append(value)
        return [
            ChartLine(str(values[0].comparator), tuple(_stretch(value) for value in values))
            for values in found.values()
        ]


def _stretch(value: ComparatorValue) -> Stretch:
    return Stretch(
        value.starts_on,
        value.ends_on,
        value.value,
        value.low,
        value.high,
        title=span_text(value),
        told=source_text(value),
    )


def span_text(value: ComparatorValue) -> str:
    """Return the days that a value speaks of: a whole year by its number, else from day to day."""
    first, last = value.starts_on, value.ends_on - timedelta(days=1)
    if (first.month, first.day, last.month, last.day) == (1, 1, 12, 31) and first.year == last.year:
        return str(first.year)
    return _("%(first)s – %(last)s") % {"first": day(first), "last": day(last)}


def source_text(value: ComparatorValue) -> str:
    """Return the source of a value, and when it was published if that is known."""
    if value.published_on is None:
        return value.source
    said = {"source": value.source, "day": day(value.published_on)}
    return _("%(source)s, published %(day)s") % said
