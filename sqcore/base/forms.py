"""Form fields that the data of the house needs."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator

from sqcore.base.text import TranslatedText


class DayField(forms.DateField):
    """A day that can be meant: others are slips of the finger, and have no period before them."""

    def __init__(self, **options: Any) -> None:
        limits = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2200, 12, 31))]
        super().__init__(**options, validators=limits)


class TranslatedTextWidget(forms.MultiWidget):
    """One line for each language of the house, each with its language named."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        lines: dict[str, forms.Widget | type[forms.Widget]] = {
            code.replace("-", "_"): forms.TextInput(
                {"lang": code, "placeholder": language, "aria-label": language}
            )
            for code, language in settings.LANGUAGES
        }
        super().__init__(lines, attrs)

    def decompress(self, value: object) -> list[str]:
        texts = value if isinstance(value, dict) else {}
        return [texts.get(code, "") for code, _language in settings.LANGUAGES]


class TranslatedTextField(forms.MultiValueField):
    """A text in one or more languages; at least one when it is required."""

    widget = TranslatedTextWidget

    def __init__(self, **options: Any) -> None:
        for unused in ("encoder", "decoder"):
            options.pop(unused, None)
        lines = [forms.CharField(required=False) for _language in settings.LANGUAGES]
        super().__init__(fields=lines, require_all_fields=False, **options)

    def compress(self, data_list: Sequence[str]) -> TranslatedText:
        codes = [code for code, _language in settings.LANGUAGES]
        return {code: text for code, text in zip(codes, data_list, strict=False) if text}
