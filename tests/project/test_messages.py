"""The committed catalogues are complete: `make messages` collects and compiles them."""

import importlib.util
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Catalog
from django.utils import translation

from sqcore.dashboards.tags import day

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", ROOT / "locale" / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def template() -> Catalog:
    catalog = Catalog()
    catalog.add("Unit %(name)s")
    catalog.add(("%(n)s answer", "%(n)s answers"))
    return catalog


@pytest.fixture
def committed(
    messages: ModuleType, template: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A catalogue of two texts, translated and compiled."""
    monkeypatch.setattr(messages, "ROOT", tmp_path)
    messages.update("zh_Hans", template)
    po = tmp_path / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
    _translate(
        po, 'msgid "Unit %(name)s"\nmsgstr ""', 'msgid "Unit %(name)s"\nmsgstr "单位%(name)s"'
    )
    _translate(po, 'msgstr[0] ""', 'msgstr[0] "%(n)s 份答卷"')
    messages.update("zh_Hans", template)
    return po


def _translate(po: Path, before: str, after: str) -> None:
    text = po.read_text(encoding="utf-8")
    assert before in text
    po.write_text(text.replace(before, after), encoding="utf-8")


def test_every_interface_text_is_translated_and_compiled(messages: ModuleType) -> None:
    template = messages.collected()

    found = [text for name in messages.LANGUAGES for text in messages.problems(name, template)]

    assert found == []


def test_templates_are_collected_with_plural_and_context(
    messages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "templates" / "page.html"
    page.parent.mkdir()
    page.write_text(
        '{% translate "Plain" %}\n'
        "      {% if a %}\n"
        '   {% translate "Light" context "appearance" as light %}{% stat _("Inside a tag") n %}\n'
        "{% endif %}{% blocktranslate count n=n %}one answer{% plural %}{{ n }} answers"
        "{% endblocktranslate %}<p>Ann's</p>\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(messages, "ROOT", tmp_path)

    found = {(message.id, message.context) for message in messages.collected() if message.id}

    assert found == {
        ("Plain", None),
        ("Light", "appearance"),
        ("Inside a tag", None),
        (("one answer", "%(n)s answers"), None),
    }


@pytest.mark.usefixtures("committed")
def test_a_complete_catalogue_has_no_problem(messages: ModuleType, template: Catalog) -> None:
    assert list(messages.problems("zh_Hans", template)) == []


@pytest.mark.usefixtures("committed")
def test_a_text_that_came_or_went_is_named(messages: ModuleType, template: Catalog) -> None:
    template.add("Later")
    template.delete("Unit %(name)s")

    assert list(messages.problems("zh_Hans", template)) == [
        "not collected: 'Later'",
        "no longer used: 'Unit %(name)s'",
    ]


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("单位%(name)s", "单位%(nmae)s", "translated with other placeholders: 'Unit %(name)s'"),
        ("单位%(name)s", "", "not translated: 'Unit %(name)s'"),
        (
            '#, python-format\nmsgid "Unit',
            '#, fuzzy, python-format\nmsgid "Unit',
            "not translated: 'Unit %(name)s'",
        ),
    ],
)
def test_a_damaged_translation_is_named(
    messages: ModuleType, template: Catalog, committed: Path, before: str, after: str, problem: str
) -> None:
    _translate(committed, before, after)

    assert list(messages.problems("zh_Hans", template)) == [
        problem,
        "django.mo is not what django.po compiles to",
    ]


def test_a_catalogue_that_was_not_compiled_is_named(
    messages: ModuleType, template: Catalog, committed: Path
) -> None:
    _translate(committed, "份答卷", "份")

    assert list(messages.problems("zh_Hans", template)) == [
        "django.mo is not what django.po compiles to"
    ]


def test_collecting_again_changes_nothing(
    messages: ModuleType, template: Catalog, committed: Path
) -> None:
    before = committed.read_bytes()

    messages.update("zh_Hans", template)

    assert committed.read_bytes() == before


def test_days_are_written_the_chinese_way() -> None:
    with translation.override("zh-hans"):
        assert day(date(2026, 11, 22)) == "2026年11月22日"
