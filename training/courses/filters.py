"""By what courses and sessions can be filtered over REST. Nothing else is looked at."""

from django_filters import BooleanFilter, CharFilter, ChoiceFilter, FilterSet

from sqcore.org.filters import IsoDateFilter
from training.courses.models import Course, Session


class CourseFilter(FilterSet):
    code = CharFilter(help_text="The code of a course", max_length=50)
    is_active = BooleanFilter(help_text="Only courses that are offered, or not")

    class Meta:
        model = Course
        fields: list[str] = []


class SessionFilter(FilterSet):
    code = CharFilter(help_text="The code of a session", max_length=50)
    course = CharFilter("version__course__code", help_text="The code of a course", max_length=50)
    unit = CharFilter("unit__code", help_text="The code of a unit", max_length=50)
    state = ChoiceFilter(choices=Session.State.choices, help_text="Only sessions in this state")
    starts_from = IsoDateFilter("starts_on", "gte", help_text="First day on or after this one")
    starts_before = IsoDateFilter("starts_on", "lt", help_text="First day before this one")

    class Meta:
        model = Session
        fields: list[str] = []
