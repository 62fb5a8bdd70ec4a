"""The pages of required training, by whom, and as files."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from sqcore.audit.models import AuditEntry
from sqcore.files.importers import open_table
from sqcore.org.models import Staff
from sqcore.tests.factories import NOW, make_staff
from sqcore.tests.pages import faults_of
from training.requirements.models import Obligation, Requirement, SavedFilter, Waiver
from training.requirements.services import recompute_all
from training.tests.factories import Bank, assign, make_bank
from training.tests.requirements.making import course, hold, rule

pytestmark = pytest.mark.django_db

MATRIX = "/training/required/"


@pytest.fixture(autouse=True)
def _at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def bank() -> Bank:
    """Li's fire safety holds until June, Mei's and Chen's is overdue since the end of January; Li
    alone owes the cash course."""
    made = make_bank()
    fire, cash = course(), course("cash")
    rule(fire)
    rule(cash, post=made.teller, valid_from=date(2026, 2, 20))
    hold(made.li, fire, date(2025, 5, 1), date(2026, 5, 1))
    recompute_all(now=NOW)
    return made


def client_of(person: Staff) -> Client:
    client = Client()
    assert person.user is not None
    client.force_login(person.user)
    return client


def text(client: Client, url: str = MATRIX) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content.decode()[:500]
    html = answer.content.decode()
    assert faults_of(html) == []
    return html


class TestMatrix:
    def test_hr_sees_everybody_in_words(self, bank: Bank) -> None:
        html = text(client_of(bank.hua))

        assert "Until 1 May 2026" in html
        assert "Due 22 Mar 2026" in html
        assert html.count("Overdue since 31 Jan 2026") == 2

    def test_a_manager_sees_the_own_unit(self, bank: Bank) -> None:
        html = text(client_of(bank.mei))

        assert "Staff li" in html
        assert "Staff mei" in html
        assert "Staff chen" not in html

    def test_who_does_not_see_training_is_refused(self, bank: Bank) -> None:
        assert client_of(bank.li).get(MATRIX).status_code == 403

    @pytest.mark.parametrize(
        ("query", "who"),
        [
            ("unit=south", {"chen"}),
            ("unit=bank", {"chen", "li", "mei"}),
            ("post=teller", {"li"}),
            ("course=cash", {"li"}),
            ("state=overdue", {"chen", "mei"}),
            ("state=expiring", {"li"}),
            ("state=open&unit=north", {"li", "mei"}),
            ("text=staff+ch", {"chen"}),
            ("text=me", {"mei"}),
            ("state=waived", set()),
            ("unit=moon&state=nonsense", {"chen", "li", "mei"}),
        ],
    )
    def test_filters(self, bank: Bank, query: str, who: set[str]) -> None:
        html = text(client_of(bank.hua), f"{MATRIX}?{query}")

        assert {name for name in ("chen", "li", "mei", "hua") if f"Staff {name} " in html} == who

    def test_it_is_paged_by_key_and_asks_little(
        self, bank: Bank, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(60):
            assign(make_staff(f"n{number:02}"), bank.north, bank.teller)
        recompute_all(now=NOW)
        client = client_of(bank.hua)
        client.get(MATRIX)

        with django_assert_max_num_queries(15):
            answer = client.get(f"{MATRIX}?unit=bank")

        first = answer.context["matrix"]
        second = client.get(first.next_url).context["matrix"]
        assert (len(first.people), len(second.people), second.next_url) == (50, 13, "")
        numbers = [row.staff.number for row in [*first.people, *second.people]]
        assert numbers == sorted(numbers)
        assert len(set(numbers)) == 63

    def test_a_view_is_kept_shown_and_forgotten(self, bank: Bank) -> None:
        client = client_of(bank.hua)

        kept = client.post(
            f"{MATRIX}filters/", {"name": "Late", "query": "state=overdue&x=1"}, follow=True
        )

        assert kept.redirect_chain[-1][0] == f"{MATRIX}?state=overdue"
        assert ">Late</a>" in text(client)
        client.post(f"{MATRIX}filters/{SavedFilter.objects.get().pk}/")
        assert not SavedFilter.objects.exists()

    def test_before_anything_is_required_it_says_what_to_do(self) -> None:
        made = make_bank()

        assert "Nothing is required yet" in text(client_of(made.hua))


class TestExport:
    @pytest.mark.parametrize("form", ["csv", "xlsx"])
    def test_what_is_filtered_leaves_as_a_file_and_is_noted(
        self, bank: Bank, tmp_path: Path, form: str
    ) -> None:
        Staff.objects.filter(number="mei").update(name="=cmd()")
        answer = client_of(bank.hua).post(
            f"{MATRIX}export/", {"query": "state=overdue", "format": form}
        )
        path = tmp_path / "out"
        path.write_bytes(b"".join(answer.streaming_content))  # type: ignore[attr-defined]  # it streams

        rows = [list(row.cells) for row in open_table(path).rows()]

        assert rows == [
            ["chen", "Staff chen", "south", "manager", "fire-safety", "overdue", "2026-01-01",
             "2026-01-31", ""],
            ["mei", "'=cmd()", "north", "manager", "fire-safety", "overdue", "2026-01-01",
             "2026-01-31", ""],
        ]  # fmt: skip
        assert AuditEntry.objects.get(action="requirement.exported").details == {
            "query": "state=overdue"
        }

    def test_a_manager_takes_the_own_unit_alone(self, bank: Bank) -> None:
        answer = client_of(bank.mei).post(f"{MATRIX}export/", {"query": "", "format": "csv"})

        content = b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # it streams
        assert b"chen" not in content
        assert b"mei" in content


class TestLists:
    def test_what_is_overdue(self, bank: Bank) -> None:
        html = text(client_of(bank.hua), f"{MATRIX}overdue/")

        assert "Staff mei" in html
        assert "Staff li" not in html

    def test_what_ends_within_the_days_chosen(self, bank: Bank) -> None:
        client = client_of(bank.hua)

        assert "Staff li" in text(client, f"{MATRIX}expiring/")
        assert "Staff li" in text(client, f"{MATRIX}expiring/?within=60")
        assert "Nothing ends soon" in text(client, f"{MATRIX}expiring/?within=30")

    def test_lists_are_paged_by_day(self, bank: Bank) -> None:
        for number in range(60):
            assign(make_staff(f"n{number:02}"), bank.north, bank.mei.assignments.get().post)
        recompute_all(now=NOW)
        client = client_of(bank.hua)

        first = client.get(f"{MATRIX}overdue/").context["found"]
        second = client.get(first.next_url).context["found"]

        assert (len(first.lines), len(second.lines), second.next_url) == (50, 12, "")


class TestRules:
    FORM = {"course": "cash", "post": "", "unit": "north", "within_days": "10"}

    def test_looking_keeps_nothing_and_requiring_does(self, bank: Bank) -> None:
        client = client_of(bank.hua)
        form = self.FORM | {"valid_from": "2026-01-01"}

        looked = client.post(f"{MATRIX}rules/new/", form | {"look": "1"})
        found = looked.context["outlook"]
        assert (found.people, found.owe_already, found.late) == (2, 1, 2)
        assert faults_of(looked.content.decode()) == []
        assert Requirement.objects.count() == 2

        assert client.post(f"{MATRIX}rules/new/", form).status_code == 302
        assert Requirement.objects.count() == 3

    def test_what_is_wrong_comes_back_with_the_form(self, bank: Bank) -> None:
        client = client_of(bank.hua)

        answer = client.post(f"{MATRIX}rules/new/", self.FORM | {"valid_from": "0026-01-01"})

        assert answer.status_code == 400
        assert Requirement.objects.count() == 2

    def test_everybody_reads_the_rules_and_hr_ends_them(self, bank: Bank) -> None:
        fire = Requirement.objects.get(course__code="fire-safety")
        assert "Fire safety" in text(client_of(bank.li), f"{MATRIX}rules/")
        assert client_of(bank.mei).get(f"{MATRIX}rules/{fire.pk}/end/").status_code == 403
        client = client_of(bank.hua)
        assert "Require Fire safety no longer" in text(client, f"{MATRIX}rules/{fire.pk}/end/")

        client.post(f"{MATRIX}rules/{fire.pk}/end/", {"on": "2026-03-02"})

        fire.refresh_from_db()
        assert fire.valid_to == date(2026, 3, 2)


class TestWaivers:
    def test_hr_waives_from_the_list_and_ends_it(self, bank: Bank) -> None:
        client = client_of(bank.hua)
        html = text(client, f"{MATRIX}waivers/new/?number=mei&course=fire-safety")
        assert 'value="mei"' in html

        form = {"number": "mei", "course": "fire-safety", "reason": "On parental leave"}
        client.post(f"{MATRIX}waivers/new/", form)

        assert "On parental leave" in text(client, f"{MATRIX}waivers/")
        assert Obligation.objects.get(staff=bank.mei).state == "waived"
        client.post(f"{MATRIX}waivers/{Waiver.objects.get().pk}/end/")
        assert Obligation.objects.get(staff=bank.mei).state == "open"

    def test_what_cannot_be_waived_is_said_on_the_form(self, bank: Bank) -> None:
        form = {"number": "nobody", "course": "fire-safety", "reason": "Why"}

        answer = client_of(bank.hua).post(f"{MATRIX}waivers/new/", form)

        assert answer.status_code == 400
        assert "is not yours" in answer.content.decode()
        assert not Waiver.objects.exists()

    def test_managers_read_and_do_not_give(self, bank: Bank) -> None:
        client = client_of(bank.mei)

        assert "Nothing is waived" in text(client, f"{MATRIX}waivers/")
        assert client.get(f"{MATRIX}waivers/new/").status_code == 403
