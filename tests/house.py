"""The house as a list of source files and what each imports, for the tests of its rules."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
APPS = ("sqcore", "surveys", "training", "improvement")
FRONT_DOORS = ("models", "admin", "tasks", "urls", "api_urls", "plugins", "handlers")


@dataclass(frozen=True)
class Source:
    """One module of the product (no tests, no migrations)."""

    name: str
    tree: ast.Module

    @property
    def app(self) -> str:
        return self.name.split(".")[0]

    @property
    def room(self) -> str:
        """`app.room`, or the empty string for what stands in the app's own folder."""
        parts = self.name.split(".")
        return ".".join(parts[:2]) if len(parts) > 2 else ""

    @property
    def file(self) -> str:
        return self.name.split(".")[-1]

    @property
    def imports(self) -> Iterator[str]:
        """Every imported name in full: `from a.b import c` counts as a.b.c."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def sources() -> tuple[Source, ...]:
    """Return every module of the four apps."""
    found = []
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if path.stem != "__init__" and not {"tests", "migrations"} & set(parts):
                found.append(Source(".".join(parts), ast.parse(path.read_text(encoding="utf-8"))))
    return tuple(found)
