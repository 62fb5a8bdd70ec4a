"""The pages of weighting: without scripts, by keyboard, in words."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from html import unescape
from typing import Protocol

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.indicators.conditions import TOP
from sqcore.indicators.models import Dimension, SystemVersion
from sqcore.tests.factories import NOW, give_role, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.weighting.factories import (
    make_draft,
    principal_of_expert,
    publish,
    weights_of,
)
from sqcore.tests.weighting.test_services import CIRCLE, CONSISTENT
from sqcore.weighting.models import Judgement, WeightSet
from sqcore.weighting.pages import screens_of
from sqcore.weighting.queries import group_of, weighting_of
from sqcore.weighting.services import apply_weights, judge

pytestmark = pytest.mark.django_db


class Answer(Protocol):
    @property
    def content(self) -> bytes: ...


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def draft() -> SystemVersion:
    make_unit("bank")
    return make_draft()


def client_of(name: str, role: Role) -> Client:
    user = make_user(name)
    give_role(user, role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ana(draft: SystemVersion) -> Client:
    return client_of("ana", Role.ANALYST)


def address(draft: SystemVersion, page: str = "") -> str:
    return f"/setup/systems/versions/{draft.pk}/weights/{TOP}/{page}"


def words(response: Answer) -> str:
    """What can be read, in one line."""
    text = re.sub(r"<svg.*?</svg>", "", response.content.decode(), flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def says(draft: SystemVersion, name: str, answers: Mapping[str, float]) -> None:
    user = User.objects.get(username=name)
    judge(version=draft, group=TOP, answers=answers, by=principal_of_expert(user), now=NOW)


class TestJudging:
    def test_every_pair_is_asked_in_words(self, draft: SystemVersion, ana: Client) -> None:
        response = ana.get(address(draft, "judge"))

        assert faults_of(response.content.decode()) == []
        html = response.content.decode()
        assert html.count("<fieldset") == 3
        assert "Reliability or Responsiveness?" in words(response)
        assert 'aria-label="Empathy matters very strongly more"' in html
        assert 'aria-label="Both matter equally"' in html
        assert "0 of 3 pairs compared" in words(response)

    def test_a_part_of_the_answers_is_kept(self, draft: SystemVersion, ana: Client) -> None:
        response = ana.post(
            address(draft, "judge"),
            {"pair-reliability:responsiveness": "3", "pair-responsiveness:empathy": "-2"},
            follow=True,
        )

        assert Judgement.objects.get().answers == {
            "reliability:responsiveness": 3.0,
            "empathy:responsiveness": 2.0,
        }
        assert "2 of 3 pairs compared" in words(response)
        assert "Go on comparing" in words(response)
        again = ana.get(address(draft, "judge")).content.decode()
        chosen = re.findall(r'value="(-?\d*)"[^>]*checked', again)
        assert chosen == ["3", "", "-2"]

    def test_an_answer_can_be_taken_back(self, draft: SystemVersion, ana: Client) -> None:
        says(draft, "ana", CONSISTENT)

        ana.post(address(draft, "judge"), {"pair-reliability:responsiveness": "3"})

        assert Judgement.objects.get().answers == {"reliability:responsiveness": 3.0}

    @pytest.mark.parametrize("value", ["0", "10", "-10", "x", "--3", "3.5"])
    def test_what_is_not_on_the_scale_is_no_answer(
        self, draft: SystemVersion, ana: Client, value: str
    ) -> None:
        ana.post(address(draft, "judge"), {"pair-reliability:empathy": value})

        assert Judgement.objects.get().answers == {}

    def test_many_pairs_come_ten_at_a_time(self, ana: Client) -> None:
        five = make_draft(
            ("a", "b", "c", "d", "e", "f"), number=2, system=SystemVersion.objects.get().system
        )

        response = ana.post(address(five, "judge"), {"pair-a:b": "9"})

        assert response["Location"] == f"{address(five, 'judge')}?screen=2"
        second = ana.get(f"{address(five, 'judge')}?screen=2").content.decode()
        assert second.count("<fieldset") == 5
        assert "Keep and see the result" in second
        for screen in ("99", "0", "-1", "²", "9" * 5000):
            assert ana.get(f"{address(five, 'judge')}", {"screen": screen}).status_code == 200

    def test_a_published_version_is_refused(self, draft: SystemVersion, ana: Client) -> None:
        publish(draft)

        assert ana.get(address(draft, "judge")).status_code == 409
        assert ana.post(address(draft, "judge"), {}).status_code == 409
        assert not WeightSet.objects.exists()


class TestResult:
    def test_contradictions_are_named_with_what_would_fit(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        says(draft, "ana", CIRCLE)

        response = ana.get(address(draft))

        text = words(response)
        assert faults_of(response.content.decode()) == []
        assert (
            "You said Reliability over Responsiveness 3 and Responsiveness over Empathy 2, but"
            " Reliability as much as Empathy. What would fit: Reliability over Empathy 6."
        ) in text
        assert "contradicts itself ratio 0.317" in text
        assert "Taken together" not in text
        assert "Random index 0.58 (Saaty); up to 0.10 counts as consistent." in text
        assert "left out Contradicts too much." in text
        assert "No expert is left" in text
        assert f"{address(draft, 'judge')}?screen=1#pair-2" in response.content.decode()
        assert "Apply to the draft" not in text

    def test_weights_of_several_experts_show_what_they_span(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        make_user("mei")
        says(draft, "ana", CONSISTENT)
        says(
            draft,
            "mei",
            {
                "reliability:responsiveness": 1,
                "responsiveness:empathy": 1,
                "reliability:empathy": 1,
            },
        )

        text = words(ana.get(address(draft)))

        assert "From the comparisons of 2 experts." in text
        assert "Taken together: consistent ratio 0.000 Random index 0.58 (Saaty)" in text
        assert "experts: 33.3 to 66.7" in text
        assert "Apply to the draft" in text

    def test_a_page_takes_a_fixed_number_of_queries(
        self,
        draft: SystemVersion,
        ana: Client,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for name in ("mei", "chen", "li"):
            make_user(name)
            says(draft, name, CONSISTENT)

        with django_assert_max_num_queries(13):
            ana.get(address(draft))

    def test_how_experts_are_combined_can_be_changed(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        says(draft, "ana", CIRCLE)
        judgement = Judgement.objects.get()
        settings = {
            "method": "ahp",
            "aggregation": "priorities",
            "prioritisation": "geometric_mean",
            "indices": "alonso_lamata",
            "leave_out_above": "",
            "strict": "on",
        }

        response = ana.post(
            address(draft, "choose"), {**settings, f"exponent-{judgement.pk}": "2"}, follow=True
        )

        text = words(response)
        assert "Random index 0.48 (Alonso and Lamata); up to 0.05" in text
        assert "Apply to the draft" in text
        assert Judgement.objects.get().exponent == 2

    def test_settings_that_cannot_be_are_said_beside_the_form(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        says(draft, "ana", CONSISTENT)
        judgement = Judgement.objects.get()
        settings = {
            "method": "ahp",
            "aggregation": "judgements",
            "prioritisation": "eigenvector",
            "indices": "saaty",
        }

        response = ana.post(address(draft, "choose"), {**settings, f"exponent-{judgement.pk}": "0"})

        assert response.status_code == 400
        assert "Somebody must count for more than 0." in words(response)
        assert Judgement.objects.get().exponent == 1


class TestShares:
    def post(self, draft: SystemVersion, ana: Client, **over: str) -> HttpResponse:
        shares = {"reliability": "50", "responsiveness": "30", "empathy": "20"}
        sent = {f"share-{code}": over.pop(code, share) for code, share in shares.items()} | over
        return ana.post(address(draft, "choose"), {"method": "direct", **sent}, follow=True)  # type: ignore[return-value]  # the test client's own kind

    def test_shares_are_kept_and_can_be_applied(self, draft: SystemVersion, ana: Client) -> None:
        response = self.post(draft, ana)

        assert faults_of(response.content.decode()) == []
        assert "Apply to the draft" in words(response)
        assert WeightSet.objects.get().method == "direct"

    def test_a_part_may_be_called_as_the_form_calls_its_own_fields(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        Dimension.objects.filter(version=draft, code="empathy").update(code="method")
        shares = {"share-reliability": "50", "share-responsiveness": "30", "share-method": "20"}

        kept = ana.post(address(draft, "choose"), {"method": "direct", **shares})

        assert kept.status_code == 302
        stored = WeightSet.objects.get()
        assert (stored.method, stored.settings["direct"]["shares"]["method"]) == ("direct", "20")

    def test_the_sum_is_said(self, draft: SystemVersion, ana: Client) -> None:
        response = self.post(draft, ana, empathy="25")

        assert response.status_code == 400
        assert "The shares sum to 105, not to 100." in words(response)
        assert not WeightSet.objects.exists()

    @pytest.mark.parametrize(
        ("button", "shares"),
        [("equally", ["33.4", "33.3", "33.3"]), ("scale", ["47.6", "28.6", "23.8"])],
    )
    def test_a_button_fills_the_form_and_keeps_nothing(
        self, draft: SystemVersion, ana: Client, button: str, shares: list[str]
    ) -> None:
        response = self.post(draft, ana, empathy="25", **{button: "1"})

        html = response.content.decode()
        assert re.findall(r'<input type="number"[^>]*value="([\d.]+)"', html) == shares
        assert not WeightSet.objects.exists()

    def test_a_name_is_never_markup(self, draft: SystemVersion, ana: Client) -> None:
        Dimension.objects.filter(code="empathy").update(name={"en": "<script>x</script>"})

        for page in ("", "judge", "?method=direct"):
            assert b"<script>x" not in ana.get(address(draft, page)).content


class TestApplying:
    def test_is_asked_first_and_then_done(self, draft: SystemVersion, ana: Client) -> None:
        says(draft, "ana", CONSISTENT)

        asked = ana.get(address(draft, "apply"))

        assert faults_of(asked.content.decode()) == []
        assert "Reliability 33.3 % 66.7 % +33.4" in words(asked)
        assert weights_of(draft)["reliability"] == "0.333333"
        (seen,) = re.findall(r'name="seen" value="(\w+)"', asked.content.decode())
        done = ana.post(address(draft, "apply"), {"seen": seen}, follow=True)
        assert weights_of(draft)["reliability"] == "0.666667"
        assert "Compared in pairs (AHP)" in words(done)
        assert "consistent ratio 0.000" in words(done)

    def test_without_having_seen_the_weights_nothing_is_done(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        says(draft, "ana", CONSISTENT)

        assert ana.post(address(draft, "apply"), {}).status_code == 409

        assert weights_of(draft)["reliability"] == "0.333333"


class TestWatched:
    def test_is_said_and_can_be_taken_in(self, draft: SystemVersion, ana: Client) -> None:
        Dimension.objects.filter(code="empathy").update(weight=0)
        assert "Empathy watched only" in words(ana.get(address(draft)))

        ana.post(address(draft, "choose"), {"method": "equal", "watched_asked": "1"})

        found = weighting_of(draft, group_of(draft, TOP))
        assert found.weights is not None
        assert min(found.weights.values()) > Decimal("0.33")
        assert len(screens_of(found, {})[0].pairs) == 3


class TestWhoSees:
    def test_a_draft_is_for_those_who_may_change_it(self, draft: SystemVersion) -> None:
        mei = client_of("mei", Role.HR)

        for page in ("", "judge", "apply"):
            assert mei.get(address(draft, page)).status_code == 403
        for page in ("choose", "judge", "apply"):
            assert mei.post(address(draft, page), {"method": "equal"}).status_code == 403
        assert not WeightSet.objects.exists()

    def test_everybody_reads_how_published_weights_came_about(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        says(draft, "ana", CONSISTENT)
        user = User.objects.get(username="ana")
        apply_weights(version=draft, group=TOP, by=principal_of_expert(user), now=NOW)
        publish(draft)
        mei = client_of("mei", Role.HR)

        response = mei.get(address(draft), follow=True)

        assert response.redirect_chain == [
            (f"/setup/systems/versions/{draft.pk}/weights/#group-{TOP}", 302)
        ]
        assert faults_of(response.content.decode()) == []
        text = words(response)
        assert "Compared in pairs (AHP)" in text
        assert "Random index 0.58 (Saaty)" in text
        assert "Set in the system itself" in text
        assert "can still be weighed" not in text
        assert "/choose" not in response.content.decode()

    def test_what_is_not_there_is_not_found(self, draft: SystemVersion, ana: Client) -> None:
        assert ana.get("/setup/systems/versions/999/weights/").status_code == 404
        assert ana.get(f"/setup/systems/versions/{draft.pk}/weights/price/").status_code == 404
        assert Client().get(address(draft)).status_code == 302


class TestOnTheSystemsPage:
    def test_the_published_system_says_how_its_weights_came_about(
        self, draft: SystemVersion, ana: Client
    ) -> None:
        says(draft, "ana", CONSISTENT)
        user = User.objects.get(username="ana")
        apply_weights(version=draft, group=TOP, by=principal_of_expert(user), now=NOW)
        publish(draft)
        hua = client_of("hua", Role.HR)

        for page in ("/setup/systems/service/", "/setup/systems/service/versions/1/"):
            response = hua.get(page)
            assert faults_of(response.content.decode()) == []
            assert "Dimensions Compared in pairs (AHP) consistent ratio 0.000" in words(response)

    def test_says_nothing_where_nobody_weighed(self, draft: SystemVersion, ana: Client) -> None:
        response = ana.get("/setup/systems/service/versions/1/")

        assert "How the weights came about" not in words(response)
        assert f"{address(draft)}" in response.content.decode()
