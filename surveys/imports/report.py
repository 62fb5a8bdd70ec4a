"""The report of an import: what was read, taken, left out, and why. Kept as JSON. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from surveys.imports.reading import Draft, Fault

KEPT_FAULTS = 5000
KEPT_VALUES = 200


@dataclass
class Tally:
    """Counts while a file is read; every row that is read is either taken or left out."""

    read: int = 0
    taken: int = 0
    left_out: int = 0
    answers_dropped: int = 0
    first_on: date | None = None
    last_on: date | None = None
    faults: list[Fault] = field(default_factory=list)
    faults_beyond: int = 0
    outside: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)
    first_rows: dict[tuple[str, str, str, bool], int] = field(default_factory=dict)
    used_units: Counter[str] = field(default_factory=Counter)

    def take(self, draft: Draft) -> None:
        self.read += 1
        self.taken += 1
        self.used_units[draft.unit] += 1
        day = draft.answered_on
        self.first_on = min(self.first_on or day, day)
        self.last_on = max(self.last_on or day, day)

    def leave_out(self, faults: Sequence[Fault]) -> None:
        self.read += 1
        self.left_out += 1
        self.note(faults)

    def note(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            self._count(fault)
            self.answers_dropped += not fault.costs_row
            if len(self.faults) < KEPT_FAULTS:
                self.faults.append(fault)
            else:
                self.faults_beyond += 1

    def _count(self, fault: Fault) -> None:
        key = (fault.column, fault.value, fault.reason, fault.costs_row)
        if key not in self.first_rows and len(self.first_rows) >= KEPT_VALUES:
            # Each of very many values once: count them by their reason alone.
            key = (fault.column, "…", fault.reason, fault.costs_row)
        self.outside[key] += 1
        self.first_rows.setdefault(key, fault.row)

    def as_json(self) -> dict[str, Any]:
        return {
            "read": self.read,
            "taken": self.taken,
            "left_out": self.left_out,
            "answers_dropped": self.answers_dropped,
            "first_on": self.first_on.isoformat() if self.first_on else "",
            "last_on": self.last_on.isoformat() if self.last_on else "",
            "units": dict(self.used_units.most_common(100)),
            "outside": [
                {
                    "column": column,
                    "value": value,
                    "reason": reason,
                    "costs_row": costs_row,
                    "count": count,
                    "first_row": self.first_rows[column, value, reason, costs_row],
                }
                for (column, value, reason, costs_row), count in self.outside.most_common()
            ],
            "faults": [
                [fault.row, fault.column, fault.value, fault.reason, fault.costs_row]
                for fault in self.faults
            ],
            "faults_beyond": self.faults_beyond,
        }


def fault_rows(report: Mapping[str, Any]) -> list[Sequence[Any]]:
    """Return what a report names, row by row: row, column, value, reason, what it cost."""
    return [
        [row, column, value, reason, "row" if costs_row else "answer"]
        for row, column, value, reason, costs_row in report.get("faults", [])
    ]
