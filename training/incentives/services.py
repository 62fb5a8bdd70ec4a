"""What follows from what was heard: people are told of awards, results above are achievements."""

import hashlib
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext_lazy

from sqcore.achievements.models import Kind
from sqcore.achievements.services import record_achievement
from sqcore.base.text import in_all_languages
from sqcore.notices.services import notify
from sqcore.performance.models import ResultsRun, StaffResult
from training.incentives.models import LedgerEntry, Scheme
from training.incentives.rules import is_above
from training.incentives.wording import money


def tell_of_award(*, entry_id: int, now: datetime) -> bool:
    """Tell a person of their award, once."""
    entry = LedgerEntry.objects.select_related("staff__user", "scheme").get(pk=entry_id)
    if entry.staff.user is None:
        return False
    what = Scheme.Kind(entry.scheme.kind)
    told = notify(
        readers=[entry.staff.user],
        key=f"award:{entry.pk}",
        title=entry.title,
        body=in_all_languages(_AWARDED[what], amount=money(entry.amount, entry.currency)),
        reason=in_all_languages(
            gettext_lazy("Two people agreed. You can read the rules of the scheme.")
        ),
        now=now,
    )
    return bool(told)


_AWARDED = {
    Scheme.Kind.PAY: gettext_lazy("You are granted %(amount)s. It comes with your pay."),
    Scheme.Kind.CAREER: gettext_lazy("You have all that the next post asks for. Talk with HR."),
    Scheme.Kind.HONOUR: gettext_lazy("You are honoured for your service."),
    Scheme.Kind.FEEDBACK: gettext_lazy("Your service was noticed. Thank you."),
}


@transaction.atomic
def record_results_above(*, run_id: int, now: datetime) -> int:
    """Write results that are clearly above comparable colleagues as achievements, once a person,
    measure and calendar year: windows of 12 months that move monthly are mostly the same months.

    Return how many are new.
    """
    run = ResultsRun.objects.get(pk=run_id)
    year = (run.ends_on - timedelta(days=1)).year
    above = StaffResult.objects.filter(run=run, verdict=StaffResult.Verdict.ABOVE)
    title = in_all_languages(gettext_lazy("Clearly above comparable colleagues"))
    return sum(
        record_achievement(
            staff_id=result.staff_id,
            kind=Kind.RESULT,
            title=title,
            on=run.ends_on - timedelta(days=1),
            reference=f"above:{result.staff_id}:{year}:{_short(result.measure)}",
            now=now,
        )
        for result in above.order_by("id")
        if is_above(result)
    )


def _short(measure: str) -> str:
    """A measure's key can be as long as a whole reference."""
    return hashlib.sha256(measure.encode()).hexdigest()[:12]
