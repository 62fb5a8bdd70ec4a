"""The page of a group for ways that ask for scores, figures, or two other ways."""

import re
from collections.abc import Iterator

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.permissions import Role
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import SystemVersion
from sqcore.tests.factories import NOW, make_unit
from sqcore.tests.pages import faults_of
from sqcore.tests.weighting.factories import (
    SCORES,
    evaluate,
    make_draft,
    make_expert,
    make_units,
    publish,
    scored,
    weights_of,
)
from sqcore.tests.weighting.test_measured import FIVE
from sqcore.tests.weighting.test_pages import address, client_of, words
from sqcore.tests.weighting.test_services import CONSISTENT
from sqcore.weighting.models import ExpertInvitation, ExpertRound, Judgement, WeightSet
from sqcore.weighting.services import invite_expert, judge

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def draft() -> SystemVersion:
    """A draft after a published version with figures of five branches in January."""
    bank = make_unit("bank")
    published = publish(make_draft())
    branches = make_units(5, bank)
    evaluate(published, "2026-01", dict(zip(branches, FIVE, strict=True)), top=bank)
    return make_draft(system=published.system, number=2)


@pytest.fixture
def ana(draft: SystemVersion) -> Client:
    return client_of("ana", Role.ANALYST)


def scores_of_all(draft: SystemVersion) -> None:
    for name, scores in SCORES.items():
        by = make_expert(name)
        answers = scored(scores)
        judge(version=draft, group=TOP, method="rounds", answers=answers, by=by, now=NOW)


class TestRounds:
    def test_every_part_is_scored_with_a_reason(self, draft: SystemVersion, ana: Client) -> None:
        page = ana.get(address(draft, "score"))
        html = page.content.decode()
        assert faults_of(html) == []
        assert html.count("<fieldset") == 3
        assert 'aria-label="Empathy: 7 of 10"' in html

        sent = {"score-reliability": "9", "reason-reliability": "Promises", "score-empathy": "2"}
        response = ana.post(address(draft, "score"), sent, follow=True)

        assert Judgement.objects.get().answers == {
            "reliability": {"score": 9, "reason": "Promises"},
            "empathy": {"score": 2, "reason": ""},
        }
        assert faults_of(response.content.decode()) == []
        assert "No expert has scored all parts yet." in words(response)
        assert "2 of 3" in words(response)

    def test_agreement_and_spread_are_shown_but_nobody_s_scores(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        scores_of_all(draft)

        response = ana.get(f"{address(draft)}?method=rounds")

        text = words(response)
        assert faults_of(response.content.decode()) == []
        assert "From the scores of 3 experts." in text
        assert "strong agreement W 1.00" in text
        assert "by chance at least this much with probability 0.028." in text
        assert "Reliability 9.0 6.5 to 10.0 9 8.5 to 9.5 11 % 3" in text
        assert "With fewer than four experts everybody can guess who said what." in text
        assert "Reliability 33.3 % 49.1 % +15.8" in text

    def test_a_round_is_closed_and_the_next_begins(self, draft: SystemVersion, ana: Client) -> None:
        scores_of_all(draft)
        assert "Close round 1 and show all what was said" in words(
            ana.get(f"{address(draft)}?method=rounds")
        )

        response = ana.post(address(draft, "close-round"), follow=True)

        text = words(response)
        assert ExpertRound.objects.get().number == 1
        assert "Round 1 is closed." in text
        assert "They agree: another round is not needed." in text
        assert "Close round 2" not in text
        score = words(ana.get(address(draft, "score")))
        assert "Last round: half of the experts gave 8.5 to 9.5, the middle is 9." in score

    def test_how_much_an_expert_counts_can_be_changed(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        scores_of_all(draft)
        first = Judgement.objects.earliest("pk")
        fields = {f"exponent-{each.pk}": "1" for each in Judgement.objects.all()}
        fields |= {f"exponent-{first.pk}": "2"}

        sent = {"method": "rounds", "counts_asked": "1", **fields}
        ana.post(address(draft, "choose"), sent)

        first.refresh_from_db()
        assert first.exponent == 2

    def test_takes_a_fixed_number_of_queries(
        self,
        draft: SystemVersion,
        ana: Client,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        scores_of_all(draft)
        ana.post(address(draft, "close-round"))
        for number in range(5):
            invite_expert(
                version=draft,
                group=TOP,
                method="rounds",
                name=f"Expert {number}",
                days=5,
                by=make_expert(f"maker-{number}"),
                now=NOW,
            )

        with django_assert_max_num_queries(17):
            ana.get(f"{address(draft)}?method=rounds")


class TestInvitations:
    def test_the_link_is_shown_once(self, draft: SystemVersion, ana: Client) -> None:
        sent = {"method": "rounds", "name": "Dr Wang", "days": "7"}

        response = ana.post(address(draft, "invite"), sent)

        html = response.content.decode()
        assert faults_of(html) == []
        assert response["Cache-Control"] == "private, no-store"
        (path,) = re.findall(r'value="http[^"]*(/e/[\w-]{43}/)"', html)
        assert Client().get(path).status_code == 200
        again = ana.get(f"{address(draft)}?method=rounds")
        assert "Dr Wang not yet 9 Mar 2026" in words(again)
        assert "/e/" not in again.content.decode()

    def test_a_second_one_of_the_same_name_is_refused_beside_the_field(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        sent = {"method": "ahp", "name": "Dr Wang", "days": "7"}
        ana.post(address(draft, "invite"), sent)

        response = ana.post(address(draft, "invite"), sent)

        assert response.status_code == 400
        assert faults_of(response.content.decode()) == []
        assert "has a link already" in words(response)
        assert ExpertInvitation.objects.count() == 1

    def test_a_link_is_renewed_and_withdrawn(self, draft: SystemVersion, ana: Client) -> None:
        ana.post(address(draft, "invite"), {"method": "ahp", "name": "Dr Wang", "days": "7"})
        invitation = ExpertInvitation.objects.get()
        page = address(draft, f"links/{invitation.pk}")

        renewed = ana.post(page)
        assert "Link for Dr Wang" in words(renewed)
        assert ExpertInvitation.objects.get().digest != invitation.digest
        gone = ana.post(page, {"revoke": "1"}, follow=True)

        assert "The link of Dr Wang is withdrawn." in words(gone)
        assert ExpertInvitation.objects.get().revoked_at == NOW

    def test_is_for_who_may_change_a_draft(self, draft: SystemVersion, ana: Client) -> None:
        hua = client_of("hua", Role.HR)
        pages = ("invite", "score", "close-round", "links/1")

        assert [hua.post(address(draft, page)).status_code for page in pages] == [403] * 4
        publish(draft)
        assert [ana.post(address(draft, page)).status_code for page in pages] == [409] * 4
        assert not ExpertInvitation.objects.exists()


class TestFigures:
    def test_say_what_they_are_not_and_whose_they_are(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        response = ana.get(f"{address(draft)}?method=critic")

        text = words(response)
        assert faults_of(response.content.decode()) == []
        assert "not what matters to customers" in text
        assert "5 units at the end of the tree have a published score in every part." in text
        assert "the newest closed period (January 2026 now)" in text

    def test_can_be_chosen_and_applied(self, draft: SystemVersion, ana: Client) -> None:
        sent = {"method": "critic", "period": "2026-01"}
        chosen = ana.post(address(draft, "choose"), sent, follow=True)
        assert "Apply to the draft" in words(chosen)

        asked = ana.get(address(draft, "apply")).content.decode()
        (seen,) = re.findall(r'name="seen" value="(\w+)"', asked)
        done = ana.post(address(draft, "apply"), {"seen": seen}, follow=True)

        assert weights_of(draft)["responsiveness"] == "0.000000"
        assert "Figures January 2026 by version 1, from 5 units." in words(done)
        assert faults_of(done.content.decode()) == []

    def test_a_period_that_is_not_there_is_refused(self, draft: SystemVersion, ana: Client) -> None:
        sent = {"method": "critic", "period": "1999-01"}

        response = ana.post(address(draft, "choose"), sent)

        assert response.status_code == 400
        assert not WeightSet.objects.exists()


class TestCombined:
    def test_two_ways_are_chosen_and_made_one(self, draft: SystemVersion, ana: Client) -> None:
        by = make_expert("mei")
        judge(version=draft, group=TOP, answers=CONSISTENT, by=by, now=NOW)
        sent = {
            "method": "combined", "first": "ahp", "second": "equal", "how": "geometric", "theta": ""
        }  # fmt: skip

        response = ana.post(address(draft, "choose"), sent, follow=True)

        assert faults_of(response.content.decode()) == []
        # Roots of 6, 2 and 1: 2.449, 1.414, 1, sum 4.864
        assert "Reliability 33.3 % 50.4 % +17.1" in words(response)
        assert WeightSet.objects.get().settings["combined"] == {
            "first": "ahp", "second": "equal", "how": "geometric", "theta": 0.5
        }  # fmt: skip

    def test_one_way_twice_is_refused_beside_the_field(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        sent = {"method": "combined", "first": "ahp", "second": "ahp", "how": "additive"}

        response = ana.post(address(draft, "choose"), sent)

        assert response.status_code == 400
        assert "must be another way than the first" in words(response)
        assert not WeightSet.objects.exists()
