"""From answers about people to verdicts: pure arithmetic, the same for the same rows.

`docs/methods/results-of-staff.md` has the formulas. Everything here works on columns: answers have
shape (N,), people (P,); a person is a code, the place in `People`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sqcore.performance.models import StaffResult
from sqcore.performance.sources import PersonAnswers
from sqcore.stats.case_mix import CaseMix, adjusted, case_mix
from sqcore.stats.errors import StatisticsError
from sqcore.stats.people import (
    Shrunk,
    expected_flags,
    probability_above,
    probability_below,
    reliability,
    shrink,
)
from sqcore.stats.variance_parts import VarianceParts, variance_parts

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DECIMALS = 9
"""Figures are kept to so many places, so that the last bits of a machine do not count."""
Verdict, Gate = StaffResult.Verdict, StaffResult.Gate
FEW, ALIKE, LOW, ABOVE, HELD = range(5)
VERDICTS = (Verdict.NOT_ENOUGH, Verdict.ALIKE, Verdict.LOW, Verdict.ABOVE, Verdict.HELD)
NONE, COACHING, PAY = range(3)
GATES = (Gate.NONE, Gate.COACHING, Gate.PAY)
BY_SIGNAL, BY_DISPUTE = "signal", "dispute"


@dataclass(frozen=True)
class Rules:
    """What a policy says, and the smallest group of the organisation."""

    smallest_difference: float
    certainty: float
    smallest_n: int
    coaching_reliability: float
    pay_reliability: float
    fewest_peers: int
    smallest_group: int


@dataclass(frozen=True)
class People:
    """Who is judged, in the order of their ids, with unit and post of the window's last day."""

    staff: Ints
    unit: Ints
    post: Ints

    def __len__(self) -> int:
        return len(self.staff)

    def code_of(self, staff: Ints) -> Ints:
        """Return the place of each of these; -1 for who is not among them."""
        if not len(self.staff):
            return np.full(len(staff), -1, dtype=np.int64)
        at = np.searchsorted(self.staff, staff).clip(max=len(self.staff) - 1)
        return np.where(self.staff[at] == staff, at, -1)


@dataclass(frozen=True)
class Factors:
    """What staff cannot influence, as columns of 0 and 1: channels and segments, but the most
    frequent of each, which the others are compared with."""

    names: list[str]
    table: Floats


def factors_of(answers: PersonAnswers, codes: Mapping[str, Mapping[int, str]]) -> Factors:
    """Return the factors of these answers; `codes` names channels and segments by id."""
    names: list[str] = []
    columns: list[Floats] = []
    for kind, ids in (("channel", answers.channel), ("segment", answers.segment)):
        known, count = np.unique(ids, return_counts=True)
        usual = known[np.argmax(count)] if len(known) else 0
        for each in known.tolist():
            if each != usual:
                names.append(f"{kind}/{codes[kind].get(each, '')}")
                columns.append((ids == each).astype(np.float64))
    table = np.stack(columns, axis=1) if columns else np.zeros((len(answers), 0))
    return Factors(names, table)


@dataclass(frozen=True)
class Sums:
    """Of each person: how many answers, their mean and the mean after case mix (NaN without)."""

    n: Ints
    raw: Floats
    adjusted: Floats


@dataclass(frozen=True)
class Pool:
    """One measure of all people together, before anybody is judged.

    `parts` is None where the answers show no spread. `unpended` are the sums without the answers
    about which a dispute is pending. `given` is how many answers there are of each person, also
    those that are in no whole batch; nobody is told that.
    """

    sums: Sums
    unpended: Sums
    at_unit: Bools
    """Whether the people of unit and post are enough to be compared with one another."""
    mix: CaseMix
    reference: Floats
    parts: VarianceParts | None
    given: Ints


def pool(
    values: Floats, person: Ints, pending: Bools, factors: Factors, people: People, rules: Rules
) -> Pool:
    """Take the case mix out of the answers, add up by person, and part the variance."""
    there = ~np.isnan(values)
    y, code, table = values[there], person[there], factors.table[there]
    mix = case_mix(y, code, table, names=factors.names)
    reference = table.mean(axis=0) if len(y) else np.zeros(table.shape[1])
    moved = adjusted(y, table, mix, reference)
    sums = _sums(y, moved, code, len(people))
    kept = ~pending[there]
    unpended = sums if kept.all() else _sums(y[kept], moved[kept], code[kept], len(people))
    # With the person: a branch of eight is compared with itself, so that what befalls all of it
    # lowers nobody.
    at_unit = _peers(people, sums.n)[0] + (sums.n > 0) >= rules.fewest_peers
    group = _dense(np.where(at_unit, people.unit + 1, 0), people.post)
    try:
        parts = variance_parts(moved, code, group)
    except StatisticsError:
        parts = None
    return Pool(sums, unpended, at_unit, mix, reference, parts, sums.n)


def _sums(y: Floats, moved: Floats, code: Ints, people: int) -> Sums:
    n = np.bincount(code, minlength=people)
    some = np.maximum(n, 1)
    raw = np.bincount(code, y, minlength=people) / some
    after = np.bincount(code, moved, minlength=people) / some
    return Sums(n, np.where(n > 0, raw, np.nan), np.where(n > 0, after, np.nan))


def _dense(*columns: Ints) -> Ints:
    if not len(columns[0]):
        return np.zeros(0, dtype=np.int64)
    _known, code = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return code.reshape(-1).astype(np.int64)


def _peers(people: People, n: Ints) -> tuple[Ints, Ints]:
    """Return how many others have answers: at the unit in the same post, and in the post at all."""
    found = []
    for group in (_dense(people.unit, people.post), _dense(people.post)):
        with_answers = np.bincount(group, n > 0, minlength=1)[group] if len(group) else group
        found.append(with_answers.astype(np.int64) - (n > 0))
    return found[0], found[1]


@dataclass(frozen=True)
class Judged:
    """One measure of every person; floats are NaN where nothing is kept, codes are those above.

    `n` below the smallest group is of all answers, in batches or not: it is told to nobody.
    """

    n: Ints
    floats: Mapping[str, Floats]
    at_unit: Bools
    peers: Ints
    verdict: Ints
    gate: Ints
    held: npt.NDArray[np.str_]


FIGURES = (
    *("raw", "adjusted", "estimate", "sd", "low", "high", "reliability", "centre", "weight"),
    *("probability_low", "probability_above"),
)


@dataclass(frozen=True)
class _Compared:
    """Whoever has answers, beside their comparison group; arrays of all people."""

    floats: dict[str, Floats]
    centre_variance: Floats
    at_unit: Bools
    peers: Ints
    has_group: Bools


def judge(
    pool: Pool,
    *,
    people: People,
    icc: float | None,
    frozen: Bools,
    has_pending: Bools,
    rules: Rules,
) -> tuple[Judged, dict[str, Any]]:
    """Return the results of all people by one measure, and the figures of all together.

    icc: as frozen for the year; None: nobody passes a gate
    frozen: shape (P,), whose unit has an open signal; has_pending: who has a pending dispute
    """  # fmt: skip
    whole = _compared(pool, pool.sums, people, rules)
    verdict, gate = _verdicts(whole, pool.sums.n, rules), _gates(pool.sums.n, icc, rules)
    held = np.full(len(people), "", dtype="U10")
    if has_pending.any():
        # A pending dispute can neither lower a verdict nor raise what a result is used for.
        rest = _compared(pool, pool.unpended, people, rules)
        other = _verdicts(rest, pool.unpended.n, rules)
        verdict, doubted = _together(verdict, np.where(has_pending, other, verdict))
        held[doubted] = BY_DISPUTE
        gate = np.minimum(gate, np.where(has_pending, _gates(pool.unpended.n, icc, rules), gate))
    expected = _expected(pool, whole, rules)
    stopped = frozen & (verdict != FEW)
    verdict = np.where(stopped, HELD, verdict)
    held[stopped] = BY_SIGNAL
    gate = np.where(frozen | (verdict == FEW), NONE, gate)
    judged = _without_small(pool, whole, verdict, gate, held, icc, rules)
    return judged, _figures(pool, judged, expected)


def _compared(pool: Pool, sums: Sums, people: People, rules: Rules) -> _Compared:
    size = len(people)
    floats = {name: np.full(size, np.nan) for name in FIGURES}
    centre_variance = np.full(size, np.nan)
    at_post = _peers(people, sums.n)[1]
    peers = np.where(pool.at_unit, _peers(people, sums.n)[0], at_post)
    has_group = pool.at_unit | (peers + 1 >= rules.smallest_group)
    has_group &= sums.n > 0
    if pool.parts is None or not (sums.n > 0).any():
        nowhere = np.zeros(size, dtype=np.bool_)
        return _Compared(floats, centre_variance, pool.at_unit, peers, nowhere)
    some = np.flatnonzero(sums.n > 0)
    variances = pool.parts.within / sums.n[some]
    for is_unit, columns in ((True, (people.unit, people.post)), (False, (people.post,))):
        group = _dense(*(column[some] for column in columns))
        shrunk = shrink(sums.adjusted[some], variances, group, pool.parts.between)
        here = (pool.at_unit[some] == is_unit) & has_group[some]
        found = _of_shrunk(shrunk, rules)
        for name, column in found.items():
            floats[name][some[here]] = column[here]
        centre_variance[some[here]] = shrunk.centre_variance[here]
    return _Compared(floats, centre_variance, pool.at_unit, peers, has_group)


def _of_shrunk(shrunk: Shrunk, rules: Rules) -> dict[str, Floats]:
    return {
        "estimate": shrunk.estimate,
        "sd": shrunk.sd,
        "low": shrunk.low,
        "high": shrunk.high,
        "centre": shrunk.centre,
        "weight": shrunk.weight,
        "probability_low": probability_below(shrunk, rules.smallest_difference),
        "probability_above": probability_above(shrunk, rules.smallest_difference),
    }


def _verdicts(compared: _Compared, n: Ints, rules: Rules) -> Ints:
    enough = compared.has_group & (n >= rules.smallest_n)
    verdict = np.where(enough, ALIKE, FEW)
    with np.errstate(invalid="ignore"):
        low = compared.floats["probability_low"] >= rules.certainty
        above = compared.floats["probability_above"] >= rules.certainty
    verdict[enough & low] = LOW
    verdict[enough & above] = ABOVE
    return verdict


def _gates(n: Ints, icc: float | None, rules: Rules) -> Ints:
    if icc is None:
        return np.full(len(n), NONE)
    sure = np.where(n >= rules.smallest_n, reliability(n, icc), 0.0)
    passed = (sure >= rules.coaching_reliability).astype(np.int64)
    return passed + (sure >= max(rules.pay_reliability, rules.coaching_reliability))


def _together(verdict: Ints, other: Ints) -> tuple[Ints, Bools]:
    """Return the verdict with and without what is pending, and whose is doubtful.

    Low is who is low either way; who is low only one way gets no verdict for now. Above is who is
    above either way. Who has enough answers only with the disputed ones has not enough.
    """
    doubted = (verdict == LOW) ^ (other == LOW)
    agreed = np.where(verdict == other, verdict, np.where(other == FEW, FEW, ALIKE))
    return np.where(doubted, HELD, agreed), doubted


def _expected(pool: Pool, compared: _Compared, rules: Rules) -> dict[str, float]:
    """Return how many low verdicts the model leads one to expect, and how many of them wrong."""
    judged = compared.has_group & (pool.sums.n >= rules.smallest_n)
    if pool.parts is None or not judged.any():
        return {"expected_wrong": 0.0, "expected_all": 0.0}
    flags = expected_flags(
        pool.sums.n[judged],
        pool.parts.within,
        pool.parts.between,
        rules.smallest_difference,
        rules.certainty,
        centre_variance=compared.centre_variance[judged],
    )
    return {"expected_wrong": flags.wrong, "expected_all": flags.all}


def _without_small(
    pool: Pool,
    compared: _Compared,
    verdict: Ints,
    gate: Ints,
    held: npt.NDArray[np.str_],
    icc: float | None,
    rules: Rules,
) -> Judged:
    """Keep nothing but the verdict of whom fewer answers are about than the smallest group."""
    n = pool.sums.n
    small = n < rules.smallest_group
    floats = dict(compared.floats)
    floats |= {"raw": pool.sums.raw, "adjusted": pool.sums.adjusted}
    if icc is not None:
        floats["reliability"] = reliability(n, icc)
    return Judged(
        n=np.where(small, np.minimum(pool.given, rules.smallest_group - 1), n),
        floats={
            name: np.where(small, np.nan, np.round(column, DECIMALS))
            for name, column in floats.items()
        },
        at_unit=compared.at_unit,
        peers=np.where(compared.has_group & ~small, compared.peers, -1),
        verdict=verdict,
        gate=gate,
        held=held,
    )


def _figures(pool: Pool, judged: Judged, expected: Mapping[str, float]) -> dict[str, Any]:
    """Return what is told of a measure as a whole."""
    counts = np.bincount(judged.verdict, minlength=len(VERDICTS)).tolist()
    parts = pool.parts
    return {
        "n": int(pool.sums.n.sum()),
        "people": int((pool.sums.n > 0).sum()),
        "judged": sum(counts) - counts[FEW] - counts[HELD],
        "verdicts": {name.value: count for name, count in zip(VERDICTS, counts, strict=True)},
        **{name: round(value, DECIMALS) for name, value in expected.items()},
        "within": None if parts is None else round(parts.within, DECIMALS),
        "between": None if parts is None else round(parts.between, DECIMALS),
        "mix": _mix_rows(pool),
    }


def _mix_rows(pool: Pool) -> Sequence[dict[str, Any]]:
    mix = pool.mix
    columns = zip(
        mix.factors,
        mix.coefficients.tolist(),
        mix.standard_errors.tolist(),
        mix.identified.tolist(),
        pool.reference.tolist(),
        strict=True,
    )
    return [
        {
            "factor": name,
            "coefficient": round(coefficient, DECIMALS),
            "error": round(error, DECIMALS),
            "identified": identified,
            "share": round(share, DECIMALS),
        }
        for name, coefficient, error, identified, share in columns
    ]
