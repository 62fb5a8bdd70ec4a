"""What an indicator system learns of the questionnaires that it is measured by."""

from collections.abc import Iterator
from datetime import date

import pytest

from sqcore.base.periods import Grain
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import EVERYWHERE, Principal, Scope
from sqcore.indicators.models import SystemVersion
from sqcore.indicators.services import define_system, draft_version
from sqcore.indicators.trees import Leaf
from sqcore.org.models import Unit
from sqcore.publication.port import VALIDATIONS, Finding, Verdict
from sqcore.tests.comparators.making import make_indicator
from sqcore.tests.evaluation.bank import SYSTEM, branch
from sqcore.tests.factories import NOW, make_principal, make_unit
from surveys.campaigns.models import Campaign
from surveys.responses.models import Response
from surveys.responses.services import NewResponse, add_responses
from surveys.tests.analyses.making import only, run
from surveys.tests.validation.test_pages import REPORT, campaign, fill  # noqa: F401 - a fixture
from surveys.validation.kinds import Validation

pytestmark = pytest.mark.django_db

DAY = date(2025, 11, 5)


@pytest.fixture(autouse=True)
def _validation() -> Iterator[None]:
    with only(Validation()):
        yield


@pytest.fixture
def version(campaign: Campaign) -> SystemVersion:  # noqa: F811 - the fixture
    """A draft of a formula that needs answers to the questionnaire."""
    make_indicator("answered", parameters={"instrument": "visit", "measure": "perception:speed"})
    late = make_indicator("late", source="", formula="1 - [answered]", parameters={})
    return draft_version(
        system=define_system(code="bank", name={"en": "Bank"}, by=SYSTEM, now=NOW),
        grains=[Grain.MONTH],
        since=date(2025, 1, 1),
        tree=[branch("care", 1, Leaf(late, 1, 1, 0))],
        by=SYSTEM,
        now=NOW,
    )


def findings(version: SystemVersion, by: Principal) -> list[Finding]:
    asked = VALIDATIONS["surveys.soundness"]
    return list(asked.findings(version=version, principal=by, now=NOW))


@pytest.fixture
def mei() -> Principal:
    return make_principal({Permission.VIEW_RESULTS: EVERYWHERE})


def test_a_sound_questionnaire_is_told_with_its_report(
    version: SystemVersion,
    campaign: Campaign,  # noqa: F811 - the fixture
    mei: Principal,
) -> None:
    fill(campaign, make_unit("bank"))
    run(campaign)

    (found,) = findings(version, mei)

    assert (found.verdict, found.url) == (Verdict.GOOD, REPORT)
    assert "6 of 6 questions about it have a good answer" in found.text


def test_what_is_not_sound_is_told_question_by_question(
    version: SystemVersion,
    campaign: Campaign,  # noqa: F811 - the fixture
    mei: Principal,
) -> None:
    codes = [item.code for item in campaign.version.items.order_by("position")]
    alike = [dict.fromkeys(codes, 1 + at % 7) for at in range(100)]
    bank = make_unit("bank")
    responses = [NewResponse(answers=each, unit_id=bank.pk, answered_on=DAY) for each in alike]
    add_responses(campaign=campaign, responses=responses, origin=Response.Origin.API, now=NOW)
    run(campaign)

    found = findings(version, mei)

    assert found
    assert {each.verdict for each in found} <= {Verdict.WATCH, Verdict.BAD}
    assert all("?" in each.text and each.url == REPORT for each in found)


def test_without_a_report_nothing_is_known(version: SystemVersion, mei: Principal) -> None:
    (found,) = findings(version, mei)

    assert found.verdict == Verdict.UNKNOWN
    assert "has no report on its soundness" in found.text


def test_who_sees_one_branch_is_told_nothing(
    version: SystemVersion,
    campaign: Campaign,  # noqa: F811 - the fixture
) -> None:
    bank: Unit = make_unit("bank")
    north = make_unit("north", parent=bank)
    fill(campaign, north)
    run(campaign)
    chen = make_principal({Permission.VIEW_RESULTS: Scope(units=frozenset({north.pk}))})

    assert findings(version, chen) == []


def test_a_version_without_questionnaires_is_not_asked(
    campaign: Campaign,  # noqa: F811 - the fixture
    mei: Principal,
) -> None:
    version = draft_version(
        system=define_system(code="desk", name={"en": "Desk"}, by=SYSTEM, now=NOW),
        grains=[Grain.MONTH],
        since=date(2025, 1, 1),
        by=SYSTEM,
        now=NOW,
    )

    assert findings(version, mei) == []
