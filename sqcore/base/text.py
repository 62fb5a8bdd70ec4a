"""Text that belongs to the data: one value a language, `{"en": "Branch", "zh-hans": "网点"}`."""

from collections.abc import Mapping
from datetime import date

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.formats import date_format, number_format
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext, override
from django.utils.translation import gettext_lazy as _

TranslatedText = dict[str, str]
MINUS = "−"


def in_language(text: Mapping[str, str], language: str | None = None) -> str:
    """Return the text in `language` (default: the active one), else English, else any.

    >>> in_language({"en": "Branch", "zh-hans": "网点"}, "zh-hans")
    '网点'
    >>> in_language({"zh-hans": "网点"}, "en")
    '网点'
    >>> in_language({}, "en")
    ''
    """
    wanted = language or get_language() or "en"
    for key in (wanted, "en"):
        if text.get(key):
            return text[key]
    return next((value for value in text.values() if value), "")


def in_all_languages(
    text: str | Promise, **values: str | Promise | Mapping[str, str] | date
) -> TranslatedText:
    """Return an interface text, with its %(names)s filled in, in every language of the house.

    text: lazily translated, as a value may be too; or a value is text of the data, or a day

    >>> in_all_languages("New: %(name)s", name={"en": "Branch", "zh-hans": "网点"})
    {'en': 'New: Branch', 'zh-hans': 'New: 网点'}
    """
    found = {}
    for language, _name in settings.LANGUAGES:
        with override(language):
            found[language] = str(text) % {key: _filled(value) for key, value in values.items()}
    return found


def _filled(value: str | Promise | Mapping[str, str] | date) -> str:
    if isinstance(value, Mapping):
        return in_language(value)
    return day(value) if isinstance(value, date) else str(value)


def validate_translated(value: object) -> None:
    """Refuse anything but a mapping of language codes to strings with at least one text."""
    if not isinstance(value, dict) or not any(value.values()):
        raise ValidationError(_("Give the text in at least one language."))
    if not all(isinstance(k, str) and isinstance(v, str) for k, v in value.items()):
        raise ValidationError(_("Languages and texts must be strings."))


def day(value: date) -> str:
    """Return a day as the reader's language writes it: 2 Mar 2026."""
    # Translators: a day, in the letters of Django's date filter
    return date_format(value, gettext("j M Y"))


def number(value: float, decimals: int) -> str:
    """Return a number as the reader's language writes it, with a real minus."""
    rounded = round(value, decimals) + 0.0  # no “-0.0”
    return number_format(rounded, decimals, force_grouping=True).replace("-", MINUS)


def signed(value: float, decimals: int) -> str:
    text = number(value, decimals)
    return f"+{text}" if round(value, decimals) > 0 else text
