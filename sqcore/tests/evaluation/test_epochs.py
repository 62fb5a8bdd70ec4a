"""A published indicator measures something else from a day on: said, dated, and never silent."""

from datetime import UTC, date, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, InvalidInput
from sqcore.base.models import OutboxEvent
from sqcore.base.periods import Grain, Period
from sqcore.evaluation import queries
from sqcore.evaluation.figures import Line
from sqcore.evaluation.forms import Asked
from sqcore.evaluation.indicator_page import indicator_page
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.services import evaluate_due, replay
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal
from sqcore.indicators.cataloguing import change_indicator
from sqcore.indicators.models import EPOCHS_NEVER_CHANGED, Indicator, IndicatorEpoch
from sqcore.indicators.trees import Leaf
from sqcore.monitoring.models import Annotation
from sqcore.monitoring.services import mark_epoch
from sqcore.org.models import Unit
from sqcore.tests.evaluation.bank import (
    SYSTEM,
    MemorySource,
    branch,
    indicator,
    months_later,
    tree_system,
)
from sqcore.tests.factories import make_principal, make_unit, make_user

pytestmark = pytest.mark.django_db

SAID = datetime(2026, 2, 10, 9, 0, tzinfo=UTC)
MARCH = date(2026, 3, 1)


@pytest.fixture
def unit() -> Unit:
    return make_unit("harbour")


@pytest.fixture
def mei() -> User:
    return make_user("mei")


@pytest.fixture
def by(mei: User) -> Principal:
    may = {Permission.MANAGE_INDICATORS: EVERYWHERE, Permission.VIEW_RESULTS: EVERYWHERE}
    return make_principal(may, key=f"user:{mei.pk}", user=mei)


@pytest.fixture
def wait(desk: MemorySource, unit: Unit) -> Indicator:
    """The mean waiting time, evaluated by month since January; in all months 5 and 7 minutes
    before the till, and 1 and 3 at it."""
    desk.scales |= {"queue": 1, "till": 1}
    for month in (1, 2, 3):
        rows = [{"queue": 5, "till": 1}, {"queue": 7, "till": 3}] * 10
        desk.add(unit, date(2026, month, 5), *rows)
    found = indicator("wait", source="desk", of="queue")
    tree_system([branch("speed", 1, Leaf(found, 1, 0, 20))])
    return found


def _begin(wait: Indicator, by: Principal, **over: object) -> Indicator:
    said: dict[str, object] = {"reason": "The queue has no numbers any more", "starts_on": MARCH}
    return change_indicator(
        indicator=wait,
        changes={"parameters": {"measure": "till"}},
        by=by,
        now=SAID,
        **(said | over),  # type: ignore[arg-type]  # by name
    )


def _evaluate(months: int) -> None:
    evaluate_due(now=months_later(months))


def _values() -> dict[date, float | None]:
    found = KpiValue.objects.filter(is_current=True, code="wait", margin="")
    return dict(found.order_by("starts_on").values_list("starts_on", "value"))


def test_it_counts_from_its_day_on_and_older_periods_stay_as_they_were_measured(
    wait: Indicator, desk: MemorySource, unit: Unit, by: Principal
) -> None:
    _evaluate(1)
    older = EvaluationRun.objects.get()
    before = (older.input_digest, older.result_digest)

    _begin(wait, by)
    desk.add(unit, date(2026, 1, 6), {"queue": 6, "till": 2}, came_at=months_later(2))
    _evaluate(3)

    assert _values() == {date(2026, 1, 1): 6.0, date(2026, 2, 1): 6.0, MARCH: 2.0}
    older.refresh_from_db()
    assert (older.input_digest, older.result_digest) == before
    assert {replay(run_id=run.pk).fault for run in EvaluationRun.objects.all()} == {""}
    again = EvaluationRun.objects.get(starts_on=date(2026, 1, 1), is_current=True)
    assert again.pk != older.pk
    assert again.definition["dimensions"] == older.definition["dimensions"]


def test_no_change_is_computed_over_the_border(
    wait: Indicator, desk: MemorySource, by: Principal
) -> None:
    _begin(wait, by)
    _evaluate(3)

    def line(start: date) -> Line:
        run, former = queries.run_of(
            system=EvaluationRun.objects.all()[0].system, period=_period(start)
        )
        unit = queries.top_units(principal=SYSTEM, run=run)[0]
        found = queries.overview(
            principal=SYSTEM, run=run, former=former, unit=Unit.objects.get(pk=unit)
        )
        return found.standing.dimensions[0].children[0]

    february, march = line(date(2026, 2, 1)), line(MARCH)

    assert february.change is not None
    assert (february.change.by, february.is_redefined) == (0.0, False)
    assert (march.change, march.is_redefined) == (None, True)


def _period(start: date) -> Period:
    return Period(start, Grain.MONTH, 1)


def test_who_decided_it_when_and_why_is_kept(wait: Indicator, by: Principal, mei: User) -> None:
    _begin(wait, by)

    epoch = IndicatorEpoch.objects.get()
    assert (epoch.number, epoch.starts_on, epoch.begun_by, epoch.begun_at) == (2, MARCH, mei, SAID)
    assert epoch.before["parameters"] == {"measure": "queue"}
    assert epoch.after == epoch.before | {"parameters": {"measure": "till"}}
    entry = AuditEntry.objects.get(action="indicator.epoch_begun")
    assert entry.details == {
        "code": "wait",
        "number": 2,
        "from": "2026-03-01",
        "reason": "The queue has no numbers any more",
        "fields": ["parameters"],
    }
    event = OutboxEvent.objects.get(kind="indicators.indicator.redefined")
    assert event.payload == {"epoch_id": epoch.pk}


def test_its_charts_are_marked_once(wait: Indicator, by: Principal) -> None:
    _begin(wait, by)
    epoch = IndicatorEpoch.objects.get()

    mark_epoch(epoch_id=epoch.pk, now=SAID)
    mark_epoch(epoch_id=epoch.pk, now=SAID)

    mark = Annotation.objects.get()
    assert (mark.code, mark.unit, mark.kind, mark.starts_on) == ("wait", None, "change", MARCH)
    assert mark.text == "Measured otherwise from here on: The queue has no numbers any more"


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"reason": "  "}, "reason"),
        ({"starts_on": None}, "starts_on"),
        ({"starts_on": date(2026, 2, 9)}, "starts_on"),
    ],
)
def test_it_needs_a_reason_and_a_day_that_is_not_over(
    wait: Indicator, by: Principal, over: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        _begin(wait, by, **over)

    assert [problem.field for problem in refused.value.problems] == [field]
    wait.refresh_from_db()
    assert wait.parameters == {"measure": "queue"}
    assert not IndicatorEpoch.objects.exists()


def test_only_a_person_decides_it(wait: Indicator) -> None:
    with pytest.raises(InvalidInput, match="Only a person can decide that"):
        _begin(wait, SYSTEM)


def test_a_later_epoch_never_begins_before_the_last_one(wait: Indicator, by: Principal) -> None:
    _begin(wait, by)

    with pytest.raises(InvalidInput, match="2026-03-01 or later"):
        change_indicator(
            indicator=wait,
            changes={"statistic": "proportion"},
            reason="Back",
            starts_on=date(2026, 2, 20),
            by=by,
            now=SAID,
        )


def test_goalposts_in_force_keep_their_unit_and_direction(
    desk: MemorySource, unit: Unit, by: Principal
) -> None:
    desk.scales |= {"wait": 1}
    found = indicator("wait", source="desk", unit_of_measure="min", direction="lower")
    tree_system([branch("speed", 1, Leaf(found, 1, 20, 0))])

    for changes, said in (
        ({"unit_of_measure": "s"}, "by goalposts in minutes"),
        ({"direction": "higher"}, "Its goalposts run from 20 to 0"),
    ):
        with pytest.raises(Conflict, match=said):
            change_indicator(
                indicator=found, changes=changes, reason="Said", starts_on=MARCH, by=by, now=SAID
            )

    assert not IndicatorEpoch.objects.exists()


def test_a_change_of_an_operand_is_one_of_its_formula_too(
    desk: MemorySource, unit: Unit, by: Principal
) -> None:
    desk.scales |= {"queue": 1, "till": 1}
    for month in (2, 3):
        rows = [{"queue": 5, "till": 1}, {"queue": 7, "till": 3}] * 10
        desk.add(unit, date(2026, month, 5), *rows)
    part = indicator("part", source="desk", of="queue")
    whole = indicator("wait", formula="2 * [part]")
    tree_system([branch("speed", 1, Leaf(whole, 1, 0, 20))])

    _begin(part, by)
    _evaluate(3)

    assert _values() == {date(2026, 2, 1): 12.0, MARCH: 4.0}
    run, former = queries.run_of(
        system=EvaluationRun.objects.all()[0].system, period=_period(MARCH)
    )
    found = queries.overview(principal=SYSTEM, run=run, former=former, unit=unit)
    assert found.standing.dimensions[0].children[0].is_redefined

    page = indicator_page(principal=SYSTEM, code="wait", asked=Asked(period="2026-03"))
    assert page is not None
    assert "The queue has no numbers any more" in page.epoch


class TestRows:
    def test_the_triggers_are_all_there_after_all_migrations(self) -> None:
        there = EPOCHS_NEVER_CHANGED.present(connection)

        assert there == EPOCHS_NEVER_CHANGED.expected(connection.vendor)

    @pytest.mark.parametrize(
        "act", ["UPDATE {} SET reason = 'Other'", "DELETE FROM {}", "TRUNCATE {}"]
    )
    def test_the_database_refuses_to_change_them(
        self, wait: Indicator, by: Principal, act: str
    ) -> None:
        if act.startswith("TRUNCATE") and connection.vendor == "sqlite":
            pytest.skip("SQLite has no TRUNCATE")
        _begin(wait, by)
        connection.check_constraints()  # now, so that no later check stands before TRUNCATE

        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            connection.cursor().execute(act.format("sqcore_indicatorepoch"))

        assert IndicatorEpoch.objects.get().reason == "The queue has no numbers any more"
