"""What the skills of a unit's people say for a diagnosis: how many lack one that is required."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from sqcore.base.text import number
from sqcore.identity.permissions import Permission
from sqcore.org.queries import organisation
from sqcore.reports.evidence import Effect, Evidence, Measured, Question
from sqcore.reports.rules import SHARE_MATTERS, direction
from sqcore.stats.proportions import wilson
from training.competencies.queries import gaps_of, people_at_work, required_of

TOLERABLE = 0.20
"""Which share of the people may lack a skill for a while: newcomers, and what has just run out."""


@dataclass(frozen=True)
class MissingSkills:
    """How many lack a skill that their post needs, on the last day of the period; who was never
    assessed in one is not known to lack it."""

    key: str = "skills.missing"
    cause: str = "skills"
    method: int = 1

    @property
    def title(self) -> str:
        return _("Required skills")

    def speak(self, question: Question) -> Evidence | None:
        principal, unit, day = question.principal, question.unit, question.last_day
        if not principal.may(Permission.VIEW_TRAINING, unit_id=unit.pk):
            return Evidence.not_enough(
                _("Told only to those who may see the training of people of this unit.")
            )
        staff = list(people_at_work(principal, unit=unit, on=day).values_list("pk", flat=True))
        needing = {staff_id for staff_id, _competency in required_of(staff, on=day)}
        if not needing:
            return None
        asked = urlencode({"unit": unit.code})
        url, title = f"{reverse('training:competencies-matrix')}?{asked}", _("The skill matrix")
        if len(needing) < organisation().smallest_group:
            why = _("Too few people of this unit have a post that needs skills.")
            return Evidence.not_enough(why, url=url, url_title=title)
        gaps = gaps_of(sorted(needing), on=day)
        lacking = {staff_id for (staff_id, _of), gap in gaps.items() if gap.seen_on is not None}
        unknown = {staff_id for staff_id, _of in gaps} - lacking
        known = len(needing) - len(unknown)
        if known < organisation().smallest_group:
            why = _(
                "Of %(n)s people whose post needs skills only %(known)s were assessed in them."
            ) % {"n": len(needing), "known": known}
            return Evidence.not_enough(why, url=url, url_title=title)
        return _told(question, len(lacking), known, url, title)


def _told(question: Question, lacking: int, n: int, url: str, title: str) -> Evidence:
    found = wilson([lacking], [n])
    ends = (lacking / n, float(found.low[0]), float(found.high[0]))
    value, low, high = (end - TOLERABLE for end in ends)
    name = _("share of people with a skill missing, beyond a tolerable fifth")
    effect = Effect(name, Measured.SHARE, value, low, high, SHARE_MATTERS, n, "people")
    said = _(
        "Of %(n)s people who were assessed in what their post needs %(lacking)s (%(share)s %%) "
        "lack some of it."
    ) % {"n": n, "lacking": lacking, "share": number(100 * lacking / n, 0)}
    return Evidence(
        direction(effect),
        said,
        effect,
        until=question.period.end,
        url=url,
        url_title=title,
    )
