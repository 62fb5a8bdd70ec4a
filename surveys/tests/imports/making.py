"""Plain makers for the tests of imports: files, mappings, checked imports."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqcore.identity.principals import Principal, system_principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import run_inline
from sqcore.tests.factories import NOW, TODAY
from surveys.imports.mapping import read_mapping
from surveys.imports.models import Import
from surveys.imports.services import check, keep_file, take

SYSTEM = system_principal("test")
DATA = Path(__file__).with_name("data")

CSV = """id,branch,day,speed,care,told
1,north,2026-02-01,7,6,quick
2,south,2026-02-02,3,9,
3,north,2026-02-03,99,5,
"""


def raw_mapping(**over: Any) -> dict[str, Any]:
    """A mapping of the small file: two scored items and a comment, units from a column."""
    raw: dict[str, Any] = {
        "campaign": {"code": "visits", "name": "Visits"},
        "units": [
            {"code": "whole"},
            {"code": "north", "parent": "whole"},
            {"code": "south", "parent": "whole"},
        ],
        "instrument": {
            "code": "visit",
            "languages": ["en"],
            "name": {"en": "Visit"},
            "dimensions": [{"code": "service", "name": {"en": "Service"}}],
            "items": [
                {"code": "speed", "dimension": "service", "text": {"en": "Fast"}},
                {"code": "care", "dimension": "service", "text": {"en": "Kind"}},
                {"code": "told", "kind": "comment", "role": "context", "text": {"en": "More"}},
            ],
        },
        "answers": {"not_applicable": [99]},
        "columns": {"speed": "speed", "care": "care", "told": "told"},
        "unit": {"column": "branch"},
        "date": {"column": "day"},
        "key": {"column": "id"},
    }
    return raw | over


def keep(
    content: str | bytes = CSV,
    raw: Mapping[str, Any] | None = None,
    *,
    name: str = "answers.csv",
    by: Principal = SYSTEM,
) -> Import:
    data = content.encode() if isinstance(content, str) else content
    mapping = read_mapping(raw if raw is not None else raw_mapping())
    return keep_file(file_name=name, chunks=[data], mapping=mapping, by=by, now=NOW)


def checked(
    content: str | bytes = CSV,
    raw: Mapping[str, Any] | None = None,
    *,
    name: str = "answers.csv",
) -> Import:
    return check(imported=keep(content, raw, name=name), by=SYSTEM, today=TODAY)


def taken(content: str | bytes = CSV, raw: Mapping[str, Any] | None = None) -> Import:
    imported = checked(content, raw)
    run_inline(started(imported), now=NOW)
    imported.refresh_from_db()
    return imported


def started(imported: Import) -> Job:
    return take(imported=imported, by=SYSTEM, now=NOW, tell_worker=False)
