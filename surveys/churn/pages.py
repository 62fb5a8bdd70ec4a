"""What the page of customers at risk shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from sqcore.base.text import number
from surveys.churn.models import RiskRun, RiskScorecard
from surveys.churn.signs import FROM_ANSWERS, chosen_signs
from surveys.churn.wording import MODEL, SIGNS, chances, judged, percent


@dataclass(frozen=True)
class GroupLine:
    """Customers with so many points on the day of the trial, and the share that left."""

    points: str
    n: int
    share: str
    between: str


@dataclass(frozen=True)
class RiskPage:
    """A scorecard in words, and what its last run found."""

    card: RiskScorecard
    run: RiskRun | None

    @property
    def signs(self) -> list[tuple[str, int]]:
        return [(str(SIGNS[sign.code]), sign.points) for sign in chosen_signs(self.card.points)]

    @property
    def reads_answers(self) -> bool:
        return any(sign.code in FROM_ANSWERS for sign in chosen_signs(self.card.points))

    @property
    def trial(self) -> dict[str, Any]:
        return self.run.trial if self.run is not None else {}

    @property
    def tried_on(self) -> date | None:
        return date.fromisoformat(self.trial["day"]) if self.trial else None

    @property
    def groups(self) -> Sequence[GroupLine]:
        return [
            GroupLine(
                points=_range(group["from"], group["to"]),
                n=group["n"],
                share=percent(group["share"]),
                between=_("%(low)s to %(high)s")
                % {"low": percent(group["low"]), "high": percent(group["high"])},
            )
            for group in self.trial.get("groups", [])
        ]

    @property
    def left(self) -> str:
        return percent(self.trial["left"]) if self.trial else ""

    @property
    def judged(self) -> str:
        return judged(self.trial) if self.trial else ""

    @property
    def chances(self) -> str:
        return chances(self.trial) if self.trial else ""

    @property
    def model(self) -> str:
        """Say what a model learnt of the same signs would tell; it is never used by itself."""
        found = self.trial.get("model")
        if not found:
            return ""
        if found["status"] != "ok":
            return str(MODEL.get(found["status"], MODEL["not_converged"]))
        slope = found["slope"]["value"]
        return _(
            "A logistic model of the same signs, learnt on earlier days from %(events)s who left, "
            "puts the one who left first in %(auc)s of the pairs and misses by %(brier)s; its "
            "calibration slope is %(slope)s (1 is right)."
        ) % {
            "events": number(found["events"], 0),
            "auc": percent(found["auc"]["value"] or 0.5),
            "brier": number(found["brier"], 3),
            "slope": number(slope, 2) if slope is not None else "–",
        }

    @property
    def odds(self) -> list[tuple[str, str, str]]:
        """The signs with their odds ratios and intervals, for who sets the points anew."""
        found = self.trial.get("model", {}).get("odds", {})
        return [
            (
                str(SIGNS[code]),
                number(ratio["value"], 2),
                _("%(low)s to %(high)s")
                % {"low": number(ratio["low"], 2), "high": number(ratio["high"], 2)},
            )
            for code, ratio in found.items()
            if ratio["value"] is not None and ratio["low"] is not None
        ]


def _range(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
