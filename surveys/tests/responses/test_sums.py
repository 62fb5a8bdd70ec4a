"""Answers become exact sums, whichever way they are read."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from sqcore.base.periods import Grain, Period
from sqcore.indicators.sources import Between, SourceCell
from sqcore.org.models import Unit
from sqcore.stats.loyalty import loyalty_index
from sqcore.stats.moments import add, pack, unpack
from sqcore.tests.factories import NOW, make_channel, make_unit
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import codebook_of
from surveys.responses import services
from surveys.responses.models import Response, Rollup
from surveys.responses.queries import lock_version, period_sums
from surveys.responses.services import (
    NewResponse,
    absorb,
    add_responses,
    check_rollups,
    rebuild_rollups,
    reveal_import,
    withdraw_import,
)
from surveys.responses.sources import SurveySource
from surveys.responses.sums import bundle, unbundle
from surveys.tests.factories import make_campaign, make_ready_version

pytestmark = pytest.mark.django_db

MARCH = Period.parse("2026-03")
MEASURES = ["visit/perception:speed", "visit/gap:speed", "visit/item:overall"]


@pytest.fixture
def branch() -> Unit:
    return make_unit("riverside")


def answer(
    campaign: Campaign,
    unit: Unit,
    answers: Mapping[str, Any],
    *,
    on: date = date(2026, 3, 5),
    import_id: int | None = None,
    in_force: bool = True,
    **over: Any,
) -> None:
    response = NewResponse(answers=answers, unit_id=unit.pk, answered_on=on, **over)
    add_responses(
        campaign=campaign,
        responses=[response],
        origin=Response.Origin.API,
        now=NOW,
        import_id=import_id,
        in_force=in_force,
    )


def means(period: Period = MARCH) -> dict[SourceCell, list[float | None]]:
    found = SurveySource().collect(measures=MEASURES, period=period)
    width = len(MEASURES)
    sums, weights = found.moments.linear[:, width:], found.moments.linear[:, :width]
    return {
        cell: [
            round(int(s) / int(w) / scale, 6) if w else None
            for s, w, scale in zip(sums[at], weights[at], found.scales, strict=True)
        ]
        for at, cell in enumerate(found.cells)
    }


class TestMeasures:
    def test_means_answers_by_unit(self, branch: Unit) -> None:
        campaign = make_campaign()
        answer(campaign, branch, {"e1": 6, "p1": 4, "p2": 7, "overall": 5})
        answer(campaign, branch, {"e1": 7, "p1": 5, "overall": 6})

        assert means() == {SourceCell(branch.pk): [4.5, -2.0, 5.5]}

    def test_leaves_not_applicable_and_missing_out_of_the_mean(self, branch: Unit) -> None:
        campaign = make_campaign()
        answer(campaign, branch, {"e1": 6, "p1": "na", "overall": 5})
        answer(campaign, branch, {"p1": 3})

        assert means() == {SourceCell(branch.pk): [3.0, None, 5.0]}

    def test_weighs_answers(self, branch: Unit) -> None:
        campaign = make_campaign()
        answer(campaign, branch, {"overall": 1}, weight=3000)
        answer(campaign, branch, {"overall": 5}, weight=1000)

        assert means()[SourceCell(branch.pk)] == [None, None, 2.0]

    def test_counts_a_channel_apart(self, branch: Unit) -> None:
        campaign, phone = make_campaign(), make_channel("phone")
        answer(campaign, branch, {"overall": 2}, channel_id=phone.pk)
        answer(campaign, branch, {"overall": 6})

        found = means()

        assert found[SourceCell(branch.pk)][2] == 4.0
        assert found[SourceCell(branch.pk, "channel", "phone")][2] == 2.0

    def test_day_known_by_year_only_enters_no_month(self, branch: Unit) -> None:
        answer(make_campaign(finest_grain=Grain.YEAR), branch, {"overall": 2})

        assert means() == {}
        assert means(Period.parse("2026")) == {SourceCell(branch.pk): [None, None, 2.0]}


class TestLoyalty:
    def index(self) -> tuple[float, int]:
        asked = SurveySource().measure({"instrument": "experience", "measure": "index:loyalty"})
        found = SurveySource().collect(measures=[asked], period=MARCH)
        weight, total = found.moments.linear[0].tolist()
        return total / weight / found.scales[0], int(found.moments.n[0, 0])

    def test_is_the_mean_of_three_answers_between_their_ends(self, branch: Unit) -> None:
        campaign = make_campaign(version=make_ready_version("experience"))
        answer(campaign, branch, {"repurchase": 10, "recommend": 5, "preference": 1})
        answer(campaign, branch, {"repurchase": 4, "recommend": 3})
        answer(campaign, branch, {"recommend": 10, "satisfaction": 7})

        index, n = self.index()
        assert index == pytest.approx((50.0 + 31.67) / 2, abs=0.01)
        assert n == 2

    def test_equals_the_method_for_complete_answers(self, branch: Unit) -> None:
        campaign = make_campaign(version=make_ready_version("experience"))
        generator = np.random.default_rng(7)
        rows = generator.integers([1, 0, 1], 11, (20, 3)).tolist()
        for row in rows:
            codes = ("repurchase", "recommend", "preference")
            answer(campaign, branch, dict(zip(codes, row, strict=True)))

        expected = loyalty_index(rows, [(1, 10), (0, 10), (1, 10)])
        index, n = self.index()
        assert index == pytest.approx(expected.value)
        assert n == 20

    def test_is_offered_beside_the_questions_it_is_made_of(self) -> None:
        make_ready_version("experience")

        plain = [o for o in SurveySource().offers() if "between" not in o.parameters]
        offers = {str(o.parameters["measure"]): o for o in plain}

        assert offers["index:loyalty"].title == (
            "Experience, value and loyalty: Loyalty, index 0 to 100"
        )
        assert offers["index:loyalty"].statistic == "mean"
        assert {"nps:recommend", "item:effort", "top2:satisfaction"} <= set(offers)


class TestAbsorb:
    def fill(self, branch: Unit) -> Campaign:
        campaign = make_campaign()
        generator = np.random.default_rng(4)
        for month in (2, 3, 4):
            for value in generator.integers(1, 8, 5).tolist():
                answers = {"e1": 7, "p1": value, "p2": 8 - value, "overall": value}
                answer(campaign, branch, answers, on=date(2026, month, value), weight=100 * value)
        return campaign

    def test_changes_no_sum(self, branch: Unit) -> None:
        self.fill(branch)
        before = {key: means(Period.parse(key)) for key in ("2026-03", "2026-Q1", "2026")}

        assert absorb(clock=lambda: NOW) == 15

        assert {key: means(Period.parse(key)) for key in before} == before

    def test_adds_late_answers_to_what_is_there(self, branch: Unit) -> None:
        campaign = self.fill(branch)
        absorb(clock=lambda: NOW)
        answer(campaign, branch, {"overall": 1})
        late = means()

        assert absorb(clock=lambda: NOW) == 1

        assert means() == late
        assert Rollup.objects.filter(month=date(2026, 3, 1)).count() == 1

    def test_counts_each_row_once(self, branch: Unit) -> None:
        self.fill(branch)

        assert [absorb(clock=lambda: NOW, limit=10) for _ in range(3)] == [10, 5, 0]

    def test_rebuilding_gives_the_same_bytes(self, branch: Unit) -> None:
        campaign = self.fill(branch)
        absorb(clock=lambda: NOW)
        kept = dict(Rollup.objects.values_list("place", "content"))

        assert rebuild_rollups(version=campaign.version, clock=lambda: NOW) == 15

        assert dict(Rollup.objects.values_list("place", "content")) == kept

    def test_rebuilding_makes_again_what_is_wrong_and_takes_in_what_is_new(
        self, branch: Unit
    ) -> None:
        campaign = self.fill(branch)
        right = {key: means(Period.parse(key)) for key in ("2026-02", "2026-03", "2026-04")}
        absorb(clock=lambda: NOW, limit=12)
        self.spoil(2, 3)

        assert rebuild_rollups(version=campaign.version, clock=lambda: NOW) == 15

        assert {key: means(Period.parse(key)) for key in right} == right
        assert not any(check_rollups(clock=lambda: NOW, rebuild=False).values())

    @pytest.mark.parametrize("stops", range(1, 6))
    @pytest.mark.parametrize("inside", [False, True])
    def test_an_interrupted_rebuilding_leaves_exact_sums_and_goes_on(
        self, branch: Unit, monkeypatch: pytest.MonkeyPatch, stops: int, inside: bool
    ) -> None:
        monkeypatch.setattr(services, "ABSORB_AT_ONCE", 2)
        campaign = self.fill(branch)
        year = means(Period.parse("2026"))
        absorb(clock=lambda: NOW, limit=9)
        self.spoil(2, 3)
        steps: list[object] = []

        def stop(*step: object) -> Any:
            steps.append(step)
            if len(steps) == stops:
                raise KeyboardInterrupt
            return NOW

        with pytest.raises(KeyboardInterrupt):
            rebuild_rollups(
                version=campaign.version,
                clock=stop if inside else lambda: NOW,
                report=None if inside else stop,
            )

        # Two months are made again, then two rows at a time are marked with their sums.
        done = stops - inside
        differing = check_rollups(clock=lambda: NOW, rebuild=False)[campaign.version]
        assert [place.split(":")[1] for place in differing] == ["2026-02", "2026-03"][done:]
        assert Response.objects.filter(in_rollup=True).count() == [9, 9, 9, 11, 13, 15][done]
        assert (means(Period.parse("2026")) == year) == (done >= 2)
        assert rebuild_rollups(version=campaign.version, clock=lambda: NOW) == 15
        assert means(Period.parse("2026")) == year
        assert not any(check_rollups(clock=lambda: NOW, rebuild=False).values())

    def spoil(self, *months: int) -> None:
        """Put wrong sums in the place of those of these months."""
        for month in months:
            place = Rollup.objects.get(month=date(2026, month, 1))
            for part, content in (parts := unbundle(bytes(place.content))).items():
                parts[part] = pack(add(*[unpack([content])] * 2))[0]
            Rollup.objects.filter(pk=place.pk).update(content=bundle(parts))

    def test_months_equal_their_days(self, branch: Unit) -> None:
        version = self.fill(branch).version
        absorb(clock=lambda: NOW)
        lock_version(version)
        book = codebook_of(version)
        days = [period_sums(version, book, Period.parse(f"2026-03-{d:02d}")) for d in range(1, 32)]

        total = sum(int(moments.respondents.sum()) for _cells, moments in days)

        assert total == int(period_sums(version, book, MARCH)[1].respondents.sum()) == 5


class TestWeeks:
    """Weeks that are compared: the days of the period, told apart by ISO week."""

    def weeks(self, period: Period) -> dict[tuple[int, str], float]:
        found = SurveySource().collect_groups(
            measures=[MEASURES[2]], between=Between.WEEK, period=period
        )
        assert {cell.margin for cell in found.cells} <= {"week"}
        return {
            (cell.unit_id, cell.value): total / weight / found.scales[0]
            for cell, (weight, total) in zip(
                found.cells, found.moments.linear.tolist(), strict=True
            )
        }

    def test_have_the_answers_of_their_days_within_the_period(self, branch: Unit) -> None:
        campaign, phone = make_campaign(), make_channel("phone")
        for day, overall in ((1, 2), (2, 6), (8, 4), (9, 7), (31, 3)):
            on = date(2026, 3, day)
            answer(campaign, branch, {"overall": overall}, on=on, channel_id=phone.pk)
        answer(campaign, branch, {"overall": 5}, on=date(2026, 4, 1))

        key = branch.pk
        assert self.weeks(MARCH) == {
            (key, "2026-W09"): 2.0,
            (key, "2026-W10"): 5.0,
            (key, "2026-W11"): 7.0,
            (key, "2026-W14"): 3.0,
        }

    def test_leave_out_answers_of_which_only_the_month_is_known(self, branch: Unit) -> None:
        answer(make_campaign(finest_grain=Grain.MONTH), branch, {"overall": 2})

        assert self.weeks(MARCH) == {}

    def test_are_offered_for_what_is_made_of_several_answers(self) -> None:
        make_ready_version("experience")

        found = [each for each in SurveySource().offers() if each.statistic == "spread"]

        assert [each.parameters["between"] for each in found] == [
            *("channel", "unit", "segment", "week")
        ]
        assert found[0].title == (
            "Experience, value and loyalty: Loyalty, index 0 to 100: how far channels differ"
        )
        assert SurveySource().groups_of("experience/nps:recommend") == ()


class TestImportsAsAWhole:
    def test_rows_count_only_when_revealed(self, branch: Unit) -> None:
        answer(make_campaign(), branch, {"overall": 3}, import_id=1, in_force=False)
        assert means() == {}

        assert reveal_import(import_id=1) == 1

        assert means() == {SourceCell(branch.pk): [None, None, 3.0]}

    def test_withdrawal_is_one_subtraction(self, branch: Unit) -> None:
        campaign = make_campaign()
        answer(campaign, branch, {"overall": 3})
        answer(campaign, branch, {"overall": 7}, import_id=1)
        absorb(clock=lambda: NOW)

        assert withdraw_import(import_id=1) == 1

        assert means() == {SourceCell(branch.pk): [None, None, 3.0]}
        absorb(clock=lambda: NOW)
        assert means() == {SourceCell(branch.pk): [None, None, 3.0]}
        assert Response.objects.count() == 1

    def test_taken_key_stores_nothing_of_the_batch(self, branch: Unit) -> None:
        campaign = make_campaign()
        answer(campaign, branch, {"overall": 3}, external_key="7")
        rows = [
            NewResponse(
                answers={}, unit_id=branch.pk, answered_on=date(2026, 3, 1), external_key=key
            )
            for key in ("8", "7")
        ]

        with pytest.raises(IntegrityError), transaction.atomic():
            add_responses(campaign=campaign, responses=rows, origin=Response.Origin.IMPORT, now=NOW)

        assert Response.objects.count() == 1


class TestAnonymity:
    def test_keeps_neither_moment_nor_person_nor_encounter(self, branch: Unit) -> None:
        answer(make_campaign(), branch, {"overall": 3}, staff_id=5, encounter_key="E-1")

        kept = Response.objects.get()
        assert (kept.received_at, kept.staff_id, kept.encounter_key) == (None, None, "")
