"""Ready systems: what they say, and installing one where not everything is there yet."""

from datetime import date
from decimal import Decimal

import pytest

from sqcore.audit.models import AuditEntry
from sqcore.base.errors import Conflict, NotFound, NotPermitted
from sqcore.indicators.cataloguing import change_indicator
from sqcore.indicators.importers import ready_measures, ready_system, ready_systems
from sqcore.indicators.models import Dimension, Indicator, SystemVersion, Target, UnitOfMeasure
from sqcore.indicators.ready import install_ready_system
from sqcore.indicators.services import problems_of_draft
from sqcore.indicators.sources import Between
from sqcore.tests.evaluation.bank import SYSTEM
from sqcore.tests.factories import NOW, make_principal

SINCE = date(2026, 1, 1)

BANK = {
    "reliability": ("transaction-accuracy", "system-repair-time", "loans-decided-in-time"),
    "responsiveness": (
        "enquiry-answer-time",
        "counter-waiting-time",
        "equipment-repaired-in-time",
    ),
    "assurance": ("qualified-staff", "promises-kept", "privacy-safeguards"),
    "empathy": ("complaint-handling", "personal-recommendations", "care-activities"),
    "tangibles": ("cleanliness", "equipment-available", "staff-appearance"),
}


def _install(code: str = "bank", **over: object) -> SystemVersion:
    return install_ready_system(code=code, since=SINCE, by=SYSTEM, now=NOW, **over)  # type: ignore[arg-type]  # fields by name


class TestFiles:
    def test_there_are_the_bank_case_six_families_and_a_survey_alone(self) -> None:
        assert list(ready_systems()) == ["bank", "families", "servqual"]

    def test_the_six_families_are_those_of_the_experience(self) -> None:
        families = ready_system("families")

        assert [d.code for d in families.dimensions] == [
            *("satisfaction", "efficiency", "consistency", "value", "brand", "loyalty"),
        ]
        consistency = {
            indicator.parameters["between"]
            for indicator in families.indicators
            if indicator.statistic == "spread"
        }
        assert consistency == {each.value for each in Between} - {"segment"}

    def test_the_bank_case_has_five_dimensions_of_three(self) -> None:
        bank = ready_system("bank")

        assert {d.code: tuple(leaf.code for leaf in d.indicators) for d in bank.dimensions} == BANK
        assert bank.grains == ("week", "month", "quarter", "year")

    @pytest.mark.parametrize("code", ["bank", "families", "servqual"])
    def test_its_weights_sum_to_one_and_its_texts_are_in_two_languages(self, code: str) -> None:
        system = ready_system(code)
        said = [system.name, system.description]
        said += [dimension.name for dimension in system.dimensions]
        said += [indicator.name for indicator in system.indicators]
        said += [measure.name for measure in system.measures]
        said += [indicator.definition for indicator in system.indicators]

        assert sum(d.weight for d in system.dimensions) == 1
        assert all(sum(leaf.weight for leaf in d.indicators) == 1 for d in system.dimensions)
        assert all(set(text) == {"en", "zh-hans"} and all(text.values()) for text in said)

    @pytest.mark.parametrize("code", ["bank", "families", "servqual"])
    def test_goalposts_targets_and_units_fit(self, code: str) -> None:
        system = ready_system(code)
        indicators = {indicator.code: indicator for indicator in system.indicators}
        for leaf in (leaf for d in system.dimensions for leaf in d.indicators):
            one = indicators[leaf.code]
            low, high = sorted((leaf.worst, leaf.best))
            assert (leaf.best > leaf.worst) == (one.direction == "higher"), leaf.code
            assert one.target is None or low <= one.target <= high, leaf.code
            assert one.unit in UnitOfMeasure.values, leaf.code

    def test_it_lists_the_measures_that_it_needs(self) -> None:
        needed = {
            indicator.parameters["measure"]
            for indicator in ready_system("bank").indicators
            if indicator.source == "measurements"
        }

        assert {measure.code for measure in ready_measures("bank")} == needed
        assert len(needed) == 7

    def test_what_a_formula_needs_stands_before_it(self) -> None:
        codes = [indicator.code for indicator in ready_system("bank").indicators]
        accuracy = next(i for i in ready_system("bank").indicators if i.formula)

        assert accuracy.needs == ("transaction-error-rate",)
        assert codes.index("transaction-error-rate") < codes.index("transaction-accuracy")

    def test_another_one_is_not_found(self) -> None:
        with pytest.raises(NotFound, match="no ready system “hotel”"):
            ready_system("hotel")


@pytest.mark.django_db
class TestInstall:
    def test_makes_a_draft_with_indicators_weights_and_targets(self) -> None:
        draft = _install()

        assert (draft.state, draft.system.code, draft.number) == ("draft", "service-quality", 1)
        assert draft.target == 75.0
        weights = Dimension.objects.filter(version=draft).values_list("code", "weight")
        assert dict(weights)["reliability"] == Decimal("0.380300000000")
        assert Indicator.objects.count() == 16
        waiting = Target.objects.get(indicator__code="counter-waiting-time")
        assert (waiting.value, waiting.floor, waiting.valid_from) == (8.0, 12.0, SINCE)
        assert AuditEntry.objects.filter(action="indicator.defined").count() == 16

    def test_what_is_not_measured_yet_is_named_by_the_check(self) -> None:
        draft = _install()

        named = [problem.field for problem in problems_of_draft(draft)]

        assert "transaction-accuracy" in named
        assert "qualified-staff" in named
        assert set(named) <= {code for codes in BANK.values() for code in codes}

    def test_indicators_that_are_there_are_used_as_they_are(self) -> None:
        _install()
        kept = Indicator.objects.get(code="cleanliness")
        change_indicator(indicator=kept, changes={"name": {"en": "Clean"}}, by=SYSTEM, now=NOW)

        _install(system_code="second")

        assert Indicator.objects.get(code="cleanliness").name == {"en": "Clean"}
        assert Target.objects.filter(indicator=kept).count() == 1

    def test_a_code_that_stands_for_something_else_stops_it(self) -> None:
        _install("servqual")
        waiting = Indicator.objects.get(code="overall-judgement")
        Indicator.objects.filter(pk=waiting.pk).update(code="cleanliness")

        with pytest.raises(Conflict, match="“cleanliness” already stands for another measure"):
            _install()

        assert not SystemVersion.objects.filter(system__code="service-quality").exists()

    def test_a_second_draft_is_refused(self) -> None:
        _install()

        with pytest.raises(Conflict, match="There is a draft already"):
            _install()

        assert SystemVersion.objects.count() == 1

    def test_needs_the_permission(self) -> None:
        chen = make_principal({}, key="user:9")

        with pytest.raises(NotPermitted):
            install_ready_system(code="bank", since=SINCE, by=chen, now=NOW)

        assert not Indicator.objects.exists()

    def test_one_that_does_not_exist_leaves_the_catalogue_alone(self) -> None:
        with pytest.raises(NotFound):
            _install("hotel")

        assert not Indicator.objects.exists()
