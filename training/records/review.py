"""Training in the review of a unit and a period: who took part, and what is owed now."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, Q, Sum

from sqcore.identity.permissions import Permission
from sqcore.reports.evidence import Question
from training.courses.models import Course
from training.enrolments.models import Enrolment
from training.requirements.queries import coverage

LISTED = 12


@dataclass(frozen=True)
class CourseTaken:
    """What people of the unit did of one course: how many, and their hours by its lists."""

    course: Course
    people: int
    passed: int
    minutes: int

    @property
    def hours(self) -> float:
        return self.minutes / 60


@dataclass(frozen=True)
class TrainingSection:
    """Courses that people of the unit and of those below concluded in the period, and how far they
    are today with what they owe."""

    key: str = "training.records"
    order: int = 20
    template_name: str = "training/records/_review.html"

    def context(self, question: Question) -> Mapping[str, object] | None:
        scope = question.principal.scope(Permission.VIEW_TRAINING)
        units = [unit for unit in question.below if unit in scope]
        if not units:
            return None
        courses = _taken(question, units)
        owed = [
            row for row in coverage(question.principal, on=question.today) if row.unit_id in units
        ]
        return {
            "courses": courses[:LISTED],
            "more": len(courses) - LISTED,
            "owed": sum(row.total for row in owed),
            "open": sum(row.open for row in owed),
            "overdue": sum(row.overdue for row in owed),
            "today": question.today,
        }


def _taken(question: Question, units: list[int]) -> list[CourseTaken]:
    """Return the courses, those of most people first. Two queries."""
    rows = (
        Enrolment.objects.visible_to(question.principal, on=question.today)
        .filter(
            unit_id__in=units,
            concluded_on__gte=question.period.start,
            concluded_on__lt=question.period.end,
            state__in=(Enrolment.State.PASSED, Enrolment.State.FAILED),
        )
        .order_by()
        .values("session__version__course")
        .annotate(
            people=Count("staff", distinct=True),
            passed=Count("staff", filter=Q(state=Enrolment.State.PASSED), distinct=True),
            sum_of_minutes=Sum("minutes"),
        )
    )
    found = {row["session__version__course"]: row for row in rows}
    courses = Course.objects.in_bulk(found)
    taken = [
        CourseTaken(courses[pk], row["people"], row["passed"], row["sum_of_minutes"] or 0)
        for pk, row in found.items()
    ]
    return sorted(taken, key=lambda each: (-each.people, each.course.code))
