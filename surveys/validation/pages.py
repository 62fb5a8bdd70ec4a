"""The report on a questionnaire, ready to be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.utils.functional import Promise

from sqcore.base.periods import Period, title_of
from sqcore.identity.principals import Principal
from surveys.analyses.models import Analysis
from surveys.analyses.wording import sentence
from surveys.instruments.codebook import codebook_of
from surveys.instruments.models import InstrumentVersion, Item
from surveys.instruments.queries import version_named
from surveys.validation.attention import is_judged
from surveys.validation.conventions import ALL, Convention
from surveys.validation.kinds import Validation
from surveys.validation.queries import newest_first, period_of, reports_of
from surveys.validation.reading import Block, Number, Reading, Shares, reading_of
from surveys.validation.structure import tone_of
from surveys.validation.verdict import SYMBOLS, WORDS, Tone, Verdict
from surveys.validation.verdicts import verdicts_of


@dataclass(frozen=True)
class BlockLine:
    """A dimension, its verdict, and its alpha without those who were marked."""

    block: Block
    tone: Tone
    attentive: Number | None

    @property
    def word(self) -> str | Promise:
        return WORDS[self.tone]

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.tone]


@dataclass(frozen=True)
class ReportPage:
    """The report of a version and period; without a reading, why there is none."""

    version: InstrumentVersion
    periods: Sequence[Period]
    period: Period | None = None
    row: Analysis | None = None
    reading: Reading | None = None
    can_be_judged: bool = True
    conventions: tuple[Convention, ...] = ALL

    @property
    def options(self) -> list[tuple[str, str]]:
        return [(period.key, title_of(period)) for period in self.periods]

    @property
    def title(self) -> str:
        return title_of(self.period) if self.period else ""

    @property
    def why_not(self) -> str:
        return sentence(self.row.status, None) if self.row is not None else ""

    @cached_property
    def verdicts(self) -> list[Verdict]:
        return verdicts_of(self.reading) if self.reading else []

    @property
    def good(self) -> int:
        return sum(verdict.tone == Tone.GOOD for verdict in self.verdicts)

    @cached_property
    def blocks(self) -> list[BlockLine]:
        """The dimensions; of a questionnaire without any, all questions together."""
        if self.reading is None:
            return []
        part, other = self.reading.everybody, self.reading.attentive
        without = {block.code: block.alpha for block in other.dimensions} if other else {}
        if not part.dimensions:
            alone = other.whole.alpha if other else None
            return [BlockLine(part.whole, tone_of(part.whole), alone)]
        return [
            BlockLine(block, tone_of(block), without.get(block.code)) for block in part.dimensions
        ]

    @property
    def questions(self) -> list[Shares]:
        return list(self.reading.questions) if self.reading else []

    @property
    def judged_codes(self) -> set[str]:
        return {each.code for each in self.questions if is_judged(each)}


def report_page(*, code: str, number: int, period: str, principal: Principal) -> ReportPage:
    """Return the report of a version in a period. raises: NotFound, NotPermitted"""
    version = version_named(code, number, principal=principal)
    return report_of(version, principal=principal, period=period)


def report_of(version: InstrumentVersion, *, principal: Principal, period: str = "") -> ReportPage:
    """Return the report of a version; of its newest period if none is named, or an unknown one.

    raises: NotPermitted
    """
    rows = newest_first(reports_of(version, principal=principal))
    by_key = {period_of(row).key: row for row in rows}
    row = by_key.get(period) or (rows[0] if rows else None)
    if row is None:
        published = version.published_at is not None
        return ReportPage(
            version,
            [],
            can_be_judged=published and Validation().suits(codebook_of(version)),
        )
    items = list(Item.objects.filter(version=version).order_by("position"))
    return ReportPage(
        version=version,
        periods=[period_of(each) for each in rows],
        period=period_of(row),
        row=row,
        reading=reading_of(row.found, version, items) if row.found else None,
    )
