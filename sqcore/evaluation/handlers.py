"""What evaluation does when something happened elsewhere, and whom it tells of its results."""

from datetime import datetime

from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

from sqcore.base.bus import handles
from sqcore.base.events import EvaluationPublished, ResponsesImported
from sqcore.base.periods import FINENESS, Grain, Period
from sqcore.base.text import in_all_languages
from sqcore.evaluation.models import EvaluationRun
from sqcore.evaluation.services import start_due
from sqcore.evaluation.wording import title_of
from sqcore.identity.permissions import Permission
from sqcore.notices.services import notify_holders_of
from sqcore.org.queries import local_day, organisation

LOOKS_AFTER = {
    Permission.RUN_EVALUATION: _("You look after the evaluation of service quality."),
    Permission.VIEW_PEOPLE: _("You answer for units or people whose service is evaluated."),
}
"""Who is told of new results, and why they are."""


@handles(ResponsesImported, key="evaluation.start_due")
def start_what_is_due(event: ResponsesImported, now: datetime) -> None:
    """Evaluate at once what an import touched, instead of at the next beat."""
    start_due(now=now)


@handles(EvaluationPublished, key="evaluation.tell_of_results")
def tell_of_results(event: EvaluationPublished, now: datetime) -> None:
    """Tell of the period that closed this month, once a system and day; not of each run.

    Days and weeks, later revisions and old periods (an import may bring years of them) are no news.
    """
    run = EvaluationRun.objects.select_related("system").filter(pk=event.run_id).first()
    if run is None or not _is_news(run, now):
        return
    named = lazy(title_of, str)(_period_of(run))
    for permission, reason in LOOKS_AFTER.items():
        notify_holders_of(
            permission,
            key=f"results:{run.system.code}:{local_day(now)}",
            title=in_all_languages(_("New results: %(system)s"), system=run.system.name),
            body=in_all_languages(_("The evaluation of %(period)s is in."), period=named),
            reason=in_all_languages(reason),
            link="/",
            now=now,
        )


def _is_news(run: EvaluationRun, now: datetime) -> bool:
    period = _period_of(run)
    return (
        run.revision == 1
        and FINENESS[period.grain] >= FINENESS[Grain.MONTH]
        and local_day(now) in Period.of(period.end, Grain.MONTH)
    )


def _period_of(run: EvaluationRun) -> Period:
    return Period(run.starts_on, Grain(run.grain), organisation().fiscal_start)
