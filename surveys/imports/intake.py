"""One pass through a file: what can be stored, and a tally of everything else."""

import hmac
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from sqcore.files.importers import Table, open_table
from sqcore.files.personal import looks_personal
from surveys.campaigns.models import Campaign
from surveys.imports.ground import Ground, period_of, survey
from surveys.imports.mapping import ImportMapping
from surveys.imports.models import Import
from surveys.imports.reading import Draft, Fault, Plan, make_plan
from surveys.imports.report import Tally
from surveys.responses.models import Response

AT_ONCE = 2000
SAMPLE_ROWS = 200


class Intake:
    """One pass through a file: drafts that can be stored, and a tally of everything else."""

    def __init__(self, table: Table, plan: Plan, ground: Ground, imported: Import) -> None:
        self.table = table
        self.plan = plan
        self.ground = ground
        self.imported = imported
        self.tally = Tally()
        self._names = {role.strip("[]"): column for column, role in plan.roles.items()}
        self._rows_of_keys: dict[str, int] = {}
        is_anonymous = (
            ground.campaign.mode if ground.campaign else plan.mapping.campaign.mode
        ) == Campaign.Mode.ANONYMOUS
        self._secret = (
            salted_hmac("surveys.imports.keys", plan.mapping.campaign.code).digest()
            if is_anonymous
            else b""
        )

    def batches(self) -> Iterator[list[Draft]]:
        """Yield what can be stored, in pieces. raises: InvalidInput when the file breaks off"""
        drafts = self._drafts()
        while piece := list(islice(drafts, AT_ONCE)):
            kept = self._without_known(piece)
            for draft in kept:
                self.tally.take(draft)
            yield kept

    def _drafts(self) -> Iterator[Draft]:
        for row in self.table.rows():
            draft, faults = self.plan.read(row)
            if draft is not None:
                draft.answered_on = period_of(draft.answered_on, self.plan.mapping)
                unknown = self.ground.faults(draft, self._names) or self._repeated(draft)
                if not unknown:
                    self.tally.note(faults)
                    yield draft
                    continue
                faults += unknown
            self.tally.leave_out(faults)

    def _repeated(self, draft: Draft) -> list[Fault]:
        """Name a key that an earlier row has; turn the key into the one that is stored."""
        if not self.plan.key:
            draft.key = f"{self.imported.file_digest[:24]}:{draft.row}"
            return []
        shown = draft.key[:40]
        first = self._rows_of_keys.setdefault(draft.key, draft.row)
        if first != draft.row:
            return [
                Fault(
                    draft.row,
                    self.plan.key.name,
                    shown,
                    _("row %(first)s has the same key") % {"first": first},
                )
            ]
        if self._secret:
            # Whoever finds an anonymous answer must not find the person through the sender's key.
            draft.key = hmac.new(self._secret, draft.key.encode(), "sha256").hexdigest()[:40]
        return []

    def _without_known(self, drafts: list[Draft]) -> list[Draft]:
        """Leave out what the campaign has already."""
        if self.ground.campaign is None:
            return drafts
        known = set(
            Response.objects.filter(
                campaign=self.ground.campaign, external_key__in=[draft.key for draft in drafts]
            ).values_list("external_key", flat=True)
        )
        if not known:
            return drafts
        name = self.plan.key.name if self.plan.key else ""
        for draft in drafts:
            if draft.key in known:
                reason = _("is in already: this campaign has a response with the same key")
                self.tally.leave_out([Fault(draft.row, name, "", reason)])
        return [draft for draft in drafts if draft.key not in known]


def open_intake(imported: Import, path: Path, mapping: ImportMapping, *, today: date) -> Intake:
    """Open a stored file the way the mapping says. raises: InvalidInput when it does not fit"""
    table = open_table(path, layout=mapping.layout)
    ground = survey(mapping)
    plan = make_plan(mapping, table.header, ground.items, today=today)
    return Intake(table, plan, ground, imported)


def describe(intake: Intake) -> dict[str, Any]:
    """Return what was found out about the file and what each column is read as."""
    table, plan = intake.table, intake.plan
    roles = plan.roles
    sample = [row.cells for row in islice(table.rows(), SAMPLE_ROWS) if not row.problem]
    unmapped = [
        name
        for name in table.header
        if name and name not in roles and name not in plan.mapping.ignore
    ]
    personal = looks_personal(table.header, sample)
    return {
        "file": {
            "kind": table.kind,
            "encoding": table.encoding,
            "is_guessed": table.kind == "csv" and not plan.mapping.layout.encoding,
            "delimiter": table.delimiter,
            "sheet": table.sheet,
            "columns": len(table.header),
        },
        "roles": roles,
        "absent": list(plan.absent),
        "unmapped": unmapped,
        "personal": [
            {"column": column, "kind": kind, "is_read": roles.get(column, "")}
            for column, kind in personal.items()
        ],
        "will_make": intake.ground.will_make,
        "already": _taken_before(intake.imported, plan.mapping.campaign.code),
    }


def _taken_before(imported: Import, campaign: str) -> str:
    """Return when this very file was taken into the campaign before; nothing if it was not."""
    before = (
        Import.objects.filter(
            file_digest=imported.file_digest, campaign__code=campaign, state=Import.State.DONE
        )
        .exclude(pk=imported.pk)
        .order_by("id")
        .first()
    )
    return before.created_at.date().isoformat() if before else ""
