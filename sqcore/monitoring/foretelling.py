"""Early warnings: written anew with each search, ended, told of at most once a year."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext_lazy as lazy

from sqcore.base.periods import Grain
from sqcore.base.text import in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.indicators.models import Indicator, IndicatorSystem
from sqcore.indicators.queries import published_versions
from sqcore.monitoring.early import Search, search_ahead
from sqcore.monitoring.models import (
    EarlyWarning,
    Watch,
)
from sqcore.monitoring.passes import (
    BASELINE_PERIODS,
    Place,
)
from sqcore.monitoring.watching import nothing_yet, runs_wait, seen_now
from sqcore.notices.services import notify_holders_of
from sqcore.org.queries import local_day

FORETELL_TASK = "sqcore.monitoring.foretell_due"


def foretell(*, system: IndicatorSystem, grain: Grain, now: datetime) -> int:
    """Search the watched series of a system in one grain for early warnings; return how many are
    open then.

    A series has one warning at most. It is written anew with each search while its forecast passes
    the line, and ends when a period has passed it (it came true) or the forecast no longer does. It
    opens no signal and no ticket; who manages signals at the unit is told where the forecast itself
    passes the line, at most once a series and year in which it does. The same search again changes
    nothing. It forecasts before it takes its turn to write: that takes seconds.
    """
    through, seen = local_day(now), seen_now(system, grain)
    search = search_ahead(system=system, grain=grain, through=through)
    with transaction.atomic():
        row, _is_first = Watch.objects.get_or_create(
            system=system, grain=grain, defaults=nothing_yet(through, now)
        )
        row = Watch.objects.select_for_update().get(pk=row.pk)
        if row.foretold_at is None or row.foretold_at <= now:
            _write_warnings(search, system, grain, now)
            row.foretold, row.foretold_at, row.foretold_seen = search.foretold, now, seen
            row.save(update_fields=["foretold", "foretold_at", "foretold_seen"])
        return EarlyWarning.objects.open().filter(system=system, grain=grain).count()


def _write_warnings(search: Search, system: IndicatorSystem, grain: Grain, now: datetime) -> None:
    """End the warnings that are over, write the others as they are now, open new ones."""
    known = {
        (warning.unit_id, warning.code): warning
        for warning in EarlyWarning.objects.open()
        .filter(system=system, grain=grain)
        .select_for_update()
        .order_by("id")
    }
    for warning in known.values():
        passed_on = search.passed_on(warning)
        if passed_on is not None:
            _end(warning, EarlyWarning.State.CAME_TRUE, passed_on, now)
        elif search.is_over(warning):
            over_on = search.newest_on or local_day(now)
            _end(warning, EarlyWarning.State.PASSED_OFF, over_on, now)
    for place, fields in search.found.items():
        standing = known.get(place)
        if standing is None or standing.state != EarlyWarning.State.OPEN:
            standing = _open_warning(system, grain, place, fields, now)
        else:
            _write_anew(standing, fields, now)
        if standing.expected_on is not None:
            _tell_of_warning(standing, now)


def foretell_due(*, now: datetime) -> int:
    """Search for early warnings where closed figures or exclusions are others than at the last
    search, one a system and grain; return how many searches were made."""
    made = 0
    for version in published_versions():
        for grain in map(Grain, version.grains):
            if grain not in BASELINE_PERIODS:
                continue
            row = Watch.objects.filter(system=version.system, grain=grain).first()
            # The first pass of the openers comes first: it waits for all runs of the past.
            if row is None or row.foretold_seen == seen_now(version.system, grain):
                continue
            if not runs_wait(version.system, grain):
                foretell(system=version.system, grain=grain, now=now)
                made += 1
    return made


def _open_warning(
    system: IndicatorSystem, grain: Grain, place: Place, fields: Mapping[str, Any], now: datetime
) -> EarlyWarning:
    return EarlyWarning.objects.create(
        system=system,
        grain=grain,
        unit_id=place[0],
        code=place[1],
        found_at=now,
        changed_at=now,
        **fields,
    )


def _write_anew(warning: EarlyWarning, fields: Mapping[str, Any], now: datetime) -> None:
    changed = [name for name, value in fields.items() if getattr(warning, name) != value]
    if not changed:
        return
    for name in changed:
        setattr(warning, name, fields[name])
    warning.changed_at = now
    warning.save(update_fields=[*changed, "changed_at"])


def _end(warning: EarlyWarning, state: str, on: date, now: datetime) -> None:
    warning.state, warning.ended_on, warning.changed_at = state, on, now
    warning.save(update_fields=["state", "ended_on", "changed_at"])


def _tell_of_warning(warning: EarlyWarning, now: datetime) -> None:
    """Tell who manages signals there; no figures belong into a notice."""
    name = Indicator.objects.filter(code=warning.code).values_list("name", flat=True).first()
    path = reverse(
        "sqcore:monitoring-chart", args=[warning.system.code, warning.unit.code, warning.code]
    )
    notify_holders_of(
        Permission.MANAGE_SIGNALS,
        key=f"early-warning:{warning.system_id}:{warning.unit_id}:{warning.code}:"
        f"{warning.grain}:{warning.crosses_on.year}",
        title=in_all_languages(
            lazy("Early warning: %(indicator)s, %(unit)s"),
            indicator=name or warning.code,
            unit=warning.unit.name,
        ),
        body=in_all_languages(
            lazy("If it goes on like this, it will not stay where it should be. See its forecast.")
        ),
        reason=in_all_languages(lazy("You look after the signals of this unit.")),
        link=f"{path}?grain={warning.grain}#outlook",
        unit_id=warning.unit_id,
        now=now,
    )
