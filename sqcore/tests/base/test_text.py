"""Texts of a notice: what is filled in stands there in each language's own way."""

from datetime import date

from django.utils.functional import lazystr

from sqcore.base.text import in_all_languages


def test_writes_a_day_as_each_language_does() -> None:
    told = in_all_languages(lazystr("by %(day)s"), day=date(2026, 3, 16))

    assert told == {"en": "by 16 Mar 2026", "zh-hans": "by 2026年3月16日"}


def test_fills_in_text_of_the_data() -> None:
    told = in_all_languages("%(name)s!", name={"en": "Branch", "zh-hans": "网点"})

    assert told == {"en": "Branch!", "zh-hans": "网点!"}
