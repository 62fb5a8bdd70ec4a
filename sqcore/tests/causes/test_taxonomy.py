"""The taxonomy of causes: six classes, each with its “other”, in both languages."""

import pytest
from django.utils.translation import override

from sqcore.causes.taxonomy import CAUSES, READY, BrokenTaxonomy, taxonomy_from

TEXT = READY.read_text(encoding="utf-8")


def test_has_six_classes_with_five_causes_and_an_other_each() -> None:
    sizes = {each.code: len(each.causes) for each in CAUSES.classes}

    assert sizes == {
        "awareness": 6,
        "process": 6,
        "skills": 6,
        "standards": 6,
        "feedback": 6,
        "support": 6,
    }
    assert all(each.causes[-1].is_other for each in CAUSES.classes)
    assert len(CAUSES) == 36


def test_cause_is_found_by_its_code() -> None:
    cause = CAUSES["process-bottleneck"]

    assert CAUSES.class_of(cause).code == cause.of == "process"
    assert "process-bottleneck" in CAUSES
    assert "the-moon" not in CAUSES
    assert [each.code for each in CAUSES][:2] == [
        "awareness-customer-view",
        "awareness-goals",
    ]


def test_names_are_read_in_the_language_of_the_reader() -> None:
    with override("zh-hans"):
        assert (str(CAUSES.classes[1]), str(CAUSES["support-outage"])) == ("流程", "系统或设备故障")
    with override("en"):
        assert str(CAUSES.classes[1]) == "Process"


@pytest.mark.parametrize(
    ("former", "new", "why"),
    [
        ('code = "process"', 'code = "procedure"', "process-bottleneck does not begin"),
        ('code = "process-other"', 'code = "process-rest"', "does not end with its one"),
        ('"process-steps"', '"process-scheduling"', "stands for two causes"),
        ('"process-steps"', f'"process-{"x" * 50}"', "too long"),
        ('zh-hans = "流程"', 'de = "Ablauf"', "needs a name in en and zh-hans"),
        ('zh-hans = "流程"', 'zh-hans = " "', "needs a name"),
    ],
)
def test_broken_file_stops_the_program(former: str, new: str, why: str) -> None:
    assert TEXT.count(former) == 1

    with pytest.raises(BrokenTaxonomy, match=why):
        taxonomy_from(TEXT.replace(former, new))


def test_missing_class_stops_the_program() -> None:
    without = TEXT[: TEXT.index('[[classes]]\ncode = "support"')]

    with pytest.raises(BrokenTaxonomy, match="the classes are not"):
        taxonomy_from(without)
