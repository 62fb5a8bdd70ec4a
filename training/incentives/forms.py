"""Forms of incentives: decisions, schemes, rules made from their parameters, words of thanks."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from sqcore.base.forms import DayField, TranslatedTextField
from training.incentives.guards import LONGEST_REASON
from training.incentives.models import Recognition, Scheme
from training.incentives.recognition import LONGEST_CONSENT, LONGEST_WORDS
from training.incentives.rule_parameters import NEEDED, Parameter
from training.incentives.rulebook import Rule
from training.incentives.schemes import GRAINS

MINOR = 100
NameOf = Callable[[str, Iterable[str]], list[tuple[str, str]]]
"""Returns, for a parameter and its codes, each code with its name."""


def _day(label: Any, **options: Any) -> DayField:
    return DayField(
        label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"), **options
    )


class DecisionForm(forms.Form):
    """One step of a proposal; the button says yes or no."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("Say what you looked at. It is kept with your name."),
    )
    decision = forms.ChoiceField(
        label=_("Decision"),
        choices=[("agree", _("Agree")), ("decline", _("Decline"))],
        widget=forms.HiddenInput,
        error_messages={"required": _("Choose to agree or to decline.")},
    )

    @property
    def agrees(self) -> bool:
        return bool(self.cleaned_data["decision"] == "agree")


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Why"), max_length=LONGEST_REASON, widget=forms.Textarea({"rows": 3})
    )


# ---- Schemes -------------------------------------------------------------------------------------
class MoneyField(forms.DecimalField):
    """An amount as people write it; its value is in minor units."""

    def __init__(self, *, least: int = 0, most: int, **options: Any) -> None:
        super().__init__(
            min_value=Decimal(least) / MINOR,
            max_value=Decimal(most) / MINOR,
            decimal_places=2,
            max_digits=17,
            **options,
        )

    def clean(self, value: Any) -> Any:
        given = super().clean(value)
        return None if given is None else int(given * MINOR)

    def prepare_value(self, value: Any) -> Any:
        return f"{Decimal(value) / MINOR:.2f}" if isinstance(value, int) else value


class SchemeForm(forms.Form):
    """A scheme; once its rules were published only its name and budget change."""

    name = TranslatedTextField(label=_("Name"))
    kind = forms.ChoiceField(label=_("Kind"), choices=Scheme.Kind.choices)
    grain = forms.ChoiceField(
        label=_("Every"), choices=[(each.value, each.label) for each in GRAINS], initial="quarter"
    )
    currency = forms.CharField(
        label=_("Currency"),
        max_length=3,
        required=False,
        initial="CNY",
        help_text=_("For schemes of pay."),
    )
    budget = MoneyField(
        label=_("Budget of a period"),
        most=10**15 - 1,
        required=False,
        help_text=_("For schemes of pay. Nothing beyond it can be granted in one period."),
    )


class NewSchemeForm(SchemeForm):
    code = forms.SlugField(
        label=_("Code"), max_length=50, help_text=_("Short, for programs; it never changes.")
    )
    field_order = ("code",)

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        if Scheme.objects.filter(code=code).exists():
            raise forms.ValidationError(_("There is a scheme with this code already."))
        return code


class VersionForm(forms.Form):
    valid_from = _day(
        _("From"), help_text=_("Rules hold from the running period on at the earliest.")
    )
    reason = forms.CharField(
        label=_("Why these rules"),
        max_length=300,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("Everybody who works here can read it."),
    )


class TrialForm(forms.Form):
    """Which periods to try rules on."""

    first = _day(_("From"))
    end = _day(_("Until"), help_text=_("Whole periods between both days that are over are tried."))


class ReviewForm(forms.Form):
    review = forms.CharField(
        label=_("Why it is right after all"),
        max_length=LONGEST_REASON,
        widget=forms.Textarea({"rows": 3}),
    )


# ---- Rules ---------------------------------------------------------------------------------------
FEW = 12
NAMED = {"amount"}
"""The parameters that are money."""


class RuleForm(forms.Form):
    """The parameters of a rule as fields, made from what the rule says they may be.

    Money is written as people write it, and only where a scheme has it.
    """

    def __init__(
        self, *args: Any, rule: Rule, scheme: Scheme, name_of: NameOf, **over: Any
    ) -> None:
        super().__init__(*args, **over)
        self.rule = rule
        self.without_money = scheme.kind != Scheme.Kind.PAY
        for parameter in rule.parameters():
            if parameter.name in NAMED and self.without_money:
                continue
            self.fields[parameter.name] = _field_of(parameter, scheme, name_of)

    @property
    def asked(self) -> dict[str, Any]:
        """Return the rule as schemes keep it."""
        nothing = NAMED & {each.name for each in self.rule.parameters()}
        given = dict.fromkeys(nothing, 0) if self.without_money else {}
        return {"rule": self.rule.key, **given, **self.cleaned_data}


def _field_of(parameter: Parameter, scheme: Scheme, name_of: NameOf) -> forms.Field:
    may = parameter.schema()
    default = None if parameter.default is NEEDED else parameter.default
    label = str(parameter.title)
    if may["type"] == "integer":
        if parameter.name in NAMED:
            titled = f"{label} ({scheme.currency})"
            return MoneyField(label=titled, least=may["minimum"], most=may["maximum"])
        return forms.IntegerField(
            label=label, min_value=may["minimum"], max_value=may["maximum"], initial=default
        )
    if may["type"] == "array":
        choices = name_of(parameter.name, may["items"]["enum"])
        few = len(choices) <= FEW
        return forms.MultipleChoiceField(
            label=label,
            choices=choices,
            required=bool(may.get("minItems")),
            widget=forms.CheckboxSelectMultiple if few else forms.SelectMultiple({"size": 10}),
        )
    if may["type"] == "object":
        return TranslatedTextField(label=label)
    return forms.ChoiceField(label=label, choices=name_of(parameter.name, may["enum"]))


# ---- Payroll -------------------------------------------------------------------------------------
class FreezeForm(forms.Form):
    currency = forms.ChoiceField(label=_("Currency"))
    through = _day(_("Entries until"), help_text=_("This day and all before it."))

    def __init__(self, *args: Any, currencies: Sequence[str], **over: Any) -> None:
        super().__init__(*args, **over)
        field = self.fields["currency"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(each, each) for each in currencies]


# ---- Words of thanks -----------------------------------------------------------------------------
class WordsForm(forms.Form):
    text = forms.CharField(
        label=_("Your words"),
        max_length=LONGEST_WORDS,
        widget=forms.Textarea({"rows": 4}),
        help_text=_("What the person did, and what it meant to you or to a customer."),
    )
    source = forms.ChoiceField(
        label=_("From"),
        choices=Recognition.Source.choices,
        initial=Recognition.Source.COLLEAGUE,
        widget=forms.RadioSelect,
    )
    consent_of_customer = forms.CharField(
        label=_("How the customer agreed"),
        max_length=LONGEST_CONSENT,
        required=False,
        help_text=_("Only for words of a customer: when and how they agreed to be quoted."),
    )


class AnswerForm(forms.Form):
    answer = forms.ChoiceField(choices=[("show", _("Show")), ("keep", _("Keep to myself"))])
