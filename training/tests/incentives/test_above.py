from datetime import date

import pytest

from sqcore.achievements.models import Achievement
from sqcore.base.bus import deliver_event, publish
from sqcore.base.events import StaffResultsPublished
from sqcore.base.models import OutboxEvent
from sqcore.performance.models import ResultsRun, StaffResult
from training.tests.factories import Bank
from training.tests.incentives.making import APRIL, make_run, result

pytestmark = pytest.mark.django_db
ABOVE = StaffResult.Verdict.ABOVE


def published(run: ResultsRun) -> list[str]:
    publish(StaffResultsPublished(run_id=run.pk), now=APRIL)
    deliver_event(OutboxEvent.objects.latest("id").pk, now=APRIL)
    found = Achievement.objects.filter(kind="result").order_by("id")
    return list(found.values_list("staff__number", flat=True))


def test_a_result_above_that_is_sure_enough_is_an_achievement(bank: Bank) -> None:
    run = make_run()
    result(run, bank.li, bank.north, 4.8, verdict=ABOVE, gate="coaching")
    result(run, bank.mei, bank.north, 4.8, verdict=ABOVE, gate="none")
    result(run, bank.chen, bank.south, 4.8)

    assert published(run) == ["li"]
    assert published(run) == ["li"]
    achievement = Achievement.objects.get(kind="result")
    assert (achievement.on, achievement.title["en"]) == (
        date(2026, 3, 31),
        "Clearly above comparable colleagues",
    )


def test_windows_of_the_same_year_are_mostly_the_same_months_and_count_once(bank: Bank) -> None:
    for ends_on in (date(2026, 4, 1), date(2026, 5, 1), date(2027, 1, 1), date(2027, 2, 1)):
        run = make_run(ends_on=ends_on)
        result(run, bank.li, bank.north, 4.8, verdict=ABOVE)
        published(run)

    days = Achievement.objects.filter(kind="result").order_by("on").values_list("on", flat=True)
    assert list(days) == [date(2026, 3, 31), date(2027, 1, 31)]
