"""Figures as the JSON that analyses keep."""

from typing import Any

from sqcore.stats.results import Figure

DECIMALS = 4


def figure_json(figure: Figure) -> dict[str, Any]:
    """Return a figure as JSON; without a number only its status and n."""
    said: dict[str, Any] = {"status": figure.status.value, "n": figure.n}
    if figure.value is None:
        return said
    return said | {
        "value": rounded(figure.value),
        "low": rounded(figure.low),
        "high": rounded(figure.high),
    }


def rounded(number: float | None) -> float | None:
    return None if number is None else round(float(number), DECIMALS)
