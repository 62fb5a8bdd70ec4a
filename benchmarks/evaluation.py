"""Evaluation of SERVQUAL answers at 10 thousand, 100 thousand and 1 million.

The figures are what an evaluation needs: n and mean of the 15 measures of SERVQUAL (perceptions and
gaps of five dimensions by the half rule, overall, NPS, return, two shares), and their covariances
over who has both, from which the interval of a composite follows; for 200 units x 24 months, all
together, by channel and by segment. They are computed

- from the rollups, as an evaluation run reads them (`rollups`);
- from the stored rows (`rows`);
- by DuckDB from a Parquet file of the raw answers, with grouping sets (`duckdb`): the limit;
- by numpy over the answers in memory (`numpy`): the limit of absorbing 1,000 new responses.

All are compared before anything is timed.
"""

import itertools
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
from django.db import connection, transaction

from benchmarks.side_by_side import Budget, Found, in_turn, machine, report
from sqcore.base.periods import Grain, Period, periods_between
from sqcore.org.models import Channel, Segment, Unit
from sqcore.stats.moments import Moments
from surveys.campaigns.models import Campaign
from surveys.instruments.codebook import Codebook, codebook_of
from surveys.instruments.models import InstrumentVersion
from surveys.instruments.services import install_ready_instruments
from surveys.responses.models import WEIGHT_ONE, Response, Rollup, RollupMonth
from surveys.responses.queries import rollup_sums, row_sums
from surveys.responses.services import absorb, rebuild_rollups
from surveys.responses.sums import GRAINS, AnswerColumns, SumCell, measure_values

UNITS, MONTHS, CHANNELS, SEGMENTS = 200, 24, 3, 4
FIRST = date(2024, 1, 1)
END = date(2026, 1, 1)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
DIFFERENT = 5_000
NEW = 1_000

Keys = list[tuple[int, str, str, int]]
"""Unit, month, margin and value of each cell."""
Table = npt.NDArray[np.float64]
"""n and mean of each of M measures, then the covariance of each pair; a row a cell."""
Part = tuple[list[SumCell], Table]
Sheets = Callable[[np.random.Generator, Codebook], npt.NDArray[np.uint8]]
"""Draws `DIFFERENT` different questionnaires, packed."""


# ---- The data ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """N responses in the database, the same in a Parquet file and in memory."""

    version: InstrumentVersion
    book: Codebook
    columns: AnswerColumns
    parquet: str


def _ground() -> tuple[Campaign, list[int], list[int], list[int]]:
    install_ready_instruments(now=NOW)
    version = InstrumentVersion.objects.get(instrument__code="servqual")
    campaign, _made = Campaign.objects.get_or_create(
        code="bench",
        defaults={
            "name": {"en": "Bench"}, "version": version, "opens_on": FIRST, "created_at": NOW,
        },
    )  # fmt: skip
    for number in range(UNITS):
        name = {"en": f"Unit {number}"}
        Unit.objects.get_or_create(
            code=f"unit-{number}", defaults={"name": name, "opened_on": FIRST}
        )
    for model, count in ((Channel, CHANNELS), (Segment, SEGMENTS)):
        for number in range(count):
            model.objects.get_or_create(code=f"c-{number}", defaults={"name": {"en": "C"}})
    return (
        campaign,
        list(
            Unit.objects.filter(code__startswith="unit-")
            .order_by("id")
            .values_list("id", flat=True)
        ),
        list(
            Channel.objects.filter(code__startswith="c-")
            .order_by("id")
            .values_list("id", flat=True)
        ),
        list(
            Segment.objects.filter(code__startswith="c-")
            .order_by("id")
            .values_list("id", flat=True)
        ),
    )


def world(size: int, folder: Path) -> World:
    """Fill an empty answers table with `size` responses and write the Parquet file."""
    given = filled(size, days=(FIRST, END), sheets=_pool)
    parquet = str(folder / f"answers-{size}.parquet")
    _write_parquet(given.columns, given.book, parquet)
    return replace(given, parquet=parquet)


def filled(size: int, *, days: tuple[date, date], sheets: Sheets) -> World:
    """Fill an empty answers table with `size` responses from [first, end), and their sums."""
    campaign, units, channels, segments = _ground()
    book = codebook_of(campaign.version)
    chance = np.random.default_rng(size)
    pool = sheets(chance, book)
    which = chance.integers(0, DIFFERENT, size)
    day = np.sort(chance.integers(0, (days[1] - days[0]).days, size))
    unit = np.asarray(units)[chance.integers(0, UNITS, size)]
    channel = np.asarray(channels)[chance.integers(0, CHANNELS, size)]
    segment = np.asarray(segments)[chance.integers(0, SEGMENTS, size)]
    for model in (Response, Rollup, RollupMonth):
        model.objects.all()._raw_delete("default")
    on = np.datetime64(days[0]) + day
    _insert(_rows(campaign, unit, channel, segment, on, which, pool, _texts(pool, book)))
    columns = AnswerColumns(
        unit=unit, channel=channel, segment=segment, month=on.astype("datetime64[M]"),
        grain=np.zeros(size, dtype=np.int64), weight=np.full(size, 1000), packed=pool[which],
    )  # fmt: skip
    rebuild_rollups(version=campaign.version, clock=lambda: NOW)
    return World(campaign.version, book, columns, "")


def _pool(chance: np.random.Generator, book: Codebook) -> npt.NDArray[np.uint8]:
    """Draw different answer sheets, packed; 2 % missing, 1 % not applicable."""
    low = np.array([item.low for item in book.scored])
    high = np.array([item.high for item in book.scored])
    answers = chance.integers(low, high + 1, (DIFFERENT, len(low)))
    dice = chance.random(answers.shape)
    answers[dice < 0.02] = 255
    answers[dice > 0.99] = 254
    return answers.astype(np.uint8)


def _texts(pool: npt.NDArray[np.uint8], book: Codebook) -> list[str]:
    """Return the same sheets as JSON."""
    codes = [item.code for item in book.scored]
    return [
        json.dumps({c: "na" if v == 254 else v for c, v in zip(codes, row, strict=True) if v < 255})
        for row in pool.tolist()
    ]


def _rows(
    campaign: Campaign,
    unit: npt.NDArray[Any],
    channel: npt.NDArray[Any],
    segment: npt.NDArray[Any],
    on: npt.NDArray[np.datetime64],
    which: npt.NDArray[Any],
    pool: npt.NDArray[np.uint8],
    texts: list[str],
) -> Iterator[tuple[Any, ...]]:
    packed = [row.tobytes() for row in pool]
    dates, date_at = np.unique(on, return_inverse=True)
    texts_of_dates = dates.astype(str).tolist()
    fixed = (campaign.pk, campaign.version_id)
    for number, (u, c, s, d, w) in enumerate(
        zip(
            unit.tolist(),
            channel.tolist(),
            segment.tolist(),
            date_at.tolist(),
            which.tolist(),
            strict=True,
        )
    ):
        yield (f"{number:032x}", *fixed, u, c, s, texts_of_dates[d], texts[w], packed[w])


COLUMNS = (
    "key, campaign_id, version_id, unit_id, channel_id, segment_id, answered_on, answers, packed,"
    " subject, encounter_key, finest_grain, language, origin, weight, withdrawn, in_rollup"
)


def _insert(rows: Iterator[tuple[Any, ...]]) -> None:
    marks = ", ".join(["%s"] * 9)
    query = (
        f"INSERT INTO surveys_response ({COLUMNS})"
        f" VALUES ({marks}, '', '', 'day', 'en', 'link', 1000, false, false)"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        while piece := list(itertools.islice(rows, 50_000)):
            cursor.executemany(query, piece)


def _write_parquet(columns: AnswerColumns, book: Codebook, path: str) -> None:
    """Write the raw answers as one column an item, missing and not applicable as NULL."""
    with duckdb.connect() as duck:
        duck.register("ids", {
            "unit": columns.unit, "channel": columns.channel, "segment": columns.segment,
            "month": columns.month.astype("datetime64[D]").astype("datetime64[us]"),
        })  # fmt: skip
        duck.register(
            "raw", {f"a{at}": columns.packed[:, at].copy() for at in range(len(book.scored))}
        )
        items = ", ".join(
            f"CASE WHEN a{at} < 254 THEN a{at} END AS {item.code}"
            for at, item in enumerate(book.scored)
        )
        duck.execute(
            f"COPY (SELECT ids.*, {items} FROM ids POSITIONAL JOIN raw)"
            f" TO '{path}' (FORMAT parquet)"
        )


# ---- The candidates ------------------------------------------------------------------------------


def from_rollups(given: World) -> list[Part]:
    found = []
    for period in periods_between(FIRST, END, Grain.MONTH):
        cells, moments = rollup_sums(given.version, given.book, period, GRAINS)
        found.append((cells, _figures(moments, given.book)))
    return found


def from_rows(given: World) -> list[Part]:
    rows = Response.objects.counted().filter(version=given.version)
    found = []
    for period in periods_between(FIRST, END, Grain.MONTH):
        cells, moments = row_sums(_of(rows, period), given.book)
        found.append((cells, _figures(moments, given.book)))
    return found


def _of(rows: Any, period: Period) -> Any:
    return rows.filter(
        finest_grain__in=GRAINS, answered_on__gte=period.start, answered_on__lt=period.end
    )


def _figures(moments: Moments, book: Codebook) -> Table:
    """Means and covariances of unweighted answers, read off the sums."""
    size = len(book.measures)
    scale = np.array([measure.scale for measure in book.measures], dtype=np.float64)
    upper = np.triu_indices(size)
    pairs = len(upper[0])
    both = moments.products[:, :pairs] / WEIGHT_ONE**2
    crossed = moments.products[:, pairs:-pairs].reshape(-1, size, size) / WEIGHT_ONE**2 / scale
    products = moments.products[:, -pairs:] / (WEIGHT_ONE**2 * scale[upper[0]] * scale[upper[1]])
    # crossed[a, b] sums the values of b over who has both.
    sums = crossed[:, upper[1], upper[0]], crossed[:, *upper]
    totals = moments.linear[:, size:] / WEIGHT_ONE / scale
    return _table(moments.n.astype(np.float64), totals, both, sums, products)


def _table(
    n: npt.NDArray[np.float64],
    totals: npt.NDArray[np.float64],
    both: npt.NDArray[np.float64],
    sums: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    products: npt.NDArray[np.float64],
) -> Table:
    """n and totals are of each measure, the rest of pairs: over who has both."""
    with np.errstate(divide="ignore", invalid="ignore"):
        covariances = (products - sums[0] * sums[1] / both) / (both - 1)
        return np.concatenate([n, totals / n, covariances], axis=1)


def by_duckdb(given: World, duck: duckdb.DuckDBPyConnection) -> dict[str, npt.NDArray[Any]]:
    return duck.execute(_question(given)).fetchnumpy()


def _question(given: World) -> str:
    measures = [_measure_sql(given.book, at) for at in range(len(given.book.measures))]
    scored = ", ".join(f"{sql} AS m{at}" for at, sql in enumerate(measures))
    asked = ", ".join(
        [f"count(m{at}) AS n{at}, avg(m{at}) AS mean{at}" for at in range(len(measures))]
        + [f"covar_samp(m{a}, m{b}) AS cov{a}_{b}" for a, b in _pairs(len(measures))]
    )
    return (
        f"WITH scored AS (SELECT unit, month, channel, segment, {scored}"
        f" FROM read_parquet('{given.parquet}'))"
        f" SELECT unit, month, channel, segment, {asked} FROM scored GROUP BY GROUPING SETS"
        " ((unit, month), (unit, month, channel), (unit, month, segment))"
    )


def _pairs(measures: int) -> list[tuple[int, int]]:
    return list(itertools.combinations_with_replacement(range(measures), 2))


def _measure_sql(book: Codebook, at: int) -> str:
    measure = book.measures[at]
    names = [book.scored[column].code for column in measure.columns]
    if measure.kind == "perception":
        values = names
    elif measure.kind == "gap":
        expected = [book.scored[column].code for column in measure.paired]
        values = [
            f"(CAST({p} AS TINYINT) - CAST({e} AS TINYINT))"
            for p, e in zip(names, expected, strict=True)
        ]
    elif measure.kind == "nps":
        rest = f"WHEN {names[0]} IS NOT NULL THEN 0 END"
        return f"CASE WHEN {names[0]} >= 9 THEN 1 WHEN {names[0]} <= 6 THEN -1 {rest}"
    elif measure.kind == "top2":
        return f"CAST({names[0]} >= {measure.top} AS TINYINT)"
    else:
        return names[0]
    there = " + ".join(f"({value} IS NOT NULL)::TINYINT" for value in values)
    total = " + ".join(f"coalesce({value}, 0)::SMALLINT" for value in values)
    return f"CASE WHEN 2 * ({there}) >= {len(values)} THEN ({total}) / ({there})::DOUBLE END"


def by_numpy(given: World) -> list[tuple[str, tuple[Any, ...], Table]]:
    """One full pass over the answers in memory."""
    rows = given.columns
    values, present = measure_values(given.book, rows.packed)
    scale = np.array([measure.scale for measure in given.book.measures], dtype=np.float64)
    x, there = np.where(present, values / scale, 0.0), present.astype(np.float64)
    months, month_at = np.unique(rows.month, return_inverse=True)
    units, unit_at = np.unique(rows.unit, return_inverse=True)
    nobody = np.zeros(len(rows), dtype=np.int64)
    found = []
    for margin, value in (("", nobody), ("channel", rows.channel), ("segment", rows.segment)):
        options, value_at = np.unique(value, return_inverse=True)
        sizes = (len(units), len(months), len(options))
        cell = np.ravel_multi_index((unit_at, month_at, value_at), sizes)
        found.append(
            (margin, (units, months, options), _grouped(cell, int(np.prod(sizes)), x, there))
        )
    return found


def _grouped(
    cell: npt.NDArray[np.int64],
    cells: int,
    x: npt.NDArray[np.float64],
    there: npt.NDArray[np.float64],
) -> Table:
    """Sort by cell, then one product of matrices a cell: the quick way of numpy alone."""
    order = np.argsort(cell, kind="stable")
    ends = np.cumsum(np.bincount(cell, minlength=cells))
    u = np.concatenate([there, x], axis=1)[order]
    width, size = u.shape[1], x.shape[1]
    gram = np.empty((cells, width, width))
    start = 0
    for at, end in enumerate(ends.tolist()):
        part = u[start:end]
        gram[at] = part.T @ part
        start = end
    upper = np.triu_indices(size)
    crossed = gram[:, :size, size:]
    diagonal = np.arange(size)
    return _table(
        gram[:, diagonal, diagonal],
        crossed[:, diagonal, diagonal],
        gram[:, :size, :size][:, *upper],
        (crossed[:, upper[1], upper[0]], crossed[:, *upper]),
        gram[:, size:, size:][:, *upper],
    )


# ---- Equal first ---------------------------------------------------------------------------------


def _named_parts(parts: list[Part]) -> dict[tuple[int, str, str, int], Table]:
    return {
        (cell.unit_id, f"{cell.month:%Y-%m}", cell.margin, cell.value_id): table
        for cells, tables in parts
        for cell, table in zip(cells, tables, strict=True)
    }


def _named_numpy(
    parts: list[tuple[str, tuple[Any, ...], Table]], book: Codebook
) -> dict[tuple[int, str, str, int], Table]:
    return {
        (int(unit), str(month), margin, int(value)): table
        for margin, names, tables in parts
        for (unit, month, value), table in zip(itertools.product(*names), tables, strict=True)
        if table[: len(book.measures)].any()
    }


def _named_duckdb(
    found: Mapping[str, npt.NDArray[Any]], book: Codebook
) -> dict[tuple[int, str, str, int], Table]:
    size = len(book.measures)
    names = [f"{kind}{at}" for kind in ("n", "mean") for at in range(size)]
    names += [f"cov{a}_{b}" for a, b in _pairs(size)]
    table = np.stack(
        [np.ma.filled(found[name].astype(np.float64), np.nan) for name in names], axis=1
    )
    channels, segments = (np.ma.filled(found[name], 0) for name in ("channel", "segment"))
    named = {}
    for at, (unit, month, channel, segment) in enumerate(
        zip(found["unit"], found["month"], channels, segments, strict=True)
    ):
        margin = ("channel", channel) if channel else ("segment", segment) if segment else ("", 0)
        named[(int(unit), str(month)[:7], margin[0], int(margin[1]))] = table[at]
    return named


def same(mine: Mapping[Any, Table], theirs: Mapping[Any, Table]) -> None:
    """Refuse to compare what does not compute the same."""
    assert mine.keys() == theirs.keys(), "other cells"
    a, b = np.stack([mine[key] for key in theirs]), np.stack(list(theirs.values()))
    assert np.array_equal(np.isfinite(a), np.isfinite(b)), "other gaps"
    known = np.isfinite(b)
    assert np.allclose(a[known], b[known], rtol=1e-6, atol=1e-9), "other figures"


# ---- Side by side --------------------------------------------------------------------------------


def absorb_new(given: World) -> None:
    """Absorb 1,000 responses that are spread over all units and months."""
    absorb(clock=lambda: NOW)


def _send(given: World) -> None:
    """Let the 1,000 oldest-by-chance rows arrive again, in force and not in any sum."""
    chance = np.random.default_rng()
    chosen = chance.choice(len(given.columns), NEW, replace=False)
    rows = given.columns
    month = rows.month[chosen].astype("datetime64[D]")
    with transaction.atomic(), connection.cursor() as cursor:
        campaign = Campaign.objects.get(code="bench")
        cursor.executemany(
            f"INSERT INTO surveys_response ({COLUMNS}) VALUES ({', '.join(['%s'] * 9)},"
            " '', '', 'day', 'en', 'link', 1000, false, false)",
            [
                (
                    f"{chance.integers(2**62):032x}", campaign.pk, campaign.version_id,
                    int(rows.unit[at]), int(rows.channel[at]), int(rows.segment[at]),
                    str(day), "{}", rows.packed[at].tobytes(),
                )
                for at, day in zip(chosen, month, strict=True)
            ],
        )  # fmt: skip


def run(sizes: list[int], rounds: int) -> bool:
    """Print the scenario at each size; True when the budgets at a million are kept."""
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            kept &= _run_size(size, rounds, Path(folder))[0]
    return kept


def growth(sizes: list[int], rounds: int) -> bool:
    """Print the scenario at each size, then what each way costs as the answers grow."""
    kept = True
    table: dict[int, Found] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            fine, table[size] = _run_size(size, rounds, Path(folder))
            kept &= fine
    print("\nLeast CPU seconds of the rounds, and in brackets of DuckDB at the same size")
    print(f"  {'responses':<16}" + "".join(f"{size:>20,}" for size in sizes))
    for way in table[sizes[0]]:
        least = [(min(table[size][way]), min(table[size]["duckdb"])) for size in sizes]
        print(f"  {way:<16}" + "".join(f"{a:>12.3f} ({a / b:5.2f})" for a, b in least))
    return kept


def _run_size(size: int, rounds: int, folder: Path) -> tuple[bool, Found]:
    given = world(size, folder)
    with duckdb.connect() as duck:
        duck.execute("SET threads = 1")
        expected = _named_duckdb(by_duckdb(given, duck), given.book)
        same(_named_parts(from_rollups(given)), expected)
        same(_named_parts(from_rows(given)), expected)
        same(_named_numpy(by_numpy(given), given.book), expected)
        found = in_turn(
            {
                "rollups": lambda: from_rollups(given),
                "rows": lambda: from_rows(given),
                "duckdb": lambda: by_duckdb(given, duck),
                "numpy": lambda: by_numpy(given),
            },
            rounds=rounds,
        )
    found["absorb 1,000"] = []
    for _round in range(rounds):
        _send(given)
        found["absorb 1,000"] += in_turn({"absorb": lambda: absorb_new(given)}, rounds=1)["absorb"]
    is_large = size >= 1_000_000
    on_server = connection.vendor == "postgresql"
    budgets = [
        Budget("from rollups, of DuckDB over Parquet", "rollups", "duckdb", 0.15),
        Budget("from the stored rows, of DuckDB", "rows", "duckdb", 2.0 if on_server else 1.3),
        Budget("absorbing 1,000, of a numpy pass", "absorb 1,000", "numpy", 0.06),
    ]
    title = f"Evaluation of {size:,} SERVQUAL responses on {connection.vendor} ({machine()})"
    return report(title, found, budgets if is_large else []), found
