"""Template tags of the shell: `{% load shell %}`. docs/design.md shows each with its parameters."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

from django import template
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from sqcore.base import text as base_text
from sqcore.base.text import in_language
from sqcore.dashboards import figures
from sqcore.dashboards.navigation import LinkGroup, navigation_for
from sqcore.dashboards.panels import ShownPanel
from sqcore.identity.queries import theme_of

register = template.Library()


@cache
def _drawing(name: str) -> SafeString:
    return mark_safe(render_to_string(f"icons/{name}.svg").strip())  # noqa: S308 - our own file


@register.simple_tag
def icon(name: str, extra_class: str = "") -> SafeString:
    """Draw `templates/icons/<name>.svg`; it is decoration, so words must stand beside it."""
    return format_html(
        '<svg class="icon {}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{}</svg>',
        extra_class,
        _drawing(name),
    )


@register.filter
def text(value: object) -> str:
    """Return text of the data, {language: text}, in the language of the page."""
    return in_language(value) if isinstance(value, Mapping) else str(value or "")


@register.filter
def moment(value: datetime | None) -> str:
    """Return a day and time as people write it: 2 Mar 2026, 17:00."""
    # Translators: a day with its time, in the letters of Django's date filter
    return date_format(localtime(value), _("j M Y, H:i")) if value else ""


@register.filter
def day(value: date | None) -> str:
    """Return a day as people write it: 2 Mar 2026."""
    return base_text.day(value) if value else ""


@register.filter
def lasted(start: datetime | None, end: datetime | None) -> str:
    """Return how long it took, in the largest unit that still says something."""
    if start is None or end is None:
        return ""
    passed = max((end - start).total_seconds(), 0)
    return _("%(n).1f s") % {"n": passed} if passed < 60 else seconds(passed)


@register.filter
def seconds(number: float) -> str:
    """Return a number of seconds as people say it.

    >>> seconds(45), seconds(400), seconds(7300)
    ('45 s', '6 min 40 s', '2 h 1 min')
    """
    if number < 60:
        return _("%(n)d s") % {"n": number}
    minutes, rest = divmod(round(number), 60)
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes}


@register.simple_tag(takes_context=True)
def navigation(context: template.Context) -> list[LinkGroup]:
    """Return the groups of links that who asks may follow; base.html asks once a page."""
    request = context.get("request")
    return navigation_for(request) if isinstance(request, HttpRequest) else []


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """Return light, dark or system: what this person or this browser chose."""
    request = context.get("request")
    return theme_of(request) if isinstance(request, HttpRequest) else "system"


@register.inclusion_tag("_sort_header.html", takes_context=True)
def sort_header(
    context: template.Context, key: str, title: str, number: bool = False, default: str = ""
) -> dict[str, Any]:
    """Draw the header cell of a column that can be ordered by `?order=key` and `?order=-key`.

    default: the order in force when the address names none
    """
    request: HttpRequest = context["request"]
    order = request.GET.get("order", default)
    direction = {key: "ascending", f"-{key}": "descending"}.get(order, "")
    return {
        "request": request,
        "title": title,
        "number": number,
        "direction": direction,
        "next": f"-{key}" if order == key else key,
    }


@register.inclusion_tag("_stat.html")
def stat(label: str, value: float | None, **parts: Any) -> dict[str, Any]:
    """Draw a number with n and interval below it.

    low, high, n: how sure; target, minimum, maximum: of the bar; decimals, unit: of the number
    url: where the label leads; tone, pill: a mark beside the label; note: added below
    change: the difference to before, change_text: it as text without sign, change_tone: good, bad
    withheld, smallest_group: too few answers; reason: why there is no value
    sure, source, since: what stands behind “How sure, from what, since when”
    """
    known = {name: None if part == "" else part for name, part in parts.items()}
    fixed = {"minimum": 0.0, "maximum": 100.0, "decimals": 1, "low": None, "high": None, "n": None}
    return {**fixed, "target": None, "change": None, **known, "label": label, "value": value}


@register.inclusion_tag("_interval.html")
def interval_bar(
    value: float | None,
    low: float | None = None,
    high: float | None = None,
    *,
    target: float | None = None,
    minimum: float = 0.0,
    maximum: float = 100.0,
    tone: str = "",
    decimals: int = 1,
) -> dict[str, Any]:
    """Draw a value with its interval and target on a fixed scale."""
    given: dict[str, Any] = {"value": value, "low": low, "high": high, "target": target}
    # A name that an including template does not know arrives as "".
    numbers = {name: None if number == "" else number for name, number in given.items()}
    bar = figures.interval_bar_of(scale=(minimum, maximum), **numbers)
    return {"bar": bar, "tone": tone, "decimals": decimals, **numbers}


@register.inclusion_tag("_sparkline.html")
def sparkline(
    points: Sequence[figures.Point], label: str = "", *, target: float | None = None
) -> dict[str, Any]:
    """Draw a small trend; `label` tells those who do not see it what it shows."""
    return {"spark": figures.sparkline_of(points, target=target), "label": label}


@register.inclusion_tag("_chart.html")
def chart(
    figure: figures.Figure, key: str, title: str, *, caption: str = "", size: str = ""
) -> dict[str, Any]:
    """Draw a figure with its table behind it.

    key: unique on the page; title: said to screen readers and above the table
    size: low or high (default between them)
    """
    return {
        "figure": figure,
        "figure_id": f"figure-{key}",
        "title": title,
        "caption": caption,
        "size": size,
    }


@register.simple_tag(takes_context=True)
def panel(context: template.Context, shown: ShownPanel) -> SafeString:
    """Draw a panel that `panels_on` returned."""
    request = context.get("request")
    values: Mapping[str, object] = shown.context
    return render_to_string(shown.template_name, dict(values), request=request)
