"""Whether groups of people are treated alike: verdicts and needs, with no alarm as an answer."""

from collections.abc import Sequence

import numpy as np
import pytest
import time_machine
from django.test import Client
from scipy.stats import fisher_exact

from sqcore.base.errors import NotPermitted
from sqcore.identity.permissions import Permission, Role
from sqcore.identity.principals import EVERYWHERE, Principal, Scope
from sqcore.org.models import Post, Terms, Unit
from sqcore.performance.models import ResultsRun
from sqcore.tests.factories import give_role, make_post, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.performance.rows import AT, FEW, LOW, make_result, make_run, make_teller
from training.records.fairness import audit_of

pytestmark = pytest.mark.django_db

HUA = Principal("user:1", "Hua", {Permission.VIEW_PEOPLE_RESULTS: EVERYWHERE})
PAGE = "/training/groups/"


class Bank:
    """Forty tellers, half of them women: `low` of each sex have a low verdict."""

    def __init__(self) -> None:
        self.unit: Unit = make_unit("north")
        self.post: Post = make_post()
        self.run: ResultsRun = make_run()

    def people(self, sex: str, low: int, alike: int = 20) -> None:
        for at in range(low + alike):
            staff = make_teller(f"{sex}-{at:02d}", self.unit, self.post)
            Terms.objects.create(staff=staff, sex=sex)
            make_result(self.run, staff, self.unit, self.post, **(LOW if at < low else {}))


@pytest.fixture
def bank() -> Bank:
    return Bank()


def by_sex(bank: Bank) -> Sequence[tuple[str, int | None, float | None, bool]]:
    rows = audit_of(principal=HUA, now=AT).rows
    return [
        (row.group, row.people, row.share, row.is_alarm)
        for row in rows
        if row.factor == "Sex" and row.what.startswith("Low")
    ]


def test_a_group_with_far_more_low_verdicts_is_an_alarm_as_computed_by_hand(bank: Bank) -> None:
    bank.people("f", low=10, alike=10)
    bank.people("m", low=0)

    audit = audit_of(principal=HUA, now=AT)

    assert by_sex(bank) == [("Female", 20, 0.5, True), ("Male", 20, 0.0, False)]
    [alarm] = audit.alarms
    assert alarm.ratio == 0.0
    # Half of them lie at -1.15 and half at -.04, the others at -.04; tau is the root of .09.
    assert alarm.effect == pytest.approx((1.15 - 0.04) / 2 / 0.3)
    # Two comparisons: low verdicts by sex, and needs by sex, of which there are none.
    p = fisher_exact(np.array([[10, 10], [20, 0]])).pvalue
    assert alarm.q == pytest.approx(2 * p)


def test_no_alarm_is_an_answer(bank: Bank) -> None:
    bank.people("f", low=1, alike=19)
    bank.people("m", low=1, alike=19)

    audit = audit_of(principal=HUA, now=AT)

    assert audit.alarms == []
    assert (audit.compared, audit.people) == (2, 40)
    assert by_sex(bank) == [("Female", 20, 0.05, False), ("Male", 20, 0.05, False)]


def test_a_difference_that_chance_makes_is_no_alarm(bank: Bank) -> None:
    bank.people("f", low=2, alike=18)
    bank.people("m", low=0)

    assert audit_of(principal=HUA, now=AT).alarms == []


def test_groups_below_the_smallest_are_not_told(bank: Bank) -> None:
    bank.people("f", low=4, alike=0)
    bank.people("m", low=0)

    assert by_sex(bank) == []


def test_who_got_no_verdict_is_in_no_group(bank: Bank) -> None:
    bank.people("f", low=1, alike=9)
    bank.people("m", low=1, alike=9)
    staff = make_teller("few", bank.unit, bank.post)
    Terms.objects.create(staff=staff, sex="f")
    make_result(bank.run, staff, bank.unit, bank.post, **FEW)

    assert by_sex(bank) == [("Female", 10, 0.1, False), ("Male", 10, 0.1, False)]


def test_it_is_for_who_sees_everybody(bank: Bank) -> None:
    bank.people("f", low=1)
    mei = Principal(
        "user:2", "Mei", {Permission.VIEW_PEOPLE_RESULTS: Scope(units=frozenset({bank.unit.pk}))}
    )

    with pytest.raises(NotPermitted):
        audit_of(principal=mei, now=AT)


def test_without_results_it_says_so() -> None:
    audit = audit_of(principal=HUA, now=AT)

    assert (audit.window, audit.rows, audit.alarms) == (None, [], [])


@time_machine.travel(AT, tick=False)
def test_the_page_says_no_alarm_and_names_nobody(bank: Bank) -> None:
    bank.people("f", low=1, alike=19)
    bank.people("m", low=1, alike=19)
    hua = make_user("hua")
    give_role(hua, Role.HR)
    client = Client()
    client.force_login(hua)

    html = client.get(PAGE).content.decode()

    assert faults_of(html) == []
    assert "Of 2 comparisons none is an alarm." in html
    assert "f-00" not in html
    assert PAGE in client.get("/training/").content.decode()


@time_machine.travel(AT, tick=False)
def test_the_page_is_not_for_managers(bank: Bank) -> None:
    mei = make_user("mei")
    give_role(mei, Role.MANAGER, bank.unit)
    client = Client()
    client.force_login(mei)

    assert client.get(PAGE).status_code == 403
    assert PAGE not in client.get("/training/").content.decode()
