"""The diagnosis on its page, on the unit's page and over REST: what each person is shown."""

from collections.abc import Iterator
from io import BytesIO

import pytest
import time_machine
from django.test import Client
from pypdf import PdfReader

from sqcore.evaluation.models import EvaluationRun, KpiValue
from sqcore.identity.models import User
from sqcore.identity.permissions import Permission
from sqcore.reports.evidence import Question
from sqcore.reports.sections import REPORT_SECTIONS
from sqcore.tests.factories import NOW
from sqcore.tests.pages import faults_of
from sqcore.tests.reports.making import Bank
from sqcore.tests.rest import get, make_key, make_run

pytestmark = pytest.mark.django_db
PAGE = "/quality/units/oak/diagnosis/"
CLASSES = {"awareness", "process", "skills", "standards", "feedback", "support"}


@pytest.fixture(autouse=True)
def _at_noon() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    bank = Bank()
    bank.put(bank.oak, "wait", 13.0, 0.6)
    return bank


def client_of(name: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=name))
    return client


def html_of(name: str, path: str = PAGE) -> str:
    response = client_of(name).get(path)
    assert response.status_code == 200
    return response.content.decode()


class TestPage:
    def test_says_what_speaks_for_it_with_its_numbers(self, bank: Bank) -> None:
        html = html_of("mei")

        assert faults_of(html) == []
        assert "Diagnosis of Oak" in html
        assert "The numbers speak for it" in html
        assert "Wait: 13.00 here, 9.00 on average at 5 other units." in html
        assert "95 % interval +16.7 to +23.3" in html
        assert "160 encounters" in html

    def test_the_first_class_is_the_weightiest(self, bank: Bank) -> None:
        html = html_of("mei")

        assert html.index('id="class-process"') < html.index('id="class-awareness"')

    def test_offers_to_propose_a_ticket_with_the_suspected_cause(self, bank: Bank) -> None:
        html = html_of("mei")

        assert "Propose a ticket" in html
        assert "/tickets/new/?unit=oak&amp;description=Suspected+cause%3A+Process." in html

    def test_an_outsider_sees_404(self, bank: Bank) -> None:
        assert client_of("chen").get(PAGE).status_code == 404
        assert client_of("chen").get(f"{PAGE}short/").status_code == 404

    def test_nobody_is_asked_to_log_in(self, bank: Bank) -> None:
        assert Client().get(PAGE).status_code == 302

    def test_before_the_first_evaluation_it_says_so(self, bank: Bank) -> None:
        KpiValue.objects.all().delete()
        EvaluationRun.objects.all().delete()

        assert "Nothing was evaluated here yet" in html_of("mei")
        assert "Nothing was evaluated here yet" in html_of("mei", f"{PAGE}short/")

    def test_says_how_often_chance_alone_would_speak(self, bank: Bank) -> None:
        html = html_of("mei")

        assert "about 0.8 of 100 lines would speak for a problem all the same" in html
        assert "about 4 of 100 units" in html


class TestUnitPage:
    def test_its_card_leads_to_the_diagnosis(self, bank: Bank) -> None:
        html = html_of("mei", "/quality/units/oak/")

        assert f'href="{PAGE}"' in html
        assert f'hx-get="{PAGE}short/"' in html

    def test_the_short_form_has_the_six_verdicts(self, bank: Bank) -> None:
        html = html_of("mei", f"{PAGE}short/")

        assert html.count("<li>") == 6
        assert "<html" not in html


class TestRest:
    def test_gives_each_class_with_n_interval_and_method(self, bank: Bank) -> None:
        key = make_key(Permission.VIEW_RESULTS)

        answer = get("units/oak/diagnosis", key).json()  # type: ignore[attr-defined]  # the test client's own

        assert (answer["unit"], answer["period"], answer["method"]) == ("oak", "2025-Q4", 1)
        assert {each["code"] for each in answer["classes"]} == CLASSES
        process = answer["classes"][0]
        assert (process["code"], process["verdict"], process["strength"]) == (
            "process", "for", "strong",
        )  # fmt: skip
        first = process["evidence"][0]
        assert (first["key"], first["says"], first["n"]) == ("results.times", "for", 160)
        assert first["low"] < first["value"] < first["high"]
        assert first["method"] == 1

    def test_a_token_of_another_unit_finds_none(self, bank: Bank) -> None:
        key = make_key(Permission.VIEW_RESULTS, units=[bank.elsewhere])

        assert get("units/oak/diagnosis", key).status_code == 404

    def test_refuses_what_is_no_parameter(self, bank: Bank) -> None:
        key = make_key(Permission.VIEW_RESULTS)

        assert get("units/oak/diagnosis?staff=1", key).status_code == 400
        assert get("units/oak/diagnosis?period=2025-11", key).status_code == 404


class TestReview:
    def test_has_standing_changes_and_diagnosis_with_their_numbers(self, bank: Bank) -> None:
        html = html_of("mei", "/quality/units/oak/review/")

        assert faults_of(html) == []
        assert "Review of Oak" in html
        assert "No series of this unit is watched yet." in html
        assert "Wait: 13.00 here, 9.00 on average at 5 other units." in html
        assert "95 % interval" in html

    def test_takes_the_sections_that_others_add(
        self, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Section:
            key, order, template_name = "made", 1, "_message.html"

            def context(self, question: Question) -> dict[str, object]:
                return {"text": f"{question.unit.code} in {question.period.key}"}

        monkeypatch.setattr(REPORT_SECTIONS, "_offers", {"made": Section()})

        assert "oak in 2025-Q4" in html_of("mei", "/quality/units/oak/review/")

    def test_an_outsider_sees_404(self, bank: Bank) -> None:
        assert client_of("chen").get("/quality/units/oak/review/").status_code == 404


class TestReviewOnPaper:
    PAPER = "/quality/units/oak/review.pdf"

    @staticmethod
    def said(content: bytes) -> str:
        pages = PdfReader(BytesIO(content)).pages
        return " ".join(" ".join(page.extract_text() for page in pages).split())

    def test_says_what_the_page_says_and_nothing_to_press(self, bank: Bank) -> None:
        former = make_run(bank.system, "2025-Q3")
        EvaluationRun.objects.filter(pk=former.pk).update(
            definition=bank.run.definition, tree=bank.run.tree, policy=bank.run.policy
        )
        response = client_of("mei").get(self.PAPER)

        assert response["Content-Type"] == "application/pdf"
        assert response["Content-Disposition"] == 'attachment; filename="review-oak-2025-Q4.pdf"'
        said = self.said(response.content)
        assert "Review of Oak" in said
        assert "Wait: 13.00 here, 9.00 on average at 5 other units." in said
        assert "As PDF" not in said

    def test_a_client_gets_it_over_rest(self, bank: Bank) -> None:
        key = make_key(Permission.VIEW_RESULTS, units=[bank.oak])

        response = get("units/oak/review.pdf", key)

        assert response["Content-Type"] == "application/pdf"
        assert "Review of Oak" in self.said(response.content)

    def test_an_outsider_gets_404_and_no_paper(self, bank: Bank) -> None:
        response = client_of("chen").get(self.PAPER)

        assert response.status_code == 404
        assert response["Content-Type"] != "application/pdf"
