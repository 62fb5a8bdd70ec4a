"""Proposing what the rules of a scheme say for a period that is over: once a person."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.base.errors import Conflict, DomainError, InvalidInput, Problem
from sqcore.base.periods import Grain, Period, title_of
from sqcore.base.text import TranslatedText, in_all_languages
from sqcore.evaluation.models import EvaluationRun
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal, system_principal
from sqcore.notices.services import notify_holders_of
from sqcore.org.queries import fiscal_start, local_day
from sqcore.performance.models import ResultsRun
from training.incentives.facts import PeriodFacts
from training.incentives.guards import locked_scheme, note_act, require_everywhere
from training.incentives.models import Proposal, Scheme, SchemeVersion
from training.incentives.queries import open_disputes, valid_version
from training.incentives.rule_checks import apply_rules, needs_results, needs_scores
from training.incentives.rulebook import Line

LATE_DATA = timedelta(days=10)
"""So long after a period results that are late are waited for before it is proposed from what there
is."""


@transaction.atomic
def propose_period(
    *, scheme_id: int, period_start: date, now: datetime, by: Principal | None = None
) -> int:
    """Propose what the rules of a scheme say for a period that is over; return how many are new.

    Once a scheme, period and person: who has a proposal already keeps it as it is.

    raises: NotFound; Conflict when the scheme is not in force then; InvalidInput for another day
    """
    if by is not None:
        require_everywhere(by, Permission.MANAGE_AWARDS)
    scheme = locked_scheme(scheme_id)
    period = Period.of(period_start, Grain(scheme.grain), fiscal_start=fiscal_start())
    if period.start != period_start or period.end > local_day(now):
        reason = _("Choose the first day of a period that is over.")
        raise InvalidInput(reason, problems=[Problem(reason, field="period_start")])
    version = valid_version(scheme, on=period.start)
    if scheme.state != Scheme.State.ACTIVE or version is None:
        raise Conflict(_("This scheme has no rules in force for that period."))
    count = _propose(scheme, version, period, now)
    if count:
        details = {"period": period.start.isoformat(), "new": count, "version": version.number}
        note_act("scheme.proposed", f"scheme:{scheme.pk}", by or system_principal(), now, details)
    return count


def _propose(scheme: Scheme, version: SchemeVersion, period: Period, now: datetime) -> int:
    facts = PeriodFacts(period)
    found = apply_rules(facts, version.rules)
    there = set(
        Proposal.objects.filter(scheme=scheme, period_start=period.start).values_list(
            "staff_id", flat=True
        )
    )
    disputes = open_disputes(list(found))
    named = in_all_languages(
        gettext_lazy("%(scheme)s, %(period)s"),
        scheme=scheme.name,
        period=_lazy_title(period),
    )
    rows = []
    for member in facts.members:
        lines = found.get(member.staff_id, [])
        amount = sum(line.amount for line in lines)
        if member.staff_id in there or not lines:
            continue
        if scheme.kind == Scheme.Kind.PAY and not amount:
            continue
        rows.append(
            Proposal(
                version=version,
                scheme=scheme,
                staff_id=member.staff_id,
                unit_id=member.unit_id,
                period_start=period.start,
                amount=amount,
                title=_title(lines) or named,
                basis={
                    "lines": [line.as_json() for line in lines],
                    "run": facts.run.pk if facts.run and needs_results(version.rules) else None,
                    "disputes": disputes.get(member.staff_id, 0),
                    "version": version.number,
                },
                proposed_at=now,
                changed_at=now,
            )
        )
    Proposal.objects.bulk_create(rows, batch_size=500)
    return len(rows)


def _lazy_title(period: Period) -> Any:
    """The name of a period in the language in which it is read."""
    return lazy(title_of, str)(period)


def _title(lines: Iterable[Line]) -> TranslatedText | None:
    return next((dict(line.title) for line in lines if line.title), None)


def propose_due(*, now: datetime) -> int:
    """Propose the period before the running one for every scheme in force, once; return how many
    proposals are new.

    It waits for results that are not there yet, but not for ever. A scheme that is refused stops no
    other; HR is told of it, once a period.
    """
    return sum(_propose_or_tell(scheme, now) for scheme in _schemes_in_force())


def _schemes_in_force() -> list[Scheme]:
    return list(Scheme.objects.filter(state=Scheme.State.ACTIVE).order_by("id"))


def _propose_or_tell(scheme: Scheme, now: datetime) -> int:
    running = Period.of(local_day(now), Grain(scheme.grain), fiscal_start=fiscal_start())
    try:
        return _propose_last(scheme, running.previous, now)
    except DomainError:
        _tell_of_skipped(scheme, running.previous, now)
        return 0


def _tell_of_skipped(scheme: Scheme, period: Period, now: datetime) -> None:
    body = gettext_lazy(
        "Nothing was proposed for %(period)s: the rules cannot be applied. See whether all that "
        "they look at is still there."
    )
    notify_holders_of(
        Permission.MANAGE_AWARDS,
        key=f"scheme-skipped:{scheme.pk}:{period.start.isoformat()}",
        title=in_all_languages(gettext_lazy("Skipped: %(scheme)s"), scheme=scheme.name),
        body=in_all_languages(body, period=_lazy_title(period)),
        reason=in_all_languages(gettext_lazy("You write schemes.")),
        link=reverse("training:incentives-scheme", args=[scheme.code]),
        now=now,
    )


def _propose_last(scheme: Scheme, period: Period, now: datetime) -> int:
    today = local_day(now)
    version = valid_version(scheme, on=period.start)
    if version is None or not _is_ready(version, period, today):
        return 0
    if Proposal.objects.filter(scheme=scheme, period_start=period.start).exists():
        return 0
    return propose_period(scheme_id=scheme.pk, period_start=period.start, now=now)


def _is_ready(version: SchemeVersion, period: Period, today: date) -> bool:
    if today >= period.end + LATE_DATA:
        return True
    runs = ResultsRun.objects.filter(is_current=True, ends_on=period.end)
    if needs_results(version.rules) and not runs.exists():
        return False
    evaluated = EvaluationRun.objects.current().filter(
        ends_on=period.end, grain__in=[period.grain.value, Grain.MONTH.value]
    )
    return not needs_scores(version.rules) or evaluated.exists()
