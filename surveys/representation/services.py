"""Stating what is known of the population, and weighing the answers of a closed period by it."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from sqcore.audit.services import record
from sqcore.base.errors import InvalidInput, Problem
from sqcore.base.periods import Grain, Period
from sqcore.base.text import in_all_languages
from sqcore.identity.permissions import Permission
from sqcore.identity.principals import Principal
from sqcore.jobs.models import Job
from sqcore.jobs.runner import JobContext
from sqcore.jobs.services import start
from sqcore.org.queries import fiscal_start, local_day, organisation, tree_on
from sqcore.stats.arrays import IntArray
from sqcore.stats.results import MethodStatus
from sqcore.stats.suppression import Families, families_of
from surveys.analyses.groups import Group, Groups, groups_of, tree_of
from surveys.analyses.models import packed_ids
from surveys.analyses.queries import history_of, shown_groups
from surveys.analyses.release import LEAST, History, Release, release
from surveys.instruments.models import InstrumentVersion
from surveys.representation.margins import (
    CROSSED,
    MARGINS,
    Margin,
    Skipped,
    margin_of,
    parts_of,
)
from surveys.representation.models import Population, Weighing
from surveys.representation.queries import (
    GRAINS,
    belonging,
    codes_of_nothing,
    figures_of,
    groups_named,
    ids_of,
    invited_in,
    served_in,
    shown_before,
    weighed_groups,
    weighings_seen,
)
from surveys.representation.weighing import Weighed, weigh
from surveys.responses.items import ItemAnswers, item_answers
from surveys.responses.queries import lock_version

JOB_KIND = "surveys.representation"
MOST_CATEGORIES = 500

Seen = tuple[list[tuple[int, int | None]], list[tuple[int, str]]]
"""What analyses and weighings show in the year of a period."""
Figures = Mapping[str, Mapping[str, float]]


@transaction.atomic
def state_population(
    *,
    name: str,
    source: str,
    stated_on: date,
    figures: Figures,
    by: Principal,
    now: datetime,
    origin: Population.Origin = Population.Origin.TYPED,
) -> Population:
    """Note how many customers there are, by unit, channel or segment: counts or shares.

    raises: InvalidInput naming what there is not, units that contain each other, or a margin that
    compares nothing
    """
    by.require(Permission.MANAGE_SURVEYS)
    wanted = {margin: dict(figures[margin]) for margin in MARGINS if figures.get(margin)}
    if problems := _wrong(wanted, on=local_day(now)):
        raise InvalidInput(_("These figures cannot be used."), problems=problems[:50])
    if not name.strip() or not source.strip():
        raise InvalidInput(_("Say what the figures are of and where they come from."))
    population = Population.objects.create(
        name=name.strip()[:120],
        source=source.strip()[:200],
        stated_on=stated_on,
        origin=origin,
        figures=wanted,
        digest=_digest(wanted),
        created_at=now,
    )
    record(
        action="population.stated",
        subject=f"population:{population.pk}",
        by=by,
        now=now,
        details={"origin": origin.value, "digest": population.digest},
    )
    return population


def count_served(*, period: Period, by: Principal, now: datetime) -> Population:
    """Note who was served in a closed period, as the encounters say.

    raises: InvalidInput while the period is not over, or without encounters to compare
    """
    _check_closed(period, now)
    return state_population(
        name=_("Customers served, %(period)s") % {"period": period},
        source=_("Service encounters of this installation"),
        stated_on=period.end,
        figures=served_in(period),
        origin=Population.Origin.ENCOUNTERS,
        by=by,
        now=now,
    )


def count_invited(
    *, version: InstrumentVersion, period: Period, by: Principal, now: datetime
) -> Population:
    """Note who was invited to answer a version after a visit of a closed period: weighing by it
    makes up for those who did not answer.

    raises: InvalidInput while the period is not over, or where nobody was invited
    """
    _check_closed(period, now)
    return state_population(
        name=_("Invited customers, %(period)s") % {"period": period},
        source=_("Invitations to “%(name)s”") % {"name": version.instrument.code},
        stated_on=period.end,
        figures=invited_in(version, period),
        origin=Population.Origin.INVITED,
        by=by,
        now=now,
    )


@transaction.atomic
def weigh_answers(
    *,
    version: InstrumentVersion,
    period: Period,
    population: Population,
    by: Principal,
    now: datetime,
    tell_worker: bool = True,
) -> Job:
    """Queue the weighing of a closed quarter or year; it replaces an earlier one of that period.

    raises: InvalidInput for a draft, another grain, or while the period is not over
    """
    by.require(Permission.MANAGE_SURVEYS)
    if version.published_at is None:
        raise InvalidInput(_("The questionnaire is a draft; publish it first."))
    if period.grain not in GRAINS:
        raise InvalidInput(_("Answers are weighed by quarter and year."))
    _check_closed(period, now)
    former = Weighing.objects.filter(
        version=version, grain=period.grain, starts_on=period.start
    ).first()
    record(
        action="weighing.asked",
        subject=f"instrument_version:{version.pk}",
        by=by,
        now=now,
        details={
            "period": period.key,
            "population": population.pk,
            "replaces": former.digest if former is not None else "",
        },
    )
    return start(
        kind=JOB_KIND,
        key=f"{version.pk}:{period.grain}:{period.start}",
        title=in_all_languages(
            gettext_lazy("Weighing: %(name)s, %(period)s"),
            name=version.instrument.name,
            period=str(period),
        ),
        parameters={
            "version": version.pk,
            "grain": period.grain.value,
            "starts_on": period.start.isoformat(),
            "population": population.pk,
        },
        owner=by.user,
        now=now,
        tell_worker=tell_worker,
    )


class WeighingJob:
    """The job of one weighing: read, computed, and put in the place of the former at the end."""

    key = JOB_KIND

    def run(self, context: JobContext) -> None:
        asked = context.parameters
        version = InstrumentVersion.objects.select_related("instrument").get(pk=asked["version"])
        period = Period(
            date.fromisoformat(asked["starts_on"]), Grain(asked["grain"]), fiscal_start()
        )
        population = Population.objects.get(pk=asked["population"])
        while True:
            read_at = context.now()
            desk = _Desk.of(version, period, population)
            made = desk.made(population)
            try:
                with context.completing() as result:
                    # A year and its quarters at once: each would not know what the other shows.
                    lock_version(version)
                    if _seen(version, period) != desk.seen:
                        raise _ShownMeanwhile
                    if made is None:
                        # What was shown stays: the difference would tell of those who left since.
                        result["kept"] = True
                        return
                    kept = Weighing.objects.filter(
                        version=version, grain=period.grain, starts_on=period.start
                    )
                    kept.delete()
                    made.job, made.made_at = context.job, read_at
                    made.save(force_insert=True)
                    result["status"] = made.status
            except _ShownMeanwhile:
                continue
            return


class _ShownMeanwhile(Exception):
    """Something else of these answers was shown meanwhile; it has to be decided anew."""


def _seen(version: InstrumentVersion, period: Period) -> Seen:
    shown = [(row.pk, row.until) for row in shown_groups(version, period)]
    return shown, weighings_seen(version, period)


@dataclass(frozen=True, eq=False)
class _Desk:
    """All that a weighing is made from, read once.

    `everybody` are the answers that are weighed: all, or those on show already where the few who
    came or left since would be told of by the difference; None where these are not there any more.
    """

    version: InstrumentVersion
    period: Period
    everybody: ItemAnswers | None
    groups: Groups
    safe: Mapping[Group, IntArray]
    is_small: bool
    shown: Mapping[Group, IntArray]
    seen: Seen
    k: int

    @classmethod
    def of(cls, version: InstrumentVersion, period: Period, population: Population) -> "_Desk":
        seen = _seen(version, period)
        answers = item_answers(version, period)
        groups = groups_of(answers, tree_of(period))
        shown = shown_before(version, period)
        cells = _cells_of(population, answers, groups, shown)
        people = [groups.people(group, answers) for group in groups.of] + list(cells.values())
        all_groups = [*groups.of, *cells]
        history = _history(version, period, all_groups, shown)
        k = organisation().smallest_group
        decided = _decided(people, groups, list(cells), history, k)
        safe = {
            group: there
            for at, group in enumerate(all_groups)
            if not decided.hidden[at]
            and (there := history.earlier[-1][at] if decided.held[at] else people[at]) is not None
        }
        whole = safe.get(groups.whole)
        return cls(
            version=version,
            period=period,
            everybody=_only(answers, whole) if whole is not None else None,
            groups=groups,
            safe=safe,
            is_small=whole is None,
            shown=shown,
            seen=seen,
            k=k,
        )

    def made(self, population: Population) -> Weighing | None:
        """Return the weighing, not saved; None where what is shown has to stay as it is."""
        if self.is_small:
            return self._row(population, MethodStatus.INSUFFICIENT_N)
        if self.everybody is None:
            return None if self.shown else self._row(population, MethodStatus.INSUFFICIENT_N)
        margins, skipped = self._margins(population, self.everybody)
        if not margins:
            return self._row(population, MethodStatus.NOT_APPLICABLE)
        weighed = weigh(self.everybody, margins)
        weighed.found["skipped"] = [
            {"margin": name, "reason": reason.value} for name, reason in skipped.items()
        ]
        return self._row(population, MethodStatus.OK, weighed, margins)

    def _margins(
        self, population: Population, everybody: ItemAnswers
    ) -> tuple[list[Margin], dict[str, Skipped]]:
        margins, skipped = [], {}
        for name, figures in figures_of(population).items():
            belongs, groups = belonging(name, list(figures), everybody, self.groups.tree)
            told = np.array(
                [
                    np.array_equal(self.safe.get(group, NOBODY), everybody.response[belongs == at])
                    for at, group in enumerate(groups)
                ],
                dtype=np.bool_,
            )
            found = margin_of(name, figures, belongs, told, k=self.k)
            if isinstance(found, Margin):
                margins.append(found)
            else:
                skipped[name] = found
        return margins, skipped

    def _row(
        self,
        population: Population,
        status: MethodStatus,
        weighed: Weighed | None = None,
        margins: list[Margin] | None = None,
    ) -> Weighing:
        found: dict[str, Any] = weighed.found if weighed is not None else {}
        cells = weighed.cells if weighed is not None else []
        return Weighing(
            version=self.version,
            grain=self.period.grain,
            starts_on=self.period.start,
            unit_id=self.groups.tree.roots[0],
            population=population,
            status=status,
            n=len(self.safe[self.groups.whole]) if weighed is not None else None,
            found=found,
            weights=cells,
            groups=self._ever_told(margins or [] if weighed is not None else None),
            digest=_digest(
                {
                    "version": self.version.pk,
                    "period": self.period.key,
                    "population": population.digest,
                    "found": found,
                    "weights": cells,
                }
            ),
        )

    def _ever_told(self, margins: list[Margin] | None) -> list[list[int | str]]:
        """Return whose answers stand behind each number of people in the weighing; of groups that
        it does not show, those that an earlier one of this period showed last: whoever saw it
        could still subtract."""
        told = [] if margins is None else [self.groups.whole]
        for margin in margins or []:
            codes = [each.codes[0] for each in margin.categories if len(each.codes) == 1]
            told += groups_named(margin.name, codes, self.groups.tree)
        people = {**self.shown, **{group: self.safe[group] for group in told if group in self.safe}}
        return [[*group, b64encode(packed_ids(there)).decode()] for group, there in people.items()]


def _cells_of(
    population: Population, answers: ItemAnswers, groups: Groups, shown: Mapping[Group, IntArray]
) -> dict[Group, IntArray]:
    """Return the people of the cells of crossed margins that somebody answered from; also of those
    that another population showed: its units may lie within these, or above them."""
    found: dict[Group, IntArray] = {}
    for margin, figures in figures_of(population).items():
        if margin in CROSSED:
            belongs, named = belonging(margin, list(figures), answers, groups.tree)
            for at, group in enumerate(named):
                people = answers.response[belongs == at]
                if len(people) and group not in groups.of:
                    found[group] = people
    columns = {"channel": answers.channel, "segment": answers.segment}
    for cell in sorted(shown.keys() - found.keys() - set(groups.of)):
        if cell.margin:
            of = ids_of(cell.margin, [cell.margin_value]).get(cell.margin_value, 0)
            inside = np.isin(answers.unit, list(groups.tree.below(cell.unit)))
            people = answers.response[inside & (columns[cell.margin] == of)]
            if len(people):
                found[cell] = people
    return found


def _history(
    version: InstrumentVersion,
    period: Period,
    groups: Sequence[Group],
    shown: Mapping[Group, IntArray],
) -> History:
    """Return what analyses and weighings showed of these groups, of this period and beside it.

    Who subtracts quarters from a year may take each from either.
    """
    analysed, weighed = shown_groups(version, period), weighed_groups(version, period)
    both = [
        history_of(rows, period, groups)
        for rows in ((analysed, weighed, [*analysed, *weighed]) if weighed else (analysed,))
    ]
    earlier = [*both[0].earlier, *([[shown.get(each) for each in groups]] if shown else [])]
    beside = [[sum_ for each in both for sum_ in each.beside[at]] for at in range(len(groups))]
    return History(earlier, beside)


def _decided(
    people: Sequence[IntArray], groups: Groups, cells: Sequence[Group], history: History, k: int
) -> Release:
    """Decide what is shown of groups and of cells, which are never shown at the cost of groups:
    analyses show these anyway."""
    many, least = len(groups.of), max(k, LEAST)
    known = History([each[:many] for each in history.earlier], history.beside[:many])
    alone = release(people[:many], groups.families(), k=k, history=known, least=least)
    if not cells:
        return alone
    wide = release(people, _with_cells(groups, cells), k=k, history=history, least=least)
    if (wide.hidden[:many] == alone.hidden).all() and (wide.held[:many] == alone.held).all():
        return wide
    none = np.zeros(len(cells), dtype=np.bool_)
    return Release(np.append(alone.hidden, ~none), np.append(alone.held, none))


def _with_cells(groups: Groups, cells: Sequence[Group]) -> Families:
    """Return which groups are sums of which, with each unit as a sum of its cells, and each channel
    or segment, of the whole or in a unit, as one of its cells in the units below."""
    at = {group: place for place, group in enumerate([*groups.of, *cells])}
    plain = groups.families()
    found = [
        (int(parent), plain.children[plain.family == place].tolist())
        for place, parent in enumerate(plain.parents)
    ]
    totals: dict[tuple[Group, str], list[int]] = {}
    for cell in cells:
        wider = [cell._replace(unit=unit) for unit in groups.tree.path(cell.unit)[1:]]
        whole = cell._replace(unit=groups.whole.unit)
        for total in (Group(cell.unit), next((each for each in wider if each in at), whole)):
            totals.setdefault((total, cell.margin), []).append(at[cell])
    return families_of(
        found + [(at[total], parts) for (total, _margin), parts in totals.items() if total in at]
    )


NOBODY = np.zeros(0, dtype=np.int64)


def _only(answers: ItemAnswers, people: IntArray) -> ItemAnswers | None:
    """Return the answers of these people; None where some of them are not there any more."""
    if len(answers) == len(people):
        return answers if np.array_equal(answers.response, people) else None
    keep = np.isin(answers.response, people)
    if keep.sum() != len(people):
        return None
    return replace(
        answers,
        unit=answers.unit[keep],
        channel=answers.channel[keep],
        segment=answers.segment[keep],
        weight=answers.weight[keep],
        bucket=answers.bucket[keep],
        packed=answers.packed[keep],
        response=answers.response[keep],
    )


def _wrong(figures: Figures, *, on: date) -> list[Problem]:
    if not figures:
        return [Problem(_("There is nothing in it to compare the answers with."))]
    problems = []
    for margin, of in figures.items():
        problems += [
            Problem(_("there is no %(margin)s with this code") % {"margin": margin}, field=code)
            for code in codes_of_nothing(margin, of)
        ]
        if sum(number > 0 for number in of.values()) < 2 or len(of) > MOST_CATEGORIES:
            problems.append(
                Problem(
                    _("needs two categories with customers, and at most %(most)d")
                    % {"most": MOST_CATEGORIES},
                    field=margin,
                )
            )
        if any(not 0 <= number < 1e12 for number in of.values()):
            problems.append(Problem(_("must be numbers, 0 or more"), field=margin))
    tree = tree_on(on)
    for margin in figures.keys() & {"unit", *CROSSED}:
        units = ids_of("unit", {parts_of(code)[0] for code in figures[margin]})
        stated = set(units.values())
        problems += [
            Problem(_("lies within another unit that is named"), field=code)
            for code, pk in units.items()
            if stated & set(tree.path(pk)[1:])
        ]
    return problems


def _check_closed(period: Period, now: datetime) -> None:
    if period.end > local_day(now):
        raise InvalidInput(_("This period is not over yet."))


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
