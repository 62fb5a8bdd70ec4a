"""The pages of results of people: who sees what, how it is said, and that looks are told."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sqcore.audit.models import AuditEntry
from sqcore.identity.models import User
from sqcore.identity.permissions import Role
from sqcore.org.models import Organisation, Staff, Unit
from sqcore.org.queries import principal_for
from sqcore.performance import people_page
from sqcore.performance.models import Dispute, Look, ResultsPolicy, StaffResult
from sqcore.performance.person_page import person_page
from sqcore.tests.factories import NOW, TODAY, give_role, make_post, make_unit, make_user
from sqcore.tests.pages import faults_of
from sqcore.tests.performance.rows import (
    ABOVE,
    EMPATHY,
    FEW,
    LOW,
    OVERALL,
    answered,
    assign,
    make_dispute,
    make_encounter,
    make_frozen,
    make_policy,
    make_result,
    make_run,
    make_teller,
)

pytestmark = pytest.mark.django_db

ME = "/people/me/"
PEOPLE = "/people/"
ENCOUNTERS = "/people/me/encounters/"
DISPUTES = "/people/disputes/"
RULES = "/people/rules/"
LIS = "/people/N-1/"
ANSWERS = f"/people/me/answers/{OVERALL}/"
MOST_QUERIES = 15


@pytest.fixture(autouse=True)
def march() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


class Bank:
    """Two branches; Li is a teller at north, Mei manages north, Chen south, Hua is HR."""

    def __init__(self) -> None:
        Organisation.objects.create(pk=1, name={"en": "Bank"}, time_zone="UTC")
        self.root = make_unit("bank")
        self.north = make_unit("north", parent=self.root)
        self.south = make_unit("south", parent=self.root)
        self.post = make_post()
        self.li = person("li", Role.STAFF, self.north)
        self.mei = person("mei", Role.MANAGER, self.north)
        self.chen = person("chen", Role.MANAGER, self.south)
        self.hua = person("hua", Role.HR, self.root)
        self.ana = person("ana", Role.ANALYST)
        self.teller = make_teller("N-1", self.north, self.post, name="Li Na", user=self.li)
        make_policy()
        make_frozen()
        self.run = make_run()

    def result(self, staff: Staff | None = None, **over: object) -> StaffResult:
        return make_result(self.run, staff or self.teller, self.north, self.post, **over)

    def colleague(self, number: str, name: str, unit: Unit | None = None) -> Staff:
        return make_teller(number, unit or self.north, self.post, name=name)


@pytest.fixture
def bank() -> Bank:
    return Bank()


def person(username: str, role: Role, unit: Unit | None = None) -> User:
    user = make_user(username)
    give_role(user, role, unit)
    return user


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(user: User, path: str, *, status: int = 200) -> str:
    """The page, which keeps the rules of all pages."""
    response = client_of(user).get(path)
    assert response.status_code == status, response.content.decode()[:1500]
    html = response.content.decode()
    assert faults_of(html) == []
    return html


def read(user: User, path: str) -> str:
    """What a person reads there, on one line."""
    return words(page(user, path))


def words(html: str) -> str:
    shown = html[html.index("<main") : html.index("</main>")]
    shown = re.sub(r"<script.*?</script>", " ", shown, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", shown)).split())


def send(user: User, path: str, *, status: int = 302, **fields: str) -> str:
    client = client_of(user)
    response = client.post(path, fields)
    assert response.status_code == status, response.content.decode()[:2000]
    if status == 302:
        return words(client.get(response["Location"]).content.decode())
    return words(response.content.decode())


WORSE = {"raw": 4.41, "adjusted": 4.42, "estimate": 4.43, "low": 4.14, "high": 4.74}


def figures_in(text: str) -> set[str]:
    """The numbers of two decimals, which are results and what they were made of."""
    return set(re.findall(r"\d\.\d\d\b", text))


class TestMyResults:
    def test_say_the_verdict_first_and_then_every_step(self, bank: Bank) -> None:
        bank.result()

        text = read(bank.li, ME)

        assert "My results Li Na · N-1 · Teller, North · 1 Mar 2025 – 28 Feb 2026" in text
        assert text.index("No detectable difference") < text.index("Step by step")
        assert (
            "As far as 62 answers can tell, customers are served as they are by comparable "
            "colleagues. That is a good answer, and the usual one." in text
        )
        steps = [
            "5.20 62 answers Their mean. Only customers who were served alone are counted",
            "5.26 Adjusted for who came +0.06, as if everybody had served",
            "5.30 Comparable colleagues The mean of the comparison group: 9 colleagues "
            "(same unit and post).",
            "5.27 Drawn towards them A few answers are partly luck. So the own mean counts 82 % "
            "and that of the group 18 %",
            "5.02 – 5.52 How sure that is",
            "2.1 % Is it a difference that matters? So sure is it that the level is more than "
            "0.30 below the group. A verdict needs 97.5 %.",
        ]
        places = [text.index(step) for step in steps]
        assert places == sorted(places)

    def test_say_what_they_may_be_used_for_and_that_more_of_the_same_changes_nothing(
        self, bank: Bank
    ) -> None:
        bank.result()

        text = read(bank.li, ME)

        assert (
            "What it may be used for: To offer coaching or training, and as the personal part of "
            "rewards." in text
        )
        assert (
            "What would change it: More answers like these would not change it: their mean is "
            "within 0.30 of that of the group." in text
        )

    def test_say_how_many_answers_would_make_a_difference_clear(self, bank: Bank) -> None:
        # With 63 answers .82 of .70 is .30 and 1.96 standard errors of .140.
        bank.result(n=40, adjusted=4.60, weight=0.7484, sd=0.1517, gate="coaching")

        text = read(bank.li, ME)

        assert (
            "What would change it: It would become clear with about 30 more answers, were they "
            "like those so far. For pay it takes about 14 more answers." in text
        )

    def test_say_when_no_number_of_answers_is_known_to_be_enough(self, bank: Bank) -> None:
        bank.result(adjusted=4.98)

        assert "More answers like these would hardly change it." in read(bank.li, ME)

    def test_draw_the_interval_and_say_it_in_words(self, bank: Bank) -> None:
        bank.result()

        html = page(bank.li, ME)

        # The line goes from 4.5 to 6: 5.27 is .77 of 1.5.
        assert 'cx="51.33%"' in html
        assert (
            'aria-label="The result is 5.27, with an interval from 5.02 – 5.52. Comparable '
            'colleagues have 5.30; a difference matters outside 5.00 – 5.60."' in html
        )

    def test_a_low_verdict_is_developmental(self, bank: Bank) -> None:
        bank.result(**LOW)

        text = read(bank.li, ME)

        assert "Below comparable colleagues" in text
        assert "It is a reason to offer help: developmental, not a finding of incompetence." in text
        assert (
            "It would fall away if the adjusted mean of these answers were 4.49 or higher." in text
        )
        assert "over 99.9 % Is it a difference that matters?" in text

    def test_an_above_verdict_is_said_alike(self, bank: Bank) -> None:
        bank.result(**ABOVE)

        text = read(bank.li, ME)

        assert "Above comparable colleagues" in text
        assert "more than 0.30 above the group." in text

    def test_four_answers_are_not_enough_and_no_number_is_shown(self, bank: Bank) -> None:
        bank.result(**FEW)

        text = read(bank.li, ME)

        assert "Not enough data Too few customers answered to say anything." in text
        assert "neither good nor bad: a verdict needs about 32 answers." in text
        assert "fewer than 5 answers" in text
        assert "more answer" not in text
        assert "Step by step" not in text

    def test_some_answers_say_how_many_more_it_takes(self, bank: Bank) -> None:
        bank.result(**{**FEW, "n": 20, "raw": 5.1, "adjusted": 5.1, "estimate": 5.2})

        text = read(bank.li, ME)

        # An icc of .0692 reaches .7 with 31.4 answers.
        assert "What would change it: It takes about 12 more answers." in text

    def test_a_signal_holds_the_verdict_back_and_says_so(self, bank: Bank) -> None:
        bank.result(verdict="held", held="signal", gate="none")

        html = page(bank.li, ME)
        text = words(html)

        assert "Held back for now Customers wait longer than usual at the unit." in text
        assert "Until then its figures are not shown either: they would say the verdict." in text
        assert "Step by step" not in text
        assert "person-picture" not in html
        assert figures_in(text) == set()

    def test_a_window_that_is_held_back_has_no_figures_beside_one_that_has(
        self, bank: Bank
    ) -> None:
        earlier = make_run(date(2026, 2, 1))
        held = {"verdict": "held", "held": "dispute", "gate": "none", **WORSE}
        make_result(earlier, bank.teller, bank.north, bank.post, **held)
        bank.result()

        text = read(bank.mei, LIS)
        trend = (
            person_page(principal=principal_for(bank.mei, on=TODAY), staff_number="N-1", now=NOW)
            .cards[0]
            .trend
        )

        assert "31 Jan 2026 Held back for now a dispute was open – – 62 answers" in text
        assert "28 Feb 2026 No detectable difference 5.27 5.02 – 5.52 62 answers" in text
        assert figures_in(text) == {"5.20", "5.26", "5.30", "5.27", "5.02", "5.52", "0.30", "0.06"}
        assert [(each.value, each.low, each.high) for each in trend] == [
            (None, None, None), (5.27, 5.02, 5.52)
        ]  # fmt: skip

    def test_an_open_dispute_holds_the_verdict_back(self, bank: Bank) -> None:
        bank.result(verdict="held", held="dispute", gate="none", disputed=1)

        text = read(bank.li, ME)

        assert "A dispute about an encounter is open. The verdict comes when it is decided." in text
        assert (
            "1 encounter is disputed: until that is decided it can neither lower the verdict"
            in text
        )

    def test_show_earlier_windows_beside_the_newest(self, bank: Bank) -> None:
        earlier = make_run(date(2026, 2, 1))
        make_result(earlier, bank.teller, bank.north, bank.post, estimate=5.11)
        bank.result()

        text = read(bank.li, ME)

        assert "1 Mar 2025 – 28 Feb 2026 No detectable difference 5.27 5.02 – 5.52" in text
        assert "1 Feb 2025 – 31 Jan 2026 No detectable difference 5.11" in text

    def test_show_the_overall_measure_first(self, bank: Bank) -> None:
        bank.result(measure=EMPATHY)
        bank.result()

        html = page(bank.li, ME)

        assert html.index('id="measure-servqual-overall"') < html.index(
            'id="measure-servqual-empathy"'
        )

    def test_never_show_a_rank(self, bank: Bank) -> None:
        for number in range(2, 12):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number}"))
        bank.result()

        text = read(bank.li, ME).lower()

        assert "rank" not in text
        assert " of 11" not in text

    def test_are_a_friendly_nothing_before_there_are_any(self, bank: Bank) -> None:
        text = read(bank.li, ME)

        assert "No results yet Results come once a month" in text

    def test_are_not_there_for_who_is_no_member_of_staff(self, bank: Bank) -> None:
        page(bank.ana, ME, status=404)

    def test_are_behind_the_log_in(self, bank: Bank) -> None:
        response = Client().get(ME)

        assert response.status_code == 302
        assert "/log-in/" in response["Location"]


class TestSomebodyElse:
    def test_is_shown_to_the_manager_and_told_to_the_person(self, bank: Bank) -> None:
        bank.result()

        text = read(bank.mei, LIS)

        assert "Li Na N-1 · Teller, North" in text
        assert "No detectable difference" in text
        assert "Li Na is told that you looked at this page today." in text
        look = Look.objects.get()
        assert (look.staff, look.viewer, look.way, look.times) == (
            bank.teller, f"user:{bank.mei.pk}", "page", 1
        )  # fmt: skip
        mine = read(bank.li, ME)
        assert "Who looked at my results" in mine
        assert "Mei Page 2 Mar 2026, 09:00 1" in mine

    def test_looks_are_read_back_to_the_first(self, bank: Bank) -> None:
        bank.result()
        for number in range(45):
            at = NOW - timedelta(days=number)
            Look.objects.create(
                staff=bank.teller, viewer="user:0", viewer_name=f"Viewer {number:02}", way="page",
                on=at.date(), first_at=at, last_at=at,
            )  # fmt: skip

        html, path, seen = "", ME, []
        while path:
            html = page(bank.li, path)
            seen += re.findall(r"Viewer \d\d", html)
            more = re.search(r'rel="next" href="([^"#]+)#looks">Earlier ones<', html)
            path = f"{ME}{unescape(more[1])}" if more else ""

        assert seen == [f"Viewer {number:02}" for number in range(45)]
        assert "41 to 45 of 45 Later ones" in words(html)

    def test_is_shown_to_hr(self, bank: Bank) -> None:
        bank.result()

        assert "No detectable difference" in read(bank.hua, LIS)

    def test_shows_neither_single_answers_nor_who_else_looked(self, bank: Bank) -> None:
        bank.result()
        read(bank.hua, LIS)

        text = read(bank.mei, LIS)

        assert "My answers" not in text
        assert "Who looked" not in text
        assert "Hua" not in text

    @pytest.mark.parametrize("username", ["chen", "ana"])
    def test_is_not_there_for_others_and_no_look_is_noted(self, bank: Bank, username: str) -> None:
        bank.result()

        page(User.objects.get(username=username), LIS, status=404)

        assert Look.objects.count() == 0

    def test_is_not_there_for_a_colleague(self, bank: Bank) -> None:
        other = bank.colleague("N-2", "Gao Wei")
        bank.result(other)

        page(bank.li, "/people/N-2/", status=404)

        assert Look.objects.count() == 0

    def test_by_own_number_is_my_page(self, bank: Bank) -> None:
        bank.result()

        assert "My results Li Na" in read(bank.li, LIS)
        assert Look.objects.count() == 0

    def test_who_moved_is_seen_by_the_new_manager_alone(self, bank: Bank) -> None:
        bank.result()
        bank.teller.assignments.update(valid_to=date(2026, 3, 2))
        assign(bank.teller, bank.south, bank.post, date(2026, 3, 2))

        page(bank.mei, LIS, status=404)
        assert "Teller, South" in read(bank.chen, LIS)


class TestPeople:
    def test_stand_by_unit_and_name_with_their_verdict(self, bank: Bank) -> None:
        zhou = bank.colleague("N-3", "Zhou Min")
        gao = bank.colleague("N-2", "Gao Wei")
        bank.result(zhou, **ABOVE)
        bank.result(**LOW)
        bank.result(gao)

        text = read(bank.mei, PEOPLE)

        names = [text.index(name) for name in ("Gao Wei N-2", "Li Na N-1", "Zhou Min N-3")]
        assert names == sorted(names)
        assert (
            "Li Na N-1 North Teller Below comparable colleagues coaching and pay 62 4.11 – 4.61 "
            "colleagues 5.30" in text
        )

    def test_cannot_be_put_in_order_by_results(self, bank: Bank) -> None:
        gao = bank.colleague("N-2", "Gao Wei")
        bank.result(gao, **ABOVE)
        bank.result(**LOW)

        plain = read(bank.mei, PEOPLE)

        for order in ("estimate", "-estimate", "verdict", "low"):
            assert read(bank.mei, f"{PEOPLE}?order={order}&by={order}&sort={order}") == plain

    def test_say_on_top_how_many_are_called_low_wrongly(self, bank: Bank) -> None:
        bank.result(**LOW)
        for number in range(2, 42):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number:02}"))

        text = read(bank.mei, PEOPLE)

        said = "Of 41 people with a verdict, 1 are called below comparable colleagues."
        assert said in text
        assert "By chance alone fewer than 0.01 of them would be called so." in text
        assert "0 are called above them, by chance alone fewer than 0.01." in text
        assert text.index(said) < text.index("Teller 02")

    def test_expect_the_same_whichever_verdict_is_chosen(self, bank: Bank) -> None:
        bank.result(**LOW)
        bank.result(bank.colleague("N-2", "Gao Wei"))

        text = read(bank.mei, f"{PEOPLE}?verdict=low")

        assert "Of 2 people with a verdict" in text
        assert "Gao Wei" not in text

    def test_count_by_verdict_who_is_listed_and_told_and_nobody_else(self, bank: Bank) -> None:
        bank.result(**LOW)
        for number in range(2, 8):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number:02}"), **ABOVE)

        every = read(bank.mei, PEOPLE)
        above = read(bank.mei, f"{PEOPLE}?verdict=above")

        assert "Above comparable colleagues 6 " in every
        assert "Below comparable colleagues 1 " in every
        assert "Above comparable colleagues 6 " in above
        assert "Below comparable colleagues 1 " not in above
        assert Look.objects.get(staff=bank.teller).times == 1
        assert Look.objects.get(staff__number="N-2").times == 2

    def test_that_somebody_has_not_a_verdict_is_told_to_them(self, bank: Bank) -> None:
        bank.result(**LOW)
        bank.result(bank.colleague("N-2", "Gao Wei"))

        text = read(bank.mei, f"{PEOPLE}?name=Li&verdict=above")

        assert "Nobody is like that" in text
        assert "Below comparable colleagues 1" not in text
        look = Look.objects.get()
        assert (look.staff, look.way, look.times) == (bank.teller, "list", 1)

    def test_are_counted_page_by_page(self, bank: Bank) -> None:
        bank.result(**LOW)
        for number in range(2, 60):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number:02}"))

        assert "On this page: Below comparable colleagues 1 No detectable difference 49" in read(
            bank.mei, PEOPLE
        )
        assert "On this page: No detectable difference 9 " in read(bank.mei, f"{PEOPLE}?page=2")

    def test_are_those_of_the_own_unit_alone(self, bank: Bank) -> None:
        bank.result()
        gao = make_teller("S-1", bank.south, bank.post, name="Gao Wei")
        make_result(bank.run, gao, bank.south, bank.post)

        assert "Gao Wei" not in read(bank.mei, PEOPLE)
        assert "Li Na" not in read(bank.chen, PEOPLE)
        everybody = read(bank.hua, PEOPLE)
        assert "Gao Wei" in everybody
        assert "Li Na" in everybody

    def test_can_be_chosen_by_unit_post_measure_and_name(self, bank: Bank) -> None:
        adviser = make_post("adviser")
        gao = make_teller("S-1", bank.south, adviser, name="Gao Wei")
        make_result(bank.run, gao, bank.south, adviser)
        bank.result()
        bank.result(measure=EMPATHY)

        assert "Gao Wei" not in read(bank.hua, f"{PEOPLE}?unit=north")
        assert "Li Na" not in read(bank.hua, f"{PEOPLE}?post=adviser")
        assert "Gao Wei" not in read(bank.hua, f"{PEOPLE}?measure={EMPATHY}")
        assert "Li Na" not in read(bank.hua, f"{PEOPLE}?name=gao")
        assert "Nobody is like that" in read(bank.hua, f"{PEOPLE}?unit=south&post=teller")

    def test_are_told_that_they_were_looked_at_in_the_list(self, bank: Bank) -> None:
        gao = bank.colleague("N-2", "Gao Wei")
        bank.result()
        bank.result(gao)

        read(bank.mei, PEOPLE)
        read(bank.mei, f"{PEOPLE}?name=gao")

        looks = Look.objects.order_by("staff__number").values_list("staff__number", "way", "times")
        assert list(looks) == [("N-1", "list", 1), ("N-2", "list", 2)]

    def test_do_not_show_numbers_below_the_smallest_group(self, bank: Bank) -> None:
        bank.result(**FEW)

        assert "Li Na N-1 North Teller Not enough data – under 5 –" in read(bank.mei, PEOPLE)

    def test_do_not_show_figures_of_who_is_held_back(self, bank: Bank) -> None:
        bank.result(verdict="held", held="signal", gate="none")

        assert "Li Na N-1 North Teller Held back for now – 62 – colleagues 5.30" in read(
            bank.mei, PEOPLE
        )

    def test_have_no_picture_below_the_smallest_group(self, bank: Bank) -> None:
        for number in range(2, 5):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number}"))
        bank.result()

        html = page(bank.mei, PEOPLE)

        assert "Of fewer than 5 people with figures there is no picture." in words(html)
        assert "figure-funnel" not in html

    def test_have_a_picture_that_names_nobody_and_a_table(self, bank: Bank) -> None:
        for number in range(2, 6):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number}"))
        bank.result(**LOW)

        html = page(bank.mei, PEOPLE)

        assert "figure-funnel" in html
        picture = html[html.index('id="funnel-title"') :]
        assert "Li Na" not in picture
        # 1.96 sqrt(1.21 / 62) = .274
        table = words(f"<main{picture}")
        assert "62 −1.15 ± 0.27 Below comparable colleagues" in table
        assert "The picture is no verdict." in table

    def test_say_how_much_wider_than_by_chance_they_scatter(self, bank: Bank) -> None:
        """Four at -.04 and one at -1.15, each with an error of .14: z is -.29 and -8.23, drawn in
        -5.05, so that phi is 5.17, its root 2.3, and the last one still 3.2 errors away."""
        for number in range(2, 6):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number}"))
        bank.result(**LOW)

        text = read(bank.mei, PEOPLE)

        assert "1 of 5 marks lie outside the inner lines" in text
        assert "The marks scatter 2.3 times as widely as by chance alone" in text
        assert "With that taken in, 1 are outside." in text

    def test_are_not_for_staff(self, bank: Bank) -> None:
        bank.result()

        page(bank.li, PEOPLE, status=403)

        assert Look.objects.count() == 0

    def test_are_a_friendly_nothing_before_there_are_results(self, bank: Bank) -> None:
        assert "No results yet By this nobody of your units" in read(bank.mei, PEOPLE)

    def test_are_a_friendly_nothing_before_the_first_run(self, bank: Bank) -> None:
        bank.run.delete()

        assert "No results yet Results come once a month" in read(bank.mei, PEOPLE)

    def test_are_counted_and_shown_without_a_picture_where_they_are_very_many(
        self, bank: Bank, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(people_page, "MOST_POINTS", 5)
        bank.result(**LOW)
        for number in range(2, 60):
            bank.result(bank.colleague(f"N-{number}", f"Teller {number:02}"))

        text = read(bank.mei, f"{PEOPLE}?page=2")

        assert "51 to 59 of 59" in text
        assert "Choose a unit or a post to see the picture" in text
        assert "1 to 1 of 1" in read(bank.mei, f"{PEOPLE}?verdict=low")


class TestMyAnswers:
    def test_come_in_whole_batches_in_the_order_of_size(self, bank: Bank) -> None:
        """Seven answers: five are a batch, two wait for theirs."""
        with answered([6.0, 7.0, 2.0, 5.5, 4.0, 1.0, 7.0], bank.teller):
            bank.result()

            text = read(bank.li, ANSWERS)

        assert "Up to Answers 5 Feb 2026 2 4 5.5 6 7" in text
        assert "The latest answers come when their batch is complete." in text
        assert " 1 " not in text[text.index("Batches") :]

    def test_are_for_oneself_alone(self, bank: Bank) -> None:
        bank.result(bank.colleague("N-2", "Gao Wei"))

        page(bank.mei, ANSWERS, status=404)
        page(bank.li, ANSWERS, status=404)

    def test_are_led_to_from_the_result(self, bank: Bank) -> None:
        bank.result()

        assert f'href="{ANSWERS}"' in page(bank.li, ME)
        assert ANSWERS not in page(bank.mei, LIS)


class TestMyEncounters:
    def test_are_shown_without_anything_of_an_answer(self, bank: Bank) -> None:
        make_encounter("E-1", bank.teller, bank.north)
        make_encounter("E-2", bank.colleague("N-2", "Gao Wei"), bank.north)

        text = read(bank.li, ENCOUNTERS)

        assert "1 Mar 2026, 03:00 E-1 North – – Dispute it" in text
        assert "E-2" not in text
        assert "decided within 14 days" in text

    def test_can_be_disputed_once_for_a_reason_of_the_list(self, bank: Bank) -> None:
        make_encounter("E-1", bank.teller, bank.north)

        text = send(bank.li, f"{ENCOUNTERS}E-1/", reason="outage", text="No power.")

        dispute = Dispute.objects.get()
        assert (dispute.staff, dispute.encounter_key, dispute.reason, dispute.state) == (
            bank.teller, "E-1", "outage", "open"
        )  # fmt: skip
        assert dispute.due_on == date(2026, 3, 16)
        assert "The dispute is raised. You will be told what is decided." in text
        assert "A system or machine was down No power. Open 16 Mar 2026 Take it back" in text
        assert "You have disputed this encounter, which can be done once: Open" in read(
            bank.li, f"{ENCOUNTERS}E-1/"
        )

    def test_need_a_reason(self, bank: Bank) -> None:
        make_encounter("E-1", bank.teller, bank.north)

        text = send(bank.li, f"{ENCOUNTERS}E-1/", reason="unfair", status=400)

        assert "Please check what you entered" in text
        assert Dispute.objects.count() == 0

    def test_of_others_are_not_there(self, bank: Bank) -> None:
        make_encounter("E-2", bank.colleague("N-2", "Gao Wei"), bank.north)

        page(bank.li, f"{ENCOUNTERS}E-2/", status=404)
        send(bank.li, f"{ENCOUNTERS}E-2/", reason="outage", status=404)

        assert Dispute.objects.count() == 0

    def test_a_dispute_can_be_taken_back(self, bank: Bank) -> None:
        dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))

        text = send(bank.li, ENCOUNTERS, row=str(dispute.pk))

        dispute.refresh_from_db()
        assert dispute.state == Dispute.State.WITHDRAWN
        assert "The dispute is taken back." in text

    def test_a_dispute_that_was_taken_back_stays_so(self, bank: Bank) -> None:
        encounter = make_encounter("E-1", bank.teller, bank.north)
        make_dispute(encounter, state=Dispute.State.WITHDRAWN)

        text = send(bank.li, f"{ENCOUNTERS}E-1/", reason="abuse", status=400)

        assert "which can be done once: Withdrawn" in text
        assert Dispute.objects.get().state == Dispute.State.WITHDRAWN

    def test_go_on_after_fifty(self, bank: Bank) -> None:
        for number in reversed(range(52)):
            at = NOW - timedelta(days=number)
            make_encounter(f"E-{number:02}", bank.teller, bank.north, at=at)

        html = page(bank.li, ENCOUNTERS)
        more = re.search(r'href="(\?before=[^"]+)"', html)

        assert "E-49" in html
        assert "E-50" not in html
        assert more is not None
        text = read(bank.li, f"{ENCOUNTERS}{unescape(more[1])}")
        assert "E-50" in text
        assert "E-51" in text
        assert "E-49" not in text

    def test_are_not_for_who_is_no_member_of_staff(self, bank: Bank) -> None:
        page(bank.hua, ENCOUNTERS, status=404)


class TestDisputes:
    def test_wait_with_their_deadline_for_who_decides(self, bank: Bank) -> None:
        make_dispute(make_encounter("E-1", bank.teller, bank.north), due_on=date(2026, 3, 4))
        make_dispute(make_encounter("E-2", bank.teller, bank.north), due_on=date(2026, 3, 1))

        html = page(bank.ana, DISPUTES)
        text = words(html)

        assert "1 Mar 2026 1 day late" in text
        assert text.index("1 day late") < text.index("4 Mar 2026 2 days left")
        assert re.search(r'<span>Disputes</span><span class="count">2<', html)

    def test_are_decided_without_a_score_in_sight(self, bank: Bank) -> None:
        bank.result()
        dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))

        text = read(bank.ana, f"{DISPUTES}{dispute.pk}/")

        assert "The system was down from ten to noon." in text
        assert "Waiting time 4 min 0 s Handling time 10 min 0 s" in text
        assert "5.2" not in text
        assert "No detectable difference" not in text

    def test_can_be_rejected_with_a_reason_that_the_person_reads(self, bank: Bank) -> None:
        dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))

        send(bank.ana, f"{DISPUTES}{dispute.pk}/", outcome="reject", decision="Nothing was down.")

        dispute.refresh_from_db()
        assert (dispute.state, dispute.decided_by) == (Dispute.State.REJECTED, bank.ana)
        assert "Rejected Nothing was down." in read(bank.li, ENCOUNTERS)
        assert "0 of 1 decided disputes were upheld." in read(bank.ana, DISPUTES)

    def test_need_a_reason(self, bank: Bank) -> None:
        dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))

        send(bank.ana, f"{DISPUTES}{dispute.pk}/", outcome="reject", decision="", status=400)

        dispute.refresh_from_db()
        assert dispute.state == Dispute.State.OPEN

    def test_about_an_outage_ask_for_its_hours(self, bank: Bank) -> None:
        dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))

        send(
            bank.ana, f"{DISPUTES}{dispute.pk}/", outcome="uphold", decision="It was down.",
            outage_from="2026-03-01T02:00", outage_to="2026-03-01T04:00",
        )  # fmt: skip

        dispute.refresh_from_db()
        assert dispute.state == Dispute.State.UPHELD
        text = read(bank.ana, f"{DISPUTES}{dispute.pk}/")
        assert "Down 1 Mar 2026, 02:00 – 1 Mar 2026, 04:00" in text

    def test_refuse_hours_that_end_before_they_begin(self, bank: Bank) -> None:
        dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))

        text = send(
            bank.ana, f"{DISPUTES}{dispute.pk}/", outcome="uphold", decision="It was down.",
            outage_from="2026-03-01T04:00", outage_to="2026-03-01T02:00", status=400,
        )  # fmt: skip

        assert "The end is not after the beginning." in text
        dispute.refresh_from_db()
        assert dispute.state == Dispute.State.OPEN

    def test_that_were_upheld_can_be_reversed(self, bank: Bank) -> None:
        dispute = make_dispute(
            make_encounter("E-1", bank.teller, bank.north), reason="abuse", state="upheld",
            decided_at=NOW, decided_by=bank.ana, decision="Yes.",
        )  # fmt: skip

        send(bank.ana, f"{DISPUTES}{dispute.pk}/", why="The camera shows it.")

        dispute.refresh_from_db()
        assert dispute.state == Dispute.State.REVERSED

    @pytest.mark.parametrize("username", ["li", "mei", "chen", "hua"])
    def test_are_not_for_others(self, bank: Bank, username: str) -> None:
        dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))
        user = User.objects.get(username=username)

        page(user, DISPUTES, status=403)
        page(user, f"{DISPUTES}{dispute.pk}/", status=403)
        send(user, f"{DISPUTES}{dispute.pk}/", outcome="uphold", decision="Why not", status=403)

        dispute.refresh_from_db()
        assert dispute.state == Dispute.State.OPEN
        assert AuditEntry.objects.count() == 0

    def test_of_oneself_are_for_somebody_else(self, bank: Bank) -> None:
        analyst = make_teller("A-1", bank.north, bank.post, user=bank.ana)
        dispute = make_dispute(make_encounter("E-1", analyst, bank.north))

        text = read(bank.ana, f"{DISPUTES}{dispute.pk}/")

        assert "This is your own dispute Somebody else decides it." in text


class TestRules:
    def test_say_the_policy_in_words(self, bank: Bank) -> None:
        bank.result()

        text = read(bank.li, RULES)

        assert (
            "“Below” or “above” is said when it is at least 97.5 % sure that the difference is "
            "more than 0.30 points, and from 30 answers on." in text
        )
        assert "For coaching from a reliability of 0.70 on" in text
        assert "Nobody is ranked" in text
        # Of an icc of .0692 it takes 31.4 and 53.8 answers.
        assert "0.069 2026 12,000 240 32 54" in text
        assert "docs/methods/results-of-staff.md" in text

    def test_are_written_anew_by_who_decides_and_keeps_indicators(self, bank: Bank) -> None:
        text = send(bank.ana, f"{RULES}new/", **RULE_FIELDS)

        policy = ResultsPolicy.objects.get(number=2)
        assert (policy.smallest_difference, policy.made_by) == (0.4, bank.ana)
        assert "Coming version 2 from 1 Apr 2026: Agreed in March." in text

    def test_tell_what_was_found_and_what_is_wrongly_so(self, bank: Bank) -> None:
        text = read(bank.li, RULES)

        assert (
            "1 Mar 2025 – 28 Feb 2026: 41 verdicts, 1 of them “below”. The rules let expect that "
            "0.03 people are called so wrongly." in text
        )
        assert "channel: app −0.21 30 %" in text

    def test_keep_their_floors(self, bank: Bank) -> None:
        low = {**RULE_FIELDS, "smallest_n": "10", "pay_reliability": "0.5"}

        text = send(bank.ana, f"{RULES}new/", status=400, **low)

        assert "Ensure this value is greater than or equal to 30." in text
        assert ResultsPolicy.objects.count() == 1

    @pytest.mark.parametrize("username", ["li", "mei", "hua"])
    def test_are_not_written_by_others(self, bank: Bank, username: str) -> None:
        user = User.objects.get(username=username)

        assert "New version" not in read(user, RULES)
        page(user, f"{RULES}new/", status=403)
        send(user, f"{RULES}new/", status=403, **RULE_FIELDS)

        assert ResultsPolicy.objects.count() == 1


RULE_FIELDS: dict[str, Any] = {
    "valid_from": "2026-04-01", "smallest_difference": "0.4", "certainty": "0.975",
    "smallest_n": "30", "coaching_reliability": "0.7", "pay_reliability": "0.8",
    "window_months": "12", "fewest_peers": "8", "dispute_days": "14", "batch": "5",
    "delay_days": "7", "reason": "Agreed in March.",
}  # fmt: skip


class TestHome:
    def test_tells_a_person_that_results_are_there(self, bank: Bank) -> None:
        bank.result()

        text = read(bank.li, "/")

        assert "Your results are there My results 1 Mar 2025 – 28 Feb 2026" in text
        assert "No detectable difference" in text

    def test_is_silent_after_five_weeks(self, bank: Bank) -> None:
        bank.result()

        with time_machine.travel(NOW + timedelta(days=40), tick=False):
            assert "Your results are there" not in read(bank.li, "/")

    def test_tells_who_decides_what_waits(self, bank: Bank) -> None:
        make_dispute(make_encounter("E-1", bank.teller, bank.north))

        text = read(bank.ana, "/")

        assert "Disputes to decide" in text
        assert "A system or machine was down Li Na · North" in text
        assert "Disputes to decide" not in read(bank.li, "/")


class TestNavigation:
    @pytest.mark.parametrize(
        ("username", "titles"),
        [
            ("li", {"My results"}),
            ("mei", {"People"}),
            ("hua", {"People"}),
            ("ana", {"Disputes"}),
        ],
    )
    def test_leads_everybody_to_what_is_theirs(
        self, bank: Bank, username: str, titles: set[str]
    ) -> None:
        html = page(User.objects.get(username=username), "/")

        shown = set(re.findall(r"<span>(My results|People|Disputes)</span>", html))
        assert shown == titles


def counted(user: User, path: str) -> int:
    """How many queries a page takes; the marks of transactions ask for nothing."""
    client = client_of(user)
    client.get(path)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(path).status_code == 200
    return sum("SAVEPOINT" not in query["sql"] for query in queries)


@pytest.mark.parametrize(
    ("username", "path"),
    [
        ("mei", PEOPLE),
        ("li", ANSWERS),
        ("li", ENCOUNTERS),
        ("li", f"{ENCOUNTERS}E-1/"),
        ("ana", DISPUTES),
        ("ana", f"{DISPUTES}1/"),
        ("ana", RULES),
        ("ana", f"{RULES}new/"),
    ],
)
def test_pages_ask_little_of_the_database(bank: Bank, username: str, path: str) -> None:
    for number in range(2, 30):
        bank.result(bank.colleague(f"N-{number}", f"Teller {number}"))
    bank.result()
    dispute = make_dispute(make_encounter("E-1", bank.teller, bank.north))
    path = path.replace("disputes/1/", f"disputes/{dispute.pk}/")

    with answered([5.0] * 60, bank.teller):
        assert counted(User.objects.get(username=username), path) <= MOST_QUERIES


def test_a_person_asks_little_of_the_database_but_for_the_panels_of_others(bank: Bank) -> None:
    for ends_on in (date(2026, 1, 1), date(2026, 2, 1)):
        make_result(make_run(ends_on), bank.teller, bank.north, bank.post)
    bank.result()
    bank.result(measure=EMPATHY)

    for user, number in ((bank.li, ""), (bank.mei, "N-1")):
        principal = principal_for(user, on=TODAY)
        with answered([5.0], bank.teller), CaptureQueriesContext(connection) as queries:
            found = person_page(principal=principal, staff_number=number, now=NOW)
        assert len(found.cards) == 2
        assert len(queries) <= MOST_QUERIES - BESIDE


BESIDE = 7
"""Queries of every page: who asks, and the counts of the navigation."""
