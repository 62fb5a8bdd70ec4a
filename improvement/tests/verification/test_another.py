"""Another look beside the verdict: from what a check keeps, with the rule of when it speaks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from django.template.loader import render_to_string

from improvement.cycle.serializers import CheckRow
from improvement.cycle.ticket_page import ticket_page
from improvement.tests.factories import make_bank
from improvement.tests.verification.stage import ACTION, ALARM, FIRST_AFTER, Stage
from improvement.verification.another import AnotherLook, another_look
from improvement.verification.models import EffectCheck, Verdict
from improvement.verification.queries import replay_check
from improvement.verification.wording import agreement_text, another_said
from sqcore.tests.monitoring.series import leaf, make_series


def stage_of(**over: Any) -> Stage:
    counted = leaf("waiting", **{"unit_of_measure": "share", "statistic": "proportion", **over})
    return Stage(make_bank(), make_series(counted, leaf("errors")))


def shares(*, base: float, trouble: float, after: float, since: int = 40) -> list[float | None]:
    """Shares of 40 with a season of a year and a little scatter."""
    weeks = np.arange(1, 105)
    level = np.where(weeks >= ACTION, after, np.where(weeks >= since, trouble, base))
    season = 1 + 0.15 * np.sin(2 * np.pi * weeks / 52.18)
    scatter = 1 + 0.06 * np.array([1, -1, 0.5, -0.5, 0, 1.5, -1.5, 0])[weeks % 8]
    return [float(each) for each in level * season * scatter]


def checked(stage: Stage, values: Sequence[float | None], **over: Any) -> EffectCheck:
    plan = {"minimum": 0.03, "wished_on": stage.on(83), **over}
    return stage.checked(values, week=90, **plan)


def look_of(check: EffectCheck) -> AnotherLook:
    found = another_look(check.points)
    assert found is not None
    return found


@pytest.mark.django_db
class TestKept:
    def test_a_repaired_share_is_told_from_season_and_trouble(self) -> None:
        check = checked(stage_of(), shares(base=0.1, trouble=0.3, after=0.1))

        look = look_of(check)

        assert (check.verdict, look.status, look.side) == (Verdict.IMPROVED, "ok", -1)
        assert look.ratio == pytest.approx(1 / 3, abs=0.05)
        assert look.low is not None
        assert look.high is not None
        assert look.low < 1 / 3 < look.high
        assert look.expected == pytest.approx(3 * (look.counted or 0), rel=0.15)
        assert (look.n_alike, look.n_after, look.harmonics) == (12, 20, 1)

    def test_it_leaves_out_where_the_signal_was_raised_and_the_washout(self) -> None:
        stage = stage_of()
        check = checked(stage, shares(base=0.1, trouble=0.3, after=0.1))

        rows = {row["on"]: row["count"] for row in check.points["counted"]["rows"]}
        gaps = [week for week in range(1, 83) if rows[stage.on(week).isoformat()] is None]

        assert gaps == [*range(40, ALARM + 1), *range(ACTION, FIRST_AFTER)]
        assert check.points["counted"]["earlier"] == stage.on(ALARM + 1).isoformat()
        assert max(rows) == check.points["after"][-1]["on"]

    def test_of_what_most_have_the_others_are_counted(self) -> None:
        stage = stage_of(direction="higher", worst=0.0, best=1.0)
        rest = shares(base=0.1, trouble=0.3, after=0.1)
        check = checked(stage, [1 - (each or 0) for each in rest])

        look = look_of(check)

        assert (check.verdict, look.is_rest, look.side) == (Verdict.IMPROVED, True, -1)
        assert look.ratio == pytest.approx(1 / 3, abs=0.05)
        assert check.low is not None
        assert check.high is not None
        assert agreement_text(look, low=check.low, high=check.high) == (
            "It points the same way as the verdict."
        )

    def test_it_enters_neither_the_verdict_nor_its_replay_and_stays_when_data_change(self) -> None:
        stage = stage_of()
        check = checked(stage, shares(base=0.1, trouble=0.3, after=0.1))
        before = look_of(check)
        without = {**check.points, "counted": None}

        stage.series.revise(stage.unit, 10, 0.9)
        check.refresh_from_db()

        assert replay_check(check).is_same
        assert look_of(check) == before
        assert another_look(without) is None

    def test_a_mean_has_none(self) -> None:
        check = checked(
            stage_of(statistic="mean", unit_of_measure="min"),
            shares(base=10, trouble=30, after=10),
            minimum=3.0,
        )

        assert check.points["counted"] is None
        assert another_look(check.points) is None
        assert CheckRow(check).data["another_look"] is None

    def test_over_rest_it_says_the_same(self) -> None:
        check = checked(stage_of(), shares(base=0.1, trouble=0.3, after=0.1))
        look, row = look_of(check), CheckRow(check).data["another_look"]

        assert (row["status"], row["ratio"], row["n_after"]) == ("ok", look.ratio, 20)
        assert row["said"] == " ".join(another_said(look))
        assert "clearly fewer" in row["said"]


def points(
    before: int, after: int, *, grain: str = "month", count: float = 20.0, **over: Any
) -> dict[str, Any]:
    """What a check keeps of a series that alternates, without an earlier state."""
    rows = [
        {
            "on": f"{2000 + at // 12}-{at % 12 + 1:02}-01",
            "count": (count if at < before else count / 2) + at % 2,
            "exposure": 100.0,
        }
        for at in range(before + after)
    ]
    kept = {"grain": grain, "is_rest": False, "earlier": None, "rows": rows, **over}
    after_from = rows[before]["on"] if after else "2099-01-01"
    return {"counted": kept, "after_from": after_from, "confidence": 0.95}


class TestWhenItSpeaks:
    @pytest.mark.parametrize(
        ("before", "after", "grain"),
        [(11, 8, "month"), (24, 3, "month"), (51, 20, "week"), (24, 0, "month")],
    )
    def test_less_than_a_full_season_or_four_after_is_too_short(
        self, before: int, after: int, grain: str
    ) -> None:
        look = another_look(points(before, after, grain=grain))

        assert look is not None
        assert (look.status, look.ratio, look.side) == ("too_short", None, 0)
        assert (look.n_before, look.n_after) == (before, after)
        (said,) = another_said(look)
        assert said.startswith("Nothing can be said of trend and season yet.")

    @pytest.mark.parametrize(
        ("before", "grain", "harmonics"),
        [(14, "month", 1), (24, "month", 2), (52, "week", 1), (105, "week", 2), (14, "day", 2)],
    )
    def test_two_turns_of_a_season_have_two_harmonics(
        self, before: int, grain: str, harmonics: int
    ) -> None:
        look = another_look(points(before, 12, grain=grain))

        assert look is not None
        assert (look.status, look.harmonics) == ("ok", harmonics)
        assert look.ratio == pytest.approx(0.5, abs=0.07)

    def test_quarters_have_one(self) -> None:
        look = another_look(points(16, 8, grain="quarter"))

        assert look is not None
        assert (look.status, look.harmonics) == ("ok", 1)

    def test_nothing_counted_after_is_said(self) -> None:
        kept = points(24, 12)
        for row in kept["counted"]["rows"][24:]:
            row["count"] = 0.0
        look = another_look(kept)

        assert look is not None
        assert (look.status, look.ratio) == ("not_applicable", None)
        assert another_said(look) == [
            "Nothing can be said of trend and season: before or after nothing was counted at all."
        ]

    def test_a_former_state_of_a_few_periods_is_left_away(self) -> None:
        kept = points(30, 12)
        kept["counted"]["earlier"] = kept["counted"]["rows"][7]["on"]
        look = another_look(kept)

        assert look is not None
        assert (look.status, look.n_before, look.n_alike) == ("ok", 23, 23)

    def test_a_check_that_kept_no_counts_has_none(self) -> None:
        assert another_look({}) is None
        assert another_look({"counted": None}) is None


def test_another_way_than_the_verdict_is_said() -> None:
    look = another_look(points(24, 12))

    assert look is not None
    assert look.side == -1
    assert agreement_text(look, low=-2.0, high=-1.0) == "It points the same way as the verdict."
    assert agreement_text(look, low=-2.0, high=1.0).startswith("It does not point the same way")


@pytest.mark.django_db
def test_the_page_of_the_ticket_shows_it_beside_the_verdict() -> None:
    stage = stage_of()
    check = checked(stage, shares(base=0.1, trouble=0.3, after=0.1))
    ticket = check.plan.ticket
    page = ticket_page(ticket=ticket, principal=stage.mei, now=stage.at(90))

    assert page.verdict is not None
    assert page.verdict.verdict.text == "Improved"
    assert page.verdict.another == [
        *another_said(look_of(check)),
        "It points the same way as the verdict.",
    ]
    html = render_to_string("improvement/_effect.html", {"effect": page.effect, "ticket": ticket})
    assert "Another look, by trend and season." in html
    assert "It changes no verdict." in html
