"""Where the pages of this room are, for those that lead to them."""

from urllib.parse import urlencode

from django.urls import reverse


def chart_url(*, system: str, unit: str, code: str, grain: str) -> str:
    """Return where the chart of a series is."""
    path = reverse("sqcore:monitoring-chart", args=[system, unit, code])
    return f"{path}?{urlencode({'grain': grain})}"


def funnel_url(*, system: str, code: str, grain: str) -> str:
    """Return where the units of an indicator stand beside each other."""
    path = reverse("sqcore:monitoring-funnel", args=[system, code])
    return f"{path}?{urlencode({'grain': grain})}"
