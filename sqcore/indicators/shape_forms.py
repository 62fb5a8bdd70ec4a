"""Forms of how values of an indicator become points, one a shape."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.indicators.fields import number_field
from sqcore.indicators.shapes import (
    HasShape,
    Scoring,
    Shape,
    along,
    by_limit,
    fault_of,
    in_the_middle,
)


class GoalpostsForm(forms.Form):
    """The values of 0 and 100 points."""

    worst = number_field(label=_("Value of 0 points"))
    best = number_field(label=_("Value of 100 points"))


class ShapeForm(forms.Form):
    """How values of an indicator become points; one form a shape. `scoring` once it is valid."""

    shape = Shape.GOALPOSTS
    scoring: Scoring | None = None

    def __init__(self, *args: Any, rising: bool, **over: Any) -> None:
        super().__init__(*args, **over)
        self.rising = rising

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        """Return what stands in the form of an indicator that is scored so, or in another shape."""
        return {"worst": present.worst, "best": present.best}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            self.scoring = self.made(cleaned)
            if fault := fault_of(self.scoring):
                self.scoring = None
                self.add_error(fault[0] if fault[0] in self.fields else None, fault[1])
        return cleaned

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        return Scoring(cleaned["worst"], cleaned["best"])


class EvenForm(ShapeForm, GoalpostsForm):
    """Evenly from the value of 0 points to that of 100."""


class MiddleForm(ShapeForm):
    """Best at a value, worse on either side."""

    shape = Shape.NOMINAL
    best = number_field(label=_("Best value"))
    tolerance = number_field(
        label=_("Tolerance"), help_text=_("So far from it, on either side, there are 0 points.")
    )
    dead_band = number_field(
        label=_("Dead band"),
        required=False,
        help_text=_("So far from it, on either side, there are still 100 points."),
    )

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        tolerance = abs(present.best - present.worst)
        return {"best": present.best, "tolerance": tolerance, "dead_band": present.dead_band}

    def clean_tolerance(self) -> float:
        tolerance: float = self.cleaned_data["tolerance"]
        if tolerance <= 0:
            raise forms.ValidationError(_("The tolerance must be above 0."))
        return tolerance

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        band = cleaned.get("dead_band") or 0.0
        return in_the_middle(cleaned["best"], cleaned["tolerance"], band, rising=self.rising)


class LimitForm(ShapeForm):
    """By a target and a limit."""

    shape = Shape.TARGET
    best = number_field(label=_("Target: the value of 100 points"))
    limit = number_field(label=_("Limit: the value of 60 points"))

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        limit = present.best + 0.4 * (present.worst - present.best)
        known = present.limit if present.limit is not None else round(limit, 6)
        return {"best": present.best, "limit": known}

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        return by_limit(cleaned["best"], cleaned["limit"])


class KnotsForm(ShapeForm):
    """Along given points."""

    shape = Shape.KNOTS
    knots = forms.CharField(
        label=_("Values and their points"),
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_(
            "One a line, the least value first: the value, a space, its points. Between them points"
            " run straight, beyond the ends they stay."
        ),
    )

    @classmethod
    def initial_of(cls, present: HasShape) -> dict[str, Any]:
        ends = sorted([(present.worst, 0.0), (present.best, 100.0)])
        if present.shape == Shape.NOMINAL:
            ends = sorted([*ends, (2 * present.best - present.worst, 0.0)])
        knots = present.knots or ends
        return {"knots": "\n".join(f"{value:.12g} {points:g}" for value, points in knots)}

    def clean_knots(self) -> list[tuple[float, float]]:
        found = []
        for line in self.cleaned_data["knots"].splitlines():
            if not line.strip():
                continue
            parts = line.replace(",", ".").split()
            try:
                value, points = (float(part) for part in parts)
            except ValueError as error:
                raise forms.ValidationError(
                    _("“%(line)s” is not a value and its points."), params={"line": line.strip()}
                ) from error
            found.append((value, points))
        return found

    def made(self, cleaned: Mapping[str, Any]) -> Scoring:
        return along(cleaned["knots"])


SHAPE_FORMS: Mapping[str, type[ShapeForm]] = {
    form.shape.value: form for form in (EvenForm, MiddleForm, LimitForm, KnotsForm)
}
