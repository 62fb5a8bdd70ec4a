from datetime import date

import pytest

from sqcore.base import bus
from sqcore.base.events import EvaluationPublished
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.permissions import Role
from sqcore.indicators.models import IndicatorSystem, SystemVersion
from sqcore.notices.models import Notice
from sqcore.tests.factories import NOW, give_role, make_unit, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def people() -> None:
    """Mei leads a branch, Ana analyses, Li works at the counter, Chen has no role."""
    north = make_unit("north")
    give_role(make_user("mei"), Role.MANAGER, north)
    give_role(make_user("li"), Role.STAFF, north)
    give_role(make_user("ana"), Role.ANALYST)
    make_user("chen")


def publish(start: date, *, grain: str = "month", revision: int = 1, system: str = "sq") -> None:
    """Publish a run of the period that begins on this day; now is 2 March 2026."""
    owner, _new = IndicatorSystem.objects.get_or_create(
        code=system, defaults={"name": {"en": "Service quality"}}
    )
    version, _new = SystemVersion.objects.get_or_create(
        system=owner, number=1, defaults={"since": date(2024, 1, 1)}
    )
    run = EvaluationRun.objects.create(
        system=owner,
        version=version,
        grain=grain,
        starts_on=start,
        ends_on=start,
        revision=revision,
        reason=EvaluationRun.Reason.CLOSED,
        created_at=NOW,
    )
    bus.publish(EvaluationPublished(run_id=run.pk), now=NOW)
    bus.drain(now=NOW)


def test_who_looks_after_results_is_told_of_the_month_that_closed() -> None:
    publish(date(2026, 2, 1))

    told = {notice.reader.username: notice for notice in Notice.objects.all()}
    assert set(told) == {"mei", "ana"}
    assert told["ana"].title["en"] == "New results: Service quality"
    assert told["ana"].body == {
        "en": "The evaluation of February 2026 is in.",
        "zh-hans": "2026年2月的评估已完成。",
    }
    assert told["ana"].reason["en"] == "You look after the evaluation of service quality."
    assert told["mei"].reason["en"] == (
        "You answer for units or people whose service is evaluated."
    )


def test_many_runs_of_a_day_are_one_notice_a_system() -> None:
    publish(date(2026, 2, 1))
    publish(date(2025, 10, 1), grain="quarter")
    publish(date(2025, 1, 1), grain="year")
    publish(date(2026, 2, 1), system="other")

    assert Notice.objects.filter(reader__username="ana").count() == 2


@pytest.mark.parametrize(
    ("start", "grain", "revision"),
    [
        (date(2026, 3, 1), "day", 1),
        (date(2026, 2, 23), "week", 1),
        (date(2026, 2, 1), "month", 2),
        (date(2026, 1, 1), "month", 1),
        (date(2024, 1, 1), "year", 1),
    ],
    ids=["day", "week", "later revision", "old month", "old year"],
)
def test_what_is_no_news_is_not_told(start: date, grain: str, revision: int) -> None:
    publish(start, grain=grain, revision=revision)

    assert not Notice.objects.exists()
