"""The six families as a system: installed, fed by a questionnaire and by encounters, evaluated."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from sqcore.encounters.services import NewEncounter, sum_up, take_encounters
from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.evaluation.services import evaluate_due, replay
from sqcore.identity.principals import system_principal
from sqcore.indicators.models import SystemVersion
from sqcore.indicators.ready import install_ready_system
from sqcore.indicators.services import problems_of_draft, publish_version
from sqcore.org.models import Staff, Unit
from sqcore.stats.consistency import Consistency, consistency
from sqcore.tests.encounters.factories import MORNING, encounter
from sqcore.tests.factories import make_channel, make_staff, make_unit
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.factories import make_campaign, make_ready_version

pytestmark = pytest.mark.django_db

SYSTEM = system_principal("test")
APRIL = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)
SATISFIED = {
    "counter": (7, 7, 6, 6, 5, 5),
    "phone": (6, 5, 5, 4, 4, 3),
    "app": (5, 5, 4, 4, 3, 3),
}
EASE, VALUE, BRAND = (6, 6, 5, 5, 4, 4), (7, 6, 5, 4, 4, 4), (6, 5, 6, 5, 6, 5)
REPURCHASE, RECOMMEND, PREFERENCE = (10, 9, 8, 7, 6, 5), (10, 9, 9, 8, 7, 6), (8, 8, 8, 9, 9, 9)
WAITS = {9: 10, 12: 6, 15: 4}
"""Minutes, by the hour of the arrival; each next one in the queue waits one more."""


def drafted() -> SystemVersion:
    return install_ready_system(
        code="families",
        since=date(2026, 3, 1),
        grains=("month",),
        by=SYSTEM,
        now=MORNING,
    )


def installed() -> SystemVersion:
    return publish_version(version=drafted(), by=SYSTEM, now=MORNING)


@pytest.fixture
def bank() -> Unit:
    return make_unit("bank")


@pytest.fixture
def branches(bank: Unit) -> list[Unit]:
    return [make_unit(code, parent=bank) for code in ("lujiazui", "xujiahui", "jingan")]


def answered(branches: Sequence[Unit]) -> None:
    campaign = make_campaign(version=make_ready_version("experience"))
    for channel, satisfied in SATISFIED.items():
        given = make_channel(channel)
        rows = zip(satisfied, EASE, VALUE, BRAND, REPURCHASE, RECOMMEND, PREFERENCE, strict=True)
        codes = ("satisfaction", "effort", "value", "brand", "repurchase", "recommend")
        responses = [
            NewResponse(
                answers=dict(zip((*codes, "preference"), row, strict=True)),
                unit_id=branch.pk,
                channel_id=given.pk,
                answered_on=date(2026, 3, 5),
            )
            for row in rows
            for branch in branches
        ]
        add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=APRIL)


def served(branches: Sequence[Unit], staff: Sequence[Staff]) -> list[NewEncounter]:
    """Six encounters in each shift of a Monday in four weeks, each of one colleague."""
    rows = [
        encounter(
            f"{branch.code}-{week}-{hour}-{place}",
            branch,
            at=MORNING + timedelta(days=7 * week, hours=hour - 9),
            wait=wait + place,
            solved=(week + place) % 4 != 0 and place != 5,
            shares={staff[place].pk: 10_000},
        )
        for branch in branches
        for week in range(4)
        for hour, wait in WAITS.items()
        for place in range(6)
    ]
    take_encounters(rows=rows, now=APRIL)
    while sum_up(clock=lambda: APRIL):
        pass
    return rows


def compared(groups: Sequence[Sequence[float]], least: int = 3) -> Consistency:
    return consistency(
        [len(each) for each in groups],
        [np.mean(each) for each in groups],
        [np.var(each, ddof=1) for each in groups],
        least_groups=least,
    )


def test_a_month_has_a_figure_of_every_family(bank: Unit, branches: list[Unit]) -> None:
    answered(branches)
    version = installed()
    served(branches, [make_staff(name) for name in ("Mei", "Li", "Chen", "Hua", "Bo", "Yan")])

    evaluate_due(now=APRIL)

    figures = {row.code: row for row in KpiValue.objects.filter(unit=bank, margin="")}
    values = {code: row.value for code, row in figures.items()}
    assert values["satisfied-customers"] == pytest.approx(5 / 18)
    assert values["waiting-time-everywhere"] == pytest.approx(20 / 3 + 2.5)
    assert values["time-to-solve"] == pytest.approx(20 / 3 + 2.5 + 6)
    assert values["solved-at-first-contact"] == pytest.approx(15 / 24)
    assert values["worth-its-cost"] == pytest.approx(5.0)
    assert values["good-name"] == pytest.approx(5.5)
    assert values["net-promoters"] == pytest.approx(100 * (3 - 1) / 6)
    index = [
        ((r - 1) / 9 + n / 10 + (p - 1) / 9) / 3 * 100
        for r, n, p in zip(REPURCHASE, RECOMMEND, PREFERENCE, strict=True)
    ]
    assert values["loyalty-index"] == pytest.approx(np.mean(index), abs=0.02)
    channels = compared([[*SATISFIED[channel]] * 3 for channel in SATISFIED]).tau
    assert values["channels-alike"] == pytest.approx(channels.value)
    assert figures["channels-alike"].high == pytest.approx(channels.high)
    shifts = compared([[wait + place for place in range(6)] * 12 for wait in WAITS.values()]).tau
    assert values["shifts-alike"] == pytest.approx(shifts.value)
    # Branches and weeks have the very same figures.
    assert (values["units-alike"], values["weeks-alike"]) == (0.0, 0.0)
    solved = [[(week + at) % 4 != 0 and at != 5 for week in range(4)] * 9 for at in range(6)]
    staff = compared(solved, least=5).tau
    assert values["staff-alike"] == pytest.approx(staff.value)
    families = {"satisfaction", "efficiency", "consistency", "value", "brand", "loyalty"}
    assert {code for code in families if figures[code].score is not None} == families
    assert figures["composite"].status == "ok"
    assert replay(run_id=EvaluationRun.objects.get(version=version).pk).fault == ""


def test_a_branch_compares_its_channels_and_has_no_units_below(
    bank: Unit, branches: list[Unit]
) -> None:
    answered(branches)
    installed()
    served(branches, [make_staff(name) for name in ("Mei", "Li", "Chen", "Hua", "Bo", "Yan")])

    evaluate_due(now=APRIL)

    mine = KpiValue.objects.filter(unit=branches[0], margin="", status="ok")
    codes = set(mine.values_list("code", flat=True))
    assert {"channels-alike", "shifts-alike", "weeks-alike", "staff-alike"} <= codes
    assert "units-alike" not in codes


def test_the_check_names_the_questionnaire_that_it_waits_for() -> None:
    reasons = [problem.reason for problem in problems_of_draft(drafted())]

    assert reasons
    assert all("no published questionnaire “experience”" in reason for reason in reasons)


def test_it_stands_beside_the_bank_case_as_it_asks_a_questionnaire_of_its_own() -> None:
    make_ready_version("servqual")
    other = install_ready_system(code="servqual", since=date(2026, 3, 1), by=SYSTEM, now=MORNING)
    publish_version(version=other, by=SYSTEM, now=MORNING)
    make_ready_version("experience")

    assert installed().state == "published"


def test_its_answers_are_evaluated_in_no_second_system() -> None:
    make_ready_version("experience")
    installed()

    again = install_ready_system(
        code="families", system_code="again", since=date(2026, 3, 1), by=SYSTEM, now=MORNING
    )

    reasons = {problem.field: problem.reason for problem in problems_of_draft(again)}
    assert "experience-quality" in reasons["channels-alike"]
    assert "shifts-alike" not in reasons
