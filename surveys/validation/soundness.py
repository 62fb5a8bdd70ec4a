"""Of a version of an indicator system: are the questionnaires sound that it is measured by?"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.identity.principals import Principal
from sqcore.indicators.definition import with_operands
from sqcore.indicators.models import Indicator, SystemVersion
from sqcore.publication.port import Finding, Verdict
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.queries import usable_versions
from surveys.validation.pages import report_of
from surveys.validation.queries import may_see_reports
from surveys.validation.verdict import Tone


class SoundnessOfQuestionnaires:
    """The newest report on each questionnaire, for who may see it; formulas count with what they
    need."""

    key = "surveys.soundness"
    title = gettext_lazy("Are its questionnaires sound?")

    def findings(
        self, *, version: SystemVersion, principal: Principal, now: datetime
    ) -> Sequence[Finding]:
        if not may_see_reports(principal):
            return []
        codes = _questionnaires_of(version)
        asked = usable_versions().filter(instrument__code__in=codes)
        return [finding for each in asked for finding in _findings_on(each, principal)]


def _questionnaires_of(version: SystemVersion) -> list[str]:
    """Return the codes of the questionnaires whose answers a version needs."""
    placed = Indicator.objects.filter(uses__dimension__version=version).distinct().order_by("id")
    return sorted(
        {
            str(each.parameters.get("instrument", ""))
            for each in with_operands(list(placed)).values()
            if each.source == "surveys"
        }
    )


def _findings_on(asked: InstrumentVersion, principal: Principal) -> Iterator[Finding]:
    report = report_of(asked, principal=principal)
    url = reverse("surveys:validation-report", args=[asked.instrument.code, asked.number])
    name = {"name": asked}
    if report.reading is None:
        yield Finding(Verdict.UNKNOWN, _("“%(name)s” has no report on its soundness.") % name, url)
        return
    told = [each for each in report.verdicts if each.tone in (Tone.WATCH, Tone.BAD)]
    for each in told:
        said = {**name, "question": each.question, "answer": each.answer}
        text = _("“%(name)s”: %(question)s %(answer)s") % said
        yield Finding(Verdict(each.tone.value), text, url)
    if not told:
        said = {**name, "good": report.good, "all": len(report.verdicts)}
        text = _("“%(name)s”: %(good)s of %(all)s questions about it have a good answer.") % said
        yield Finding(Verdict.GOOD if report.good else Verdict.UNKNOWN, text, url)
