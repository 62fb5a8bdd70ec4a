"""Invented numbers and a form for the living page of the design; nothing else reads them."""

from dataclasses import dataclass

from django import forms

from sqcore.dashboards.figures import Figure, Point, Series, bars_figure, series_figure

_MONTHS = [f"2025-{month:02d}" for month in range(3, 13)] + ["2026-01", "2026-02"]
_NORTH = [71.2, 70.4, 72.0, 71.1, 69.8, 66.3, 65.1, 66.0, 68.9, 71.5, 72.8, 73.4]
_SOUTH = [64.0, 64.9, 63.8, 65.2, None, None, 66.1, 66.8, 66.2, 67.0, 67.9, 67.5]
_COUNTS = [212, 198, 240, 225, 231, 204, 219, 187, 243, 251, 236, 228]


def _points(values: list[float | None], half: float) -> list[Point]:
    return [
        Point(
            label=month,
            x=f"{month}-01",
            value=value,
            low=None if value is None else value - half,
            high=None if value is None else value + half,
            n=None if value is None else count,
            withheld=value is None,
        )
        for month, value, count in zip(_MONTHS, values, _COUNTS, strict=True)
    ]


TREND = _points([*_NORTH], 1.6)
GAPPY_TREND = _points(_SOUTH, 2.1)


def line_figure() -> Figure:
    """Two units over twelve months, one with two months withheld."""
    return series_figure(
        [Series("Region North", TREND, 1), Series("Region South", GAPPY_TREND, 2)], target=70
    )


def comparison_figure() -> Figure:
    """Five dimensions, each with its interval."""
    values = [
        ("Reliability", 74.1, 1.2),
        ("Responsiveness", 66.3, 1.9),
        ("Assurance", 78.0, 1.1),
        ("Empathy", 69.5, 2.4),
        ("Tangibles", 81.2, 0.9),
    ]
    points = [Point(name, value, value - half, value + half, 1240) for name, value, half in values]
    return bars_figure(points, target=70, value_range=(50, 100))


@dataclass(frozen=True)
class Row:
    """A line of the example table; no value where too few answered or none did."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    change: float | None
    tone: str
    state: str
    trend: list[Point]

    @property
    def step(self) -> str:
        return "" if self.change is None else f"{abs(self.change):.1f}"


ROWS = [
    Row("Bell Street", 73.4, 71.8, 75.0, 228, 4.6, "good", "really better", TREND),
    Row("Harbour", 67.5, 65.4, 69.6, 151, -0.4, "", "within chance", GAPPY_TREND),
    Row("Old Market", 58.9, 55.1, 62.7, 63, -6.2, "bad", "really worse", TREND[::-1]),
    Row("Airport desk", None, None, None, 3, None, "", "withheld", []),
    Row("New Quay", None, None, None, 0, None, "", "unknown", []),
]


CHOICES = {
    "grain": [("month", "Month"), ("quarter", "Quarter"), ("year", "Year")],
    "period": [("2026-02", "February 2026"), ("2026-01", "January 2026")],
    "channel": [("", "All channels"), ("counter", "Counter"), ("telephone", "Telephone")],
}


class SpecimenForm(forms.Form):
    """Every kind of field."""

    name = forms.CharField(label="Name of the survey", help_text="Customers see it on top.")
    answers = forms.IntegerField(label="Answers wanted", min_value=30)
    scale = forms.ChoiceField(label="Scale", choices=[("5", "1 to 5"), ("7", "1 to 7")])
    grain = forms.ChoiceField(
        label="Evaluated by",
        choices=[("month", "Month"), ("quarter", "Quarter")],
        widget=forms.RadioSelect,
        initial="month",
    )
    comment = forms.CharField(
        label="Note", widget=forms.Textarea(attrs={"rows": 3}), required=False
    )
    file = forms.FileField(label="File of answers", required=False)
    anonymous = forms.BooleanField(label="Nobody can see who answered", required=False)
