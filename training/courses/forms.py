"""Forms of courses and sessions, and the filters of the catalogue and the programme board.

Costs are asked in the currency and kept in cents; a slot is asked as a day and two times.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, QueryDict
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from sqcore.base.errors import DomainError
from sqcore.base.forms import DayField, TranslatedTextField
from sqcore.org.models import Staff
from training.competencies.models import Competency, Level
from training.courses.models import CourseVersion, Mode

Choices = Sequence[tuple[Any, Any]]
LINES = 6
"""Slots that a session may be given at once; one that has more can be given two more."""
LONGEST_SLOT = timedelta(hours=12)
Span = tuple[datetime, datetime]


def day_field(label: Any, **options: Any) -> DayField:
    return DayField(
        label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **options
    )


def long_field(label: Any, *, most: int, rows: int = 3, **options: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most, widget=forms.Textarea({"rows": rows}), **options
    )


class MoneyField(forms.DecimalField):
    """An amount in the currency; cleaned it is in cents."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, min_value=0, max_digits=12, decimal_places=2)

    def clean(self, value: Any) -> int | None:
        amount = super().clean(value)
        return None if amount is None else int(amount * 100)

    def prepare_value(self, value: Any) -> Any:
        return Decimal(value) / 100 if isinstance(value, int) else value


class StaffNumberField(forms.CharField):
    """The number of a staff member; cleaned it is the person."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, max_length=30)

    def clean(self, value: Any) -> Staff | None:
        number = super().clean(value)
        if not number:
            return None
        found = Staff.objects.filter(number=number).first()
        if found is None:
            raise forms.ValidationError(_("There is no staff member of this number."))
        return found

    def prepare_value(self, value: Any) -> Any:
        return value.number if isinstance(value, Staff) else value


class SlotsWidget(forms.MultiWidget):
    """A day, a start and an end for each slot."""

    use_fieldset = True

    def __init__(self, lines: int = LINES) -> None:
        self.lines = lines
        widgets: dict[str, forms.Widget | type[forms.Widget]] = {}
        for n in range(1, lines + 1):
            said = {
                "day": format_lazy(_("Slot {n}: day"), n=n),
                "from": format_lazy(_("Slot {n}: from"), n=n),
                "until": format_lazy(_("Slot {n}: until"), n=n),
            }
            widgets[f"day{n}"] = forms.DateInput(
                {"type": "date", "aria-label": said["day"]}, format="%Y-%m-%d"
            )
            for part in ("from", "until"):
                widgets[f"{part}{n}"] = forms.TimeInput(
                    {"type": "time", "aria-label": said[part]}, format="%H:%M"
                )
        super().__init__(widgets)

    def decompress(self, value: Sequence[Span] | None) -> list[Any]:
        parts: list[Any] = []
        for starts_at, ends_at in value or ():
            local = timezone.localtime(starts_at)
            parts += [local.date(), local.time(), timezone.localtime(ends_at).time()]
        return parts + [None] * (3 * self.lines - len(parts))


class SlotsField(forms.MultiValueField):
    """The slots of a session; cleaned they are pairs of moments. One that ends at an earlier hour
    than it starts ends on the next day."""

    def __init__(self, lines: int = LINES, **options: Any) -> None:
        parts: list[forms.Field] = []
        for _n in range(lines):
            parts += [
                DayField(required=False),
                forms.TimeField(required=False),
                forms.TimeField(required=False),
            ]
        super().__init__(
            fields=parts, require_all_fields=False, widget=SlotsWidget(lines), **options
        )

    def prepare_value(self, value: Any) -> Any:
        # A list of spans would be taken for the list of the parts.
        are_spans = bool(value) and isinstance(value[0], tuple)
        return self.widget.decompress(value) if are_spans else value

    def compress(self, data_list: Sequence[Any]) -> list[Span]:
        spans = []
        for n in range(0, len(data_list), 3):
            on, start, end = data_list[n : n + 3]
            if any(part not in (None, "") for part in (on, start, end)):
                spans.append(self._span(n // 3 + 1, on, start, end))
        return spans

    def _span(self, n: int, on: date | None, start: time | None, end: time | None) -> Span:
        if on is None or start is None or end is None:
            raise forms.ValidationError(
                _("Slot %(n)d needs a day, a start and an end."), params={"n": n}
            )
        zone = timezone.get_current_timezone()
        ends_on = on if end > start else on + timedelta(days=1)
        starts_at = datetime.combine(on, start, tzinfo=zone)
        ends_at = datetime.combine(ends_on, end, tzinfo=zone)
        if ends_at - starts_at > LONGEST_SLOT:
            raise forms.ValidationError(
                _("Slot %(n)d would last longer than 12 hours; look at its times."),
                params={"n": n},
            )
        return starts_at, ends_at


def add_refusal(form: forms.Form, refusal: DomainError) -> None:
    """Show in a form why the domain refused what was asked."""
    for problem in refusal.problems:
        form.add_error(problem.field if problem.field in form.fields else None, problem.reason)
    if not refusal.problems:
        form.add_error(None, refusal.message)


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what was sent, for a form; None when the page is only looked at."""
    return request.POST if request.method == "POST" else None


def carried_out(form: forms.Form, call: Callable[[dict[str, Any]], object]) -> bool:
    """True once the domain did what a valid form asks; why it refused stands in the form."""
    if not form.is_bound or not form.is_valid():
        return False
    try:
        call(form.cleaned_data)
    except DomainError as refusal:
        add_refusal(form, refusal)
        return False
    return True


class CourseForm(forms.Form):
    code = forms.SlugField(
        label=_("Code"), max_length=50, help_text=_("Short and for ever: safety-basics.")
    )
    name = TranslatedTextField(label=_("Name"))
    description = TranslatedTextField(
        label=_("What it is for"), required=False, help_text=_("One sentence.")
    )
    mode = forms.ChoiceField(label=_("Mode"), choices=Mode.choices)
    is_open = forms.BooleanField(label=_("People may enrol themselves"), required=False)
    is_active = forms.BooleanField(label=_("It is offered"), required=False, initial=True)

    def __init__(self, *args: Any, is_new: bool = True, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.fields["code"].disabled = not is_new


class PrerequisitesForm(forms.Form):
    needs = forms.MultipleChoiceField(
        label=_("Courses that must be passed before"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(self, *args: Any, courses: Choices, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.fields["needs"].choices = courses  # type: ignore[attr-defined]  # it is a choice field


class TaughtForm(forms.Form):
    """One choice of a level for each competency."""

    def __init__(self, *args: Any, competencies: Sequence[Competency], **kw: Any) -> None:
        super().__init__(*args, **kw)
        levels: list[tuple[str, str | Promise]] = [("", _("not taught"))]
        levels += [(str(level.value), level.label) for level in Level if level]
        for competency in competencies:
            self.fields[competency.code] = forms.TypedChoiceField(
                label=str(competency), coerce=int, choices=levels, required=False, empty_value=None
            )

    @property
    def levels(self) -> Mapping[str, int]:
        """The levels by the code of the competency."""
        return {code: level for code, level in self.cleaned_data.items() if level}


class VersionForm(forms.Form):
    outline = long_field(
        _("Outline"), most=20000, rows=8, required=False, help_text=_("What is taught, in order.")
    )
    minutes = forms.IntegerField(label=_("Minutes"), min_value=1, max_value=100_000)
    attendance = forms.IntegerField(
        label=_("Least attendance in per cent"), min_value=0, max_value=100, initial=80
    )
    pass_mark = forms.IntegerField(
        label=_("Pass mark in per cent"),
        min_value=1,
        max_value=100,
        required=False,
        help_text=_("Empty: there is no test, who attended has passed."),
    )
    attempts = forms.IntegerField(label=_("Attempts"), min_value=1, max_value=20, initial=3)
    certifies = forms.BooleanField(label=_("It gives a certificate"), required=False)
    valid_months = forms.IntegerField(
        label=_("Valid for months"),
        min_value=1,
        max_value=600,
        required=False,
        help_text=_("Empty: for ever."),
    )
    renewal = forms.ChoiceField(label=_("It holds"), choices=CourseVersion.Renewal.choices)
    renewal_month = forms.TypedChoiceField(
        label=_("Last month"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("", "–"), *((n, n) for n in range(1, 13))],
        help_text=_("The number of the month; only where it holds to the end of a month."),
    )
    due_days = forms.IntegerField(
        label=_("To be renewed so many days before it ends"),
        min_value=0,
        max_value=730,
        initial=60,
    )
    replaces_older = forms.BooleanField(
        label=_("Certificates of older versions end when this one is published"), required=False
    )
    reaction = forms.CharField(
        label=_("Questionnaire after it"),
        max_length=50,
        required=False,
        initial="training-reaction",
        help_text=_("The code of a questionnaire; empty: nobody is asked."),
    )


class SessionForm(forms.Form):
    """A session: planned, or changed when it is there."""

    version = forms.TypedChoiceField(label=_("Version"), coerce=int, choices=())
    code = forms.SlugField(
        label=_("Code"),
        max_length=50,
        required=False,
        help_text=_("Empty: made of the course and the first day."),
    )
    mode = forms.ChoiceField(label=_("Mode"), choices=Mode.choices)
    slots = SlotsField(label=_("Slots"), help_text=_("Day, start and end of each."))
    unit = forms.ChoiceField(label=_("Unit that holds it"), choices=(), required=False)
    place = forms.CharField(label=_("Place"), max_length=200, required=False)
    trainer = StaffNumberField(label=_("Staff number of the trainer"), required=False)
    provider = forms.CharField(
        label=_("Provider"),
        max_length=150,
        required=False,
        help_text=_("Who teaches, when it is nobody of the house."),
    )
    capacity = forms.IntegerField(label=_("Seats"), min_value=1, max_value=2000, initial=12)
    enrol_until = day_field(
        _("Enrol until"), required=False, help_text=_("Empty: until it starts.")
    )
    planned_cost = MoneyField(label=_("Planned cost"), required=False)

    def __init__(
        self, *args: Any, versions: Choices, units: Choices, is_new: bool = True, **kw: Any
    ) -> None:
        super().__init__(*args, **kw)
        self.fields["version"].choices = versions  # type: ignore[attr-defined]  # it is a choice field
        self.fields["unit"].choices = units  # type: ignore[attr-defined]  # it is a choice field
        held = len((kw.get("initial") or {}).get("slots", ()))
        if held > LINES - 2:
            former = self.fields["slots"]
            self.fields["slots"] = SlotsField(
                held + 2, label=former.label, help_text=former.help_text
            )
        if not is_new:
            del self.fields["code"], self.fields["version"]


class WhyForm(forms.Form):
    why = forms.CharField(label=_("Why"), max_length=300)


class CatalogueFilter(forms.Form):
    """What the catalogue is filtered by; what cannot be meant filters nothing."""

    text = forms.CharField(max_length=100, required=False)
    mode = forms.ChoiceField(choices=Mode.choices, required=False)
    open = forms.BooleanField(required=False)

    def asked(self) -> dict[str, Any]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}


class BoardFilter(forms.Form):
    """What the programme board is filtered by."""

    month = forms.RegexField(r"^20\d\d-(0[1-9]|1[0-2])$", required=False)
    course = forms.CharField(max_length=50, required=False)
    unit = forms.CharField(max_length=50, required=False)

    def asked(self) -> dict[str, str]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) or "" for name in self.fields}
