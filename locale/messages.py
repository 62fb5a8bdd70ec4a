"""Collects the interface texts of code and templates, and compiles the catalogues.

`python locale/messages.py` brings `django.po` up to date and writes `django.mo` beside it;
`--check` only says what is missing. Uses Babel, so that no gettext programs are needed.
"""

import io
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
APPS = ("sqcore", "surveys", "training", "improvement")
LANGUAGES = ("zh_Hans",)
NO_DATE = datetime(2000, 1, 1, tzinfo=UTC)
"""The history of the texts is in version control; a date here would change at every run."""
PLACEHOLDER = re.compile(r"%\(\w+\)\d*(?:\.\d+)?[sdf]|%[sd]|\{\w*\}|\$\w+")
KEYWORDS = {
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "_": None,
    "lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


RENAMED = re.compile(r"gettext\w* as (\w+)")


def _sources() -> Iterator[tuple[str, str]]:
    """Yield each file's path below the root and its text as Python that calls gettext."""
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if not {"tests", "migrations"} & set(path.parts):
                yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in {".html", ".txt"}:
            name = str(path.relative_to(ROOT))
            text = templatize(path.read_text(encoding="utf-8"), origin=name)
            # A template indents as it likes; Python would not read on.
            yield name, "\n".join(line.lstrip() for line in text.splitlines())


def collected() -> Catalog:
    """Return every interface text with the files it comes from."""
    catalog = Catalog(project="SQCore", charset="utf-8")
    for name, text in _sources():
        found = extract("python", io.BytesIO(text.encode()), KEYWORDS, ("Translators:",))
        for _line, message, comments, context in found:
            catalog.add(message, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalog


def _paths(language: str) -> tuple[Path, Path]:
    folder = ROOT / "locale" / language / "LC_MESSAGES"
    return folder / "django.po", folder / "django.mo"


def _current(language: str) -> Catalog:
    po, _mo = _paths(language)
    if not po.exists():
        return Catalog(locale=language, project="SQCore", charset="utf-8")
    with po.open("rb") as file:
        return read_po(file, locale=language)


def _compiled(catalog: Catalog) -> bytes:
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def update(language: str, template: Catalog) -> None:
    po, mo = _paths(language)
    po.parent.mkdir(parents=True, exist_ok=True)
    catalog = _current(language)
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    catalog.header_comment = f"# The interface of SQCore in {language}."
    catalog.creation_date = catalog.revision_date = NO_DATE
    catalog.last_translator = catalog.language_team = catalog.msgid_bugs_address = "SQCore"
    catalog.fuzzy = False
    with po.open("wb") as file:
        write_po(
            file, catalog, width=100, sort_output=True, omit_header=False, include_lineno=False
        )
    mo.write_bytes(_compiled(_current(language)))


def _keeps_placeholders(message: Message) -> bool:
    """Say whether every form asks for what the original does; one form may leave the number out."""
    originals, translations = _forms(message.id), _forms(message.string)
    asked = [set(PLACEHOLDER.findall(text)) for text in originals]
    said = [set(PLACEHOLDER.findall(text)) for text in translations]
    return all(asked[0] <= names <= asked[-1] for names in said)


def _forms(texts: str | Sequence[str] | None) -> Sequence[str]:
    return [texts] if isinstance(texts, str) else texts or [""]


def problems(language: str, template: Catalog) -> Iterator[str]:
    """Yield what keeps the committed catalogue from being complete and compiled."""
    _po, mo = _paths(language)
    catalog = _current(language)
    known = {(message.id, message.context) for message in catalog if message.id}
    wanted = {(message.id, message.context) for message in template if message.id}
    yield from (f"not collected: {text!r}" for text, _context in wanted - known)
    yield from (f"no longer used: {text!r}" for text, _context in known - wanted)
    for message in catalog:
        if not message.id:
            continue
        if message.fuzzy or not message.string or not all(message.string):
            yield f"not translated: {message.id!r}"
        elif not _keeps_placeholders(message):
            yield f"translated with other placeholders: {message.id!r}"
    if not mo.exists() or mo.read_bytes() != _compiled(catalog):
        yield "django.mo is not what django.po compiles to"


def main() -> int:
    template, check = collected(), "--check" in sys.argv[1:]
    found = [
        f"{path}: texts in {name}(…) are not collected; import it under a name of KEYWORDS"
        for path, text in _sources()
        for name in RENAMED.findall(text)
        if name not in KEYWORDS
    ]
    for language in LANGUAGES:
        if not check:
            update(language, template)
        found += [f"{language}: {problem}" for problem in problems(language, template)]
    for problem in found:
        print(problem)
    if found and check:
        print("make messages collects and compiles; the translation is in locale/.")
    return bool(found) if check else 0


if __name__ == "__main__":
    sys.exit(main())
