"""From answers of customers to results of people, through the real source."""

from datetime import date, datetime, timedelta

import pytest

from sqcore.encounters.services import take_encounters
from sqcore.performance.models import StaffResult
from sqcore.performance.runs import replay_run
from sqcore.tests.encounters.factories import encounter
from sqcore.tests.factories import make_post, make_unit
from sqcore.tests.performance.people import NOW, evaluated, make_branch
from surveys.campaigns.models import Campaign
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.factories import make_campaign, make_ready_version

pytestmark = pytest.mark.django_db

PERSONAL = ("p12", "p14", "p16", "p17", "p20", "p22")
SERVED = datetime.fromisoformat("2025-06-02T02:00Z")


def test_who_is_judged_by_customers_is_judged_by_items_about_the_person_alone() -> None:
    """Nine tellers get 4 and 6 in turn, the last 3 and 5; of a shared encounter nobody is told."""
    branch = make_branch(make_unit("north"), make_post())
    campaign = make_campaign(
        version=make_ready_version("servqual"), mode=Campaign.Mode.CONFIDENTIAL
    )
    first, last = branch.staff[0], branch.weak
    shared = encounter("shared", branch.unit, at=SERVED, shares={first.pk: 5000, last.pk: 5000})
    take_encounters(rows=[shared], now=SERVED)
    rows = [
        NewResponse(
            answers=dict.fromkeys(PERSONAL, (3 if staff == last else 4) + 2 * (at % 2))
            | {"p11": 1, "e12": 7},
            unit_id=branch.unit.pk,
            staff_id=staff.pk,
            answered_on=date(2025, 6, 2) + timedelta(days=at),
        )
        for staff in branch.staff
        for at in range(60)
    ]
    of_both = NewResponse(
        answers=dict.fromkeys(PERSONAL, 1), unit_id=branch.unit.pk, staff_id=first.pk,
        encounter_key="shared", answered_on=date(2025, 6, 2),
    )  # fmt: skip
    add_responses(
        campaign=campaign, responses=[*rows, of_both], origin=Response.Origin.API, now=NOW
    )

    run = evaluated()

    found = StaffResult.objects.filter(run=run, measure="servqual/overall")
    assert list(found.filter(verdict="low").values_list("staff", "n", "raw")) == [
        (last.pk, 60, 4.0)
    ]
    assert found.get(staff=first).n == 60
    assert StaffResult.objects.filter(run=run).count() == 40
    assert replay_run(run.pk).is_same
