"""House rules about imports and files; the layers themselves are contracts in pyproject.toml."""

import ast

import pytest
from importlinter.cli import lint_imports

from tests.house import APPS, FRONT_DOORS, Source, sources

ORDER = (
    ("urls",),
    ("views", "api", "tasks", "handlers", "admin", "panels"),
    ("forms", "serializers", "filters"),
    ("services",),
    ("sources", "rules", "openers"),
    ("importers",),
    ("queries",),
    ("models",),
)
"""The files of a room, highest first; a file imports from its room only what stands lower."""
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}

OWN_NAMES = {
    *("sqcore.base", "sqcore.identity", "sqcore.project", "sqcore.stats", "sqcore.management"),
    *("sqcore.demo", "surveys.demo", "surveys.management", "improvement.demo", "training.demo"),
}
"""Rooms that are no feature: they have names of their own."""
THINGS = {
    "improvement.cycle": {
        *("board", "charted", "drawing", "effect_page", "evidence", "history", "intake"),
        *("next_steps", "pages", "plan", "reopening", "review", "telling", "ticket_page"),
        *("transitions", "verbs"),
    },
    "improvement.tickets": {"comments", "files", "from_signals", "telling"},
    "improvement.verification": {
        *("another", "evidence", "judging", "planning", "windows", "wording"),
    },
    "sqcore.access": {"authentication"},
    "sqcore.audit": {"triggers"},
    "sqcore.causes": {"taxonomy"},
    "sqcore.comparators": {"comparing", "pages", "rows", "series"},
    "sqcore.dashboards": {"figures", "navigation", "specimens", "tags"},
    "sqcore.encounters": {
        *("drawing", "intake", "overview", "process", "process_page", "process_tables"),
        *("process_words", "rows", "sums", "timeline"),
    },
    "sqcore.evaluation": {
        *("changes", "chosen", "clear_changes", "due", "exports", "figures", "frozen", "groups"),
        *("hero", "indicator_page", "kpi_page", "lattice", "leaves", "published"),
        *("quality_page", "release", "standard_errors", "standings", "tables", "unit_page"),
        *("unit_scores", "unit_table", "wording"),
    },
    "sqcore.files": {
        *("cells", "encodings", "kinds", "mapping", "paper", "personal", "storage", "toml"),
        "writing",
    },
    "sqcore.indicators": {
        *("catalogue_forms", "catalogue_views", "cataloguing", "companions", "conditions"),
        *("definition", "draft_views", "drafts", "epochs", "fields", "form_page", "pages"),
        *("ready", "shape_forms", "shapes", "starters", "targets", "trees"),
    },
    "sqcore.jobs": {"runner"},
    "sqcore.measurements": {"intake", "rows", "states", "uptime", "withdrawal"},
    "sqcore.monitoring": {
        *("addresses", "chance", "charts", "drawing", "early", "early_page", "foretelling"),
        *("funnel", "funnel_page", "kinds", "lines", "outlook", "outlook_page", "pages"),
        *("passes", "rare", "signals_page", "watching", "wording"),
    },
    "sqcore.org": {"directory", "rows", "shifts"},
    "sqcore.performance": {
        *("batches", "dispute_pages", "disputes", "drawing", "due", "gathering", "judging"),
        *("measures", "own_pages", "people_page", "person_page", "rules_page", "runs", "watching"),
        *("windows", "wording"),
    },
    "sqcore.publication": {
        *("differences", "differences_page", "pages", "port", "validations"),
    },
    "sqcore.questionnaires": {"port"},
    "sqcore.reports": {
        *("comparison", "evidence", "operations", "pages", "paper", "review", "sections"),
        *("spread", "wording"),
    },
    "sqcore.webhooks": {"sending"},
    "sqcore.weighting": {
        *("expert_page", "links", "measured", "methods", "pages", "port", "robustness", "rounds"),
        *("scoring", "wording"),
    },
    "surveys.analyses": {"groups", "port", "release", "wording"},
    "surveys.churn": {"pages", "shares", "signs", "trials", "wording"},
    "surveys.drivers": {
        *("drawing", "effects", "figures", "kinds", "pages", "predictors", "reading", "review"),
        *("stated", "wording"),
    },
    "surveys.gaps": {"expectations", "expected", "kinds", "pages", "shifts", "wording"},
    "surveys.imports": {
        *("ground", "guesses", "intake", "mapping", "reading", "report"),
    },
    "surveys.instruments": {"codebook", "definitions"},
    "surveys.invitations": {"crowd", "links", "rates", "sampling"},
    "surveys.questionnaires": {"engine"},
    "surveys.representation": {"margins", "pages", "weighing", "wording"},
    "surveys.responses": {"about_people", "intake", "items", "pages", "sums"},
    "surveys.validation": {
        *("attention", "conventions", "kinds", "pages", "reading", "soundness", "structure"),
        *("verdict", "verdicts"),
    },
    "training.certificates": {"files", "pages"},
    "training.competencies": {"evidence", "pages"},
    "training.courses": {"pages"},
    "training.enrolments": {"pages", "several"},
    "training.incentives": {
        *("award_pages", "deciding", "facts", "guards", "ledger_pages", "marks", "payroll"),
        *("proposing", "readers", "recognition", "rule_checks", "rule_parameters"),
        *("rule_refusals", "rule_sentences", "rulebook", "scheme_pages", "schemes"),
        *("trial_page", "trials", "wall_page", "wording"),
    },
    "training.requirements": {"pages", "rulebook"},
    "training.records": {"calendar", "fairness", "feed", "mine", "pages", "review", "rows"},
}
"""What is really a thing of its own in a room, beside the usual files."""


def test_import_contracts_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    broken = lint_imports(no_cache=True)

    assert not broken, capsys.readouterr().out


def _in_rooms() -> list[Source]:
    return [s for s in sources() if s.room and s.name.count(".") == 2 and s.room not in OWN_NAMES]


def test_rooms_have_only_the_files_of_the_house() -> None:
    strange = [
        source.name
        for source in _in_rooms()
        if source.file not in LEVEL and source.file not in THINGS.get(source.room, set())
    ]

    assert strange == []


def test_the_list_of_things_names_only_what_is_there() -> None:
    present = {source.name for source in sources()}
    listed = {f"{room}.{file}" for room, files in THINGS.items() for file in files}

    assert listed - present == set()


def test_files_of_a_room_import_only_lower_ones() -> None:
    wrong = []
    for source in _in_rooms():
        for imported in source.imports:
            parts = imported.split(".")
            target = parts[2] if len(parts) > 2 and ".".join(parts[:2]) == source.room else ""
            if {source.file, target} <= set(LEVEL) and LEVEL[target] <= LEVEL[source.file]:
                wrong.append(f"{source.name} imports {imported}")

    assert wrong == []


def test_front_doors_are_imported_by_nobody() -> None:
    doors = {f"{app}.{door}" for app in APPS for door in FRONT_DOORS}
    wrong = [
        f"{source.name} imports {imported}"
        for source in sources()
        for imported in source.imports
        if source.file != "apps" or source.room
        for door in doors
        if imported == door or imported.startswith(f"{door}.")
    ]

    assert wrong == []


@pytest.mark.parametrize("door", ["models", "admin", "tasks", "handlers"])
def test_front_doors_list_every_room(door: str) -> None:
    missing = []
    for app in APPS:
        rooms = {s.room for s in sources() if s.app == app and s.room and s.file == door}
        rooms.discard(f"{app}.project")
        listed = {
            ".".join(imported.split(".")[:2])
            for source in sources()
            if source.name == f"{app}.{door}"
            for imported in source.imports
        }
        missing += sorted(f"{app}/{door}.py misses {room}" for room in rooms - listed)

    assert missing == []


def test_nothing_is_imported_by_a_string_outside_the_roof() -> None:
    forbidden = {"import_module", "__import__", "import_string", "symbol_by_name"}
    wrong = [
        f"{source.name}:{node.lineno}"
        for source in sources()
        if source.room != "sqcore.project"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in forbidden
    ]

    assert wrong == []


def test_star_imports_stay_in_the_settings() -> None:
    wrong = [
        source.name
        for source in sources()
        if not source.name.startswith("sqcore.project.settings")
        and any(imported.endswith(".*") for imported in source.imports)
    ]

    assert wrong == []
