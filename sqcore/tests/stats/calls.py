"""A call that works for each public function of `sqcore.stats`: what `test_sweep` spoils."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sqcore.stats import (
    agreement,
    ahp,
    arrays,
    careless,
    case_mix,
    changepoint,
    charts,
    composite,
    consistency,
    covariances,
    cross_products,
    cusum,
    data_weights,
    differences,
    dimensions,
    drivers,
    effects,
    estimates,
    ewma,
    factor_fit,
    forecast,
    formula,
    funnels,
    gaps,
    heterogeneity,
    importance,
    interrupted,
    kano,
    learning,
    logistic,
    loyalty,
    moments,
    ordinal,
    people,
    process,
    proportions,
    psychometrics,
    raking,
    ranks,
    rare,
    rates,
    rules,
    runs,
    scoring,
    seasonality,
    selection,
    sensitivity,
    servqual,
    smoothing,
    subgroups,
    suppression,
    trend,
    variance_parts,
)
from sqcore.stats.results import Figure

NAN = float("nan")
RNG = np.random.default_rng(7)
SERIES = [5.0, 6.0, 5.5, 4.0, 5.0, 6.5, 9.0, 10.0, 9.5, 8.0, 9.0, 10.5, 9.0, 8.5, 9.0, 10.0]
TABLE = RNG.integers(1, 6, (60, 3)).astype(float).tolist()
OUTCOME = (RNG.random(60) < 0.5).astype(int).tolist()
ANSWERS = RNG.integers(1, 6, 60).tolist()
COVARIANCE = [[2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]]
PAIRS = [[1.0, 2.0, 6.0], [0.5, 1.0, 3.0], [1 / 6, 1 / 3, 1.0]]
KANO = [[0, 4, 2, 1, 6], [0, 3, 1, 0, 9], [0, 2, 4, 0, 2], [0, 0, 1, 0, 1], [0, 0, 0, 0, 1]]
INTEGERS = [[4, 6], [5, 7], [6, 5]]
PRESENT = [[True, True], [True, False], [True, True]]
MOMENTS = moments.moments_of(INTEGERS, PRESENT, None, [0, 0, 0], 1)
MEANS = estimates.mean_covariance(MOMENTS)
ENDS = scoring.Goalposts(np.array([1.0, 1.0]), np.array([7.0, 7.0]))
CURVE = scoring.nominal(8.0, 4.0)
SIDE = gaps.side_of([[5.0, 6.0], [6.0, 4.0], [5.5, 5.0]])
SCORES = servqual.dimension_scores(INTEGERS, PRESENT, [0, 1])
LIMITS = charts.freeze(SERIES, kind=charts.ChartKind.XMR)
SHARES = charts.freeze([0.1, 0.2, 0.1, 0.2, 0.1], kind=charts.ChartKind.P, sizes=[50] * 5)
MANY = charts.freeze_many([SERIES, SERIES])
FLAGS = rules.flags([SERIES], rules.PROFILES["nelson"])
EFFECT = effects.mean_shift([9, 10, 11, 10, 9, 10, 11, 10], [7, 8, 7, 6, 7, 8, 7, 6])
FOUND = forecast.forecast(SERIES)
PRODUCTS = cross_products.cross_products(TABLE, bucket=[i % 10 for i in range(60)])
MAP = process.process_map([0, 0, 1, 1], [0, 1, 0, 1], [0, 9, 0, 6], [4, 10, 5, 8], activities=2)
FAMILIES = suppression.families_of([(0, [1, 2])])
COMPARED = selection.compare_groups([1, 1, 1, 0, 1, 1, 0, 0], [0] * 4 + [1] * 4, 2)
RATED = agreement.kendalls_w([[1, 2, 3], [1, 3, 2], [2, 1, 3]])
SPREADS = agreement.spread([[1, 2, 3], [1, 3, 2], [2, 1, 3]])
FIGURES = (Figure(2.6, 2.4, 2.8, 90), Figure(3.3, 3.1, 3.5, 90))
SMOOTHING = smoothing.weights_of(smoothing.Method.HOLT)
PATH = smoothing.smoothed(np.array(SERIES), SMOOTHING, level=5.0)
NPS = proportions.nps([60, 5], [25, 5], [15, 5])
SIGNS = {
    "recommend": [4.0, 9.0],
    "open_complaints": [0, 1],
    "scores": [[6.0, 6.0, 5.0], [5.0, 6.0, 7.0]],
    "days_away": [90.0, 10.0],
    "usual_gap": [30.0, 30.0],
}
LOG = {"case": [0, 0, 1, 1], "activity": [0, 1, 0, 1], "start": [0, 9, 0, 6], "end": [4, 10, 5, 8]}
UNITS_OF = {"a": "min", "b": "min"}
CHANGE = learning.Change(309, 20.44, 21.03, 0.54)
PERSON, FACTORS = [0, 0, 1, 1, 2, 2], [[0.0, 1.0], [1.0, 2.0], [0.0, 5.0]] * 2
MIX = case_mix.case_mix([5, 4, 3, 2, 4, 4], PERSON, FACTORS)
DRAWN_IN = people.shrink([4.9, 4.2, 3.8], [0.125, 0.05, 0.02], [0, 0, 0], 0.09)
MEANS_OF_THREE = {"means": [4.9, 4.2, 3.8], "variances": [0.125, 0.05, 0.02], "group": [0, 0, 0]}
FAULTS = [20, 24, 19, 23, 21, 18, 27, 25, 29, 24, 30, 26, 24, 28, 25, 29] + [12, 10, 13, 11] * 2
BEFORE, AFTER = [3.8, 4.0, 3.9, 3.7], [4.3, 4.2, 4.4, 4.1]

# A call that works for each function; two where one does not reach all of it.
CALLS: list[tuple[Callable[..., object], dict[str, Any]]] = [
    (agreement.kendalls_w, {"ratings": [[1, 2, 3], [1, 3, 2], [2, 1, 3]]}),
    (agreement.spread, {"ratings": TABLE, "confidence": 0.9}),
    (agreement.delphi_settled, {"now": RATED, "spreads": SPREADS, "before": 0.3}),
    (ahp.comparison_matrix, {"comparisons": {(0, 1): 2.0}, "n": 2}),
    (ahp.reciprocal, {"matrix": PAIRS}),
    (ahp.priorities, {"matrix": PAIRS}),
    (ahp.priorities, {"matrix": PAIRS, "method": ahp.Prioritisation.GEOMETRIC_MEAN}),
    (
        ahp.priorities,
        {"matrix": [[1, 2, NAN, 4], [0.5, 1, 3, NAN], [NAN, NAN, 1, 2], [NAN] * 3 + [1]]},
    ),
    (ahp.random_index, {"n": 4, "missing": 1}),
    (
        ahp.group_priorities,
        {"matrices": [PAIRS, PAIRS], "exponents": [1.0, 2.0], "leave_out_above": 0.1},
    ),
    (arrays.integers, {"values": [1, 2], "name": "values"}),
    (arrays.int64s, {"values": [1, 2], "name": "values"}),
    (arrays.finite, {"values": [1.0, 2.0], "name": "values"}),
    (arrays.squarable, {"array": np.zeros(2), "name": "values"}),
    (arrays.shaped, {"array": np.zeros(2), "shape": (2,), "name": "values"}),
    (arrays.numbers, {"values": [1.0, NAN], "name": "values"}),
    (arrays.flags, {"values": [True, False], "name": "values"}),
    (arrays.chosen, {"value": "holt", "choices": smoothing.Method, "name": "method"}),
    (arrays.confidence_level, {"confidence": 0.9}),
    (arrays.divisible, {"array": np.ones(2), "name": "values"}),
    (arrays.codes_below, {"values": [0, 1], "count": 2, "length": 2, "name": "person"}),
    (arrays.dense_codes, {"code": np.array([3, 1, 3])}),
    (careless.straight_lines, {"values": TABLE, "fewest": 3, "confidence": 0.9}),
    (careless.longest_runs, {"values": TABLE}),
    (careless.mahalanobis, {"values": TABLE, "fewest": 30, "confidence": 0.9}),
    (
        careless.too_fast,
        {"seconds": [30.0, 50.0, NAN], "items": [22, 22, 20], "least_seconds_an_item": 2.0},
    ),
    (
        case_mix.case_mix,
        {"values": [5, 4, 3, 2, 4, 4], "person": PERSON, "factors": FACTORS, "names": ["a", "b"]},
    ),
    (
        case_mix.adjusted,
        {"values": [4.1] * 6, "factors": FACTORS, "mix": MIX, "reference_means": [0.2, 2.0]},
    ),
    (changepoint.change_points, {"values": SERIES, "least": 5, "penalty": 1.0}),
    (changepoint.change_points, {"values": SERIES}),
    (charts.freeze, {"values": SERIES, "kind": charts.ChartKind.XMR, "valid": [True] * 16}),
    (
        charts.freeze,
        {"values": [0.1, 0.2, 0.1, 0.2, 0.1], "kind": charts.ChartKind.P, "sizes": [50] * 5},
    ),
    (
        charts.freeze,
        {"values": [0.1, 0.2, 0.1, 0.2, 0.1], "kind": charts.ChartKind.P_PRIME, "sizes": [50] * 5},
    ),
    (charts.freeze, {"values": SERIES, "kind": charts.ChartKind.U, "sizes": [50] * 16}),
    (charts.freeze, {"values": SERIES, "kind": charts.ChartKind.U_PRIME, "sizes": [50] * 16}),
    (charts.freeze, {"values": SERIES, "kind": charts.ChartKind.C, "sizes": [1] * 16}),
    (
        charts.freeze,
        {
            "values": SERIES,
            "kind": charts.ChartKind.XBAR_S,
            "sizes": [50] * 16,
            "spreads": [1.5] * 16,
        },
    ),
    (charts.freeze, {"values": SERIES, "kind": charts.ChartKind.T}),
    (charts.freeze, {"values": [3, 4, 1, 0, 9, 5, 6], "kind": charts.ChartKind.G}),
    (
        charts.freeze_many,
        {"values": [SERIES, SERIES], "valid": [[True] * 16] * 2, "baseline": [True] * 16},
    ),
    (charts.bands, {"limits": SHARES, "points": 2, "sizes": [50, 60], "width": 3.0}),
    (charts.bands, {"limits": LIMITS, "points": 2, "width": 3.0}),
    (charts.z_of, {"values": SERIES, "limits": LIMITS}),
    (charts.z_of, {"values": [0.1, 0.2], "limits": SHARES, "sizes": [50, 60]}),
    (charts.z_many, {"values": [SERIES, SERIES], "limits": MANY}),
    (
        charts.chart_for,
        {"statistic": "proportion", "values": [0.1, 0.4, 0.1, 0.5, 0.1], "sizes": [900] * 5},
    ),
    (
        charts.chart_for,
        {"statistic": "mean", "values": SERIES * 2, "sizes": [9] * 32, "spreads": [2.0] * 32},
    ),
    (charts.equal_sizes, {"values": [4, 7, 5], "sizes": [30, 31, 30]}),
    (charts.unbias, {"n": [2, 5, 25]}),
    (
        composite.composite,
        {
            "means": MEANS,
            "goalposts": ENDS,
            "weights": [0.5, 0.5],
            "groups": [0, 1],
            "lone": [[False, True]],
        },
    ),
    (
        composite.composite,
        {
            "means": MEANS,
            "goalposts": ENDS,
            "weights": [0.5, 0.5],
            "aggregation": "geometric",
            "minimum": 2,
            "minimum_coverage": 0.6,
        },
    ),
    (
        composite.composite_change,
        {
            "after": MEANS,
            "before": MEANS,
            "goalposts": ENDS,
            "weights": [0.5, 0.5],
            "confidence": 0.9,
        },
    ),
    (
        consistency.consistency,
        {
            "n": [60, 80, 40],
            "means": [6.0, 9.0, 7.0],
            "variances": [16.0, 20.0, 18.0],
            "confidence": 0.9,
            "least_groups": 3,
        },
    ),
    (covariances.covariance_matrix, {"values": COVARIANCE, "n": 50}),
    (covariances.varying, {"covariance": np.array(COVARIANCE)}),
    (covariances.correlation_matrix, {"covariance": np.array(COVARIANCE)}),
    (
        cross_products.cross_products,
        {"values": TABLE, "bucket": [0] * 60, "weights": [1.0] * 60, "buckets": 2},
    ),
    (cusum.openers, {"z": [SERIES, SERIES]}),
    (
        cusum.standardised,
        {"values": [SERIES], "centre": [7.0], "sigma_between": [1.0], "errors": [[0.5] * 16]},
    ),
    (cusum.between_sigma, {"spread": [1.5], "errors_of_baseline": [[1.2, 1.2, NAN]]}),
    (cusum.average_run_length, {"k": 0.5, "h": 4.0, "shift": 0.5}),
    (cusum.false_alarms_a_year, {"n0": 26, "phi": 0.1, "h": 7.0, "points_a_year": 52.0}),
    (cusum.in_table, {"n0": 26, "phi": 0.1, "h": 7.0}),
    (cusum.h_for, {"n0": 26, "phi": 0.1, "a_year": 0.05, "points_a_year": 52.0}),
    (data_weights.entropy_weights, {"values": TABLE}),
    (data_weights.critic_weights, {"values": TABLE}),
    (data_weights.combine, {"first": [0.6, 0.4], "second": [0.2, 0.8], "theta": 0.3}),
    (
        data_weights.combine,
        {"first": [0.6, 0.4], "second": [0.2, 0.8], "how": data_weights.Combination.GEOMETRIC},
    ),
    (
        differences.difference,
        {
            "after": differences.Bounded(75.0, 72.0, 78.0),
            "before": differences.Bounded(70.0, 66.0, 74.0),
        },
    ),
    (dimensions.check_units, {"formula": formula.parse("[a] + [b]"), "units": UNITS_OF}),
    (drivers.relative_weights, {"covariance": COVARIANCE}),
    (drivers.shapley, {"covariance": COVARIANCE, "draws": 4}),
    (drivers.drivers, {"products": PRODUCTS, "confidence": 0.9}),
    (
        effects.mean_shift,
        {"before": SERIES, "after": SERIES, "confidence": 0.9, "least_before": 8, "least_after": 4},
    ),
    (effects.verdict, {"effect": EFFECT, "better": -1, "minimum": 2.0}),
    (effects.restored, {"after": SERIES, "centre": 9.0, "sigma": 1.0}),
    (
        effects.smallest_detectable,
        {"n_before": 24, "n_after": 12, "sigma": 1.0, "phi": 0.3, "power": 0.8, "confidence": 0.9},
    ),
    (
        effects.periods_needed,
        {"effect": 1.0, "n_before": 24, "sigma": 1.0, "phi": 0.1, "most": 104},
    ),
    (effects.balancing_worse, {"effect": EFFECT, "better": 1, "margin": 2.0}),
    (estimates.mean_covariance, {"moments": MOMENTS, "scale": [1.0, 2.0]}),
    (estimates.means, {"moments": MOMENTS, "scale": [1.0, 2.0], "confidence": 0.9, "minimum": 2}),
    (
        estimates.interval_of,
        {
            "value": [50.0, 60.0],
            "se": [2.0, 0.0],
            "n": [100, 10],
            "n_eff": [99.0, 10.0],
            "bounds": (0.0, 100.0),
        },
    ),
    (
        estimates.equal_answers,
        {"value": [7.0, 5.0], "n": [30, 2], "bounds": (1.0, 7.0), "confidence": 0.9},
    ),
    (ewma.ewma, {"values": SERIES, "centre": 7.0, "sigma": 1.0, "weight": 0.2, "width": 2.86}),
    (ewma.two_sided_cusum, {"z": SERIES, "k": 0.5, "h": 5.0}),
    (ewma.ewma_run_length, {"weight": 0.2, "width": 2.86, "shift": 0.5}),
    (ewma.shewhart_run_length, {"width": 3.0, "shift": 1.0}),
    (
        factor_fit.factor_fit,
        {
            "covariance": np.full((4, 4), 0.5) + 0.5 * np.eye(4),
            "n": 200,
            "factors": [0, 0, 0, 0],
            "fewest": 100,
        },
    ),
    (factor_fit.degrees_of_freedom, {"member": np.array([0, 0, 0])}),
    (
        factor_fit.solution,
        {"r": np.full((3, 3), 0.5) + 0.5 * np.eye(3), "member": np.array([0, 0, 0])},
    ),
    (
        forecast.forecast,
        {"values": SERIES, "season": 4, "horizon": 3, "confidence": 0.8, "bounds": (0.0, 12.0)},
    ),
    (forecast.forecast, {"values": SERIES}),
    (forecast.crosses, {"found": FOUND, "limit": 9.0, "below": True}),
    (formula.parse, {"text": "[a] / [b]"}),
    (
        formula.parse("[a] / [b]").evaluate,
        {"values": {"a": [1.0], "b": [2.0]}, "covariance": [[[1.0, 0.0], [0.0, 1.0]]]},
    ),
    (funnels.funnel_limits, {"theta": 0.9, "n": [30, 60], "levels": [0.95, 0.998]}),
    (funnels.funnel_limits, {"theta": 5.0, "n": [30, 60], "kind": "mean", "within": 1.5}),
    (
        funnels.overdispersion,
        {"z": [-0.8, 3.1, 1.1, -1.7], "standard_errors": [0.1, 0.2, 0.1, 0.3], "share": 0.1},
    ),
    (gaps.side_of, {"values": TABLE}),
    (gaps.side_from, {"joint": MEANS, "cell": 0}),
    (
        gaps.knowledge_gap,
        {"managers": SIDE, "customers": SIDE, "weights": [1.0, 2.0], "scale": (1.0, 7.0)},
    ),
    (
        gaps.standards_gap,
        {"standards": TABLE, "wanted": TABLE, "weights": [1.0, 2.0, 1.0], "scale": (1.0, 7.0)},
    ),
    (gaps.delivery_gap, {"able": TABLE, "weights": [1.0, 2.0, 1.0]}),
    (gaps.communication_gap, {"kept": TABLE, "weights": [1.0, 2.0, 1.0]}),
    (gaps.service_gap, {"gaps": [[-1, 0], [-2, 0], [0, -1]], "weights": [1.0, 2.0]}),
    (
        gaps.causes,
        {"answers": TABLE, "cause": [0, 0, 1], "turned": [False, True, False], "scale": (1.0, 7.0)},
    ),
    (gaps.half_mean, {"values": TABLE}),
    (
        heterogeneity.heterogeneity,
        {"means": [70, 74, 66, 71, 79], "variances": [4, 5, 4, 6, 5], "group": [0, 0, 0, 1, 1]},
    ),
    (
        importance.importance_performance,
        {
            "performance": FIGURES,
            "importance": FIGURES,
            "scale": (1.0, 5.0),
            "importance_scale": (1.0, 5.0),
        },
    ),
    (importance.penalty_reward, {"scores": TABLE, "outcome": ANSWERS, "confidence": 0.9}),
    (
        interrupted.interrupted_series,
        {
            "counts": FAULTS,
            "exposure": [100.0] * 24,
            "at": 16,
            "earlier": 6,
            "with_change": True,
            "season": 6.0,
            "harmonics": 1,
            "least_before": 12,
            "confidence": 0.9,
        },
    ),
    (
        interrupted.interrupted_series,
        {"counts": FAULTS, "exposure": [100.0] * 24, "at": 16, "dispersion": 1.5},
    ),
    (kano.categories, {"table": KANO}),
    (kano.kano, {"table": KANO, "confidence": 0.9}),
    (kano.kano_of_categories, {"counts": {kano.Category.MUST_BE: 40, kano.Category.REVERSE: 3}}),
    (learning.paired_gain, {"before": BEFORE, "after": AFTER, "most": 5.0, "level": 0.9}),
    (learning.small_sample, {"df": 10.0}),
    (
        learning.standardised_difference,
        {"means": (103.0, 100.0), "sds": (5.5, 4.5), "ns": (50, 50)},
    ),
    (learning.difference_from_changes, {"trained": CHANGE, "controls": CHANGE, "level": 0.9}),
    (
        learning.difference_in_differences,
        {
            "trained_before": BEFORE,
            "trained_after": AFTER,
            "controls_before": AFTER,
            "controls_after": BEFORE,
            "trained_weights": [1.0, 2.0, 1.0, 1.0],
            "controls_weights": [1.0] * 4,
            "selected": BEFORE,
            "pre_windows": ([[1.0, 2.0, NAN]] * 4, [[1.0, 2.0, 4.0]] * 4),
        },
    ),
    (learning.verdict, {"effect": 0.5, "low": 0.2, "high": 0.8, "minimum": 0.25, "better": 1}),
    (
        learning.regression_to_the_mean,
        {"observed": [3.6, 4.0], "mean": [4.1, 4.1], "reliability": [0.5, 0.6]},
    ),
    (
        logistic.logistic,
        {"x": TABLE, "outcome": OUTCOME, "ridge": 0.5, "fewest_events": 10, "confidence": 0.9},
    ),
    (logistic.exponential, {"figure": FIGURES[0]}),
    (logistic.columns_that_vary, {"x": np.array(TABLE)}),
    (logistic.is_dependent, {"x": np.array(TABLE)}),
    (
        logistic.out_of_fold,
        {"x": TABLE, "outcome": OUTCOME, "fold": [at % 5 for at in range(60)], "ridge": 0.5},
    ),
    (logistic.auc, {"outcome": OUTCOME, "score": ANSWERS, "confidence": 0.9}),
    (
        logistic.calibration,
        {"outcome": OUTCOME, "probability": [each / 6 for each in ANSWERS], "groups": 5},
    ),
    (logistic.logistic(TABLE, OUTCOME, fewest_events=5).probabilities, {"x": TABLE}),
    (
        loyalty.loyalty_index,
        {"answers": [[5, 10], [3, 5], [4, 7], [1, 0]], "scales": [(1, 5), (0, 10)]},
    ),
    (
        loyalty.loyalty_scores,
        {"answers": [[5, 10], [3, 5], [4, 7], [1, 0]], "scales": [(1, 5), (0, 10)]},
    ),
    (
        loyalty.acsi_index,
        {
            "answers": [[8, 7, 9], [6, 6, 7], [9, 8, 10]],
            "weights": [0.4, 0.3, 0.3],
            "scale": (1.0, 10.0),
        },
    ),
    (loyalty.scorecard, {"present": [[1, 0, 1, 0], [0, 0, NAN, 0]], "medium": 3, "high": 5}),
    (loyalty.customer_signs, SIGNS),
    (moments.no_moments, {"cells": 2, "measures": 3}),
    (
        moments.moments_of,
        {
            "values": INTEGERS,
            "present": PRESENT,
            "weights": [1, 2, 1],
            "cell": [0, 0, 1],
            "cells": 2,
        },
    ),
    (moments.add, {"first": MOMENTS, "second": MOMENTS}),
    (moments.subtract, {"whole": MOMENTS, "part": MOMENTS}),
    (moments.merge, {"moments": MOMENTS, "group": [0, 1], "groups": 2, "cell": [0, 0]}),
    (moments.stacked, {"parts": [MOMENTS, MOMENTS]}),
    (moments.scaled, {"moments": MOMENTS, "factors": [10, 1]}),
    (moments.widened, {"moments": MOMENTS, "places": [1, 0], "measures": 3}),
    (moments.pack, {"moments": MOMENTS}),
    (moments.unpack, {"blobs": moments.pack(MOMENTS)}),
    (
        ordinal.proportional_odds,
        {"x": TABLE, "outcome": [each // 2 for each in ANSWERS], "counts": [2] * 60, "ridge": 0.5},
    ),
    (
        people.information,
        {"share": [1.0, 0.5, 0.9], "person": [0, 0, 1], "persons": 2, "least_share": 0.8},
    ),
    (people.reliability, {"n": [10, 30], "icc": [0.05, 0.1]}),
    (people.answers_needed, {"reliability": 0.7, "icc": 0.05}),
    (people.truly_lowest, {"reliability": 0.7, "share": 0.25}),
    (
        people.shrink,
        {
            "means": [4.9, 4.2, 3.8],
            "variances": [0.125, 0.05, 0.02],
            "group": [0, 0, 0],
            "tau2": 0.04,
            "level": 0.9,
        },
    ),
    (people.probability_below, {"shrunk": DRAWN_IN, "margin": 0.3}),
    (people.probability_above, {"shrunk": DRAWN_IN, "margin": 0.3}),
    (
        people.expected_flags,
        {
            "n": [50, 40],
            "within": 1.21,
            "tau2": 0.09,
            "margin": 0.3,
            "level": 0.975,
            "centre_variance": [0.01, 0.0],
        },
    ),
    (people.share_prior, {"mean": 0.136, "sd": 0.103}),
    (
        people.shrunk_share,
        {"successes": [8, 30], "trials": [10, 30], "prior": people.SharePrior(45.0, 5.0)},
    ),
    (process.process_map, {**LOG, "activities": 2, "arrived": [0, 0, 0, 0]}),
    (process.stretches, {"found": MAP, "fewest": 1}),
    (process.bottleneck, {"found": MAP, "fewest": 1}),
    (process.variants, {"case": LOG["case"], "activity": LOG["activity"]}),
    (process.filter_edges, {"found": MAP, "flow": 0.9, "fewest": 1}),
    (proportions.wilson, {"successes": [8, 0], "trials": [10, 10], "confidence": 0.9}),
    (
        proportions.newcombe,
        {
            "successes": [8, 0],
            "trials": [10, 10],
            "other_successes": [5, 5],
            "other_trials": [9, 9],
        },
    ),
    (proportions.proportion, {"share": [0.5, 1.0], "n": [20, 3], "n_eff": [19.0, 3.0]}),
    (
        proportions.nps,
        {
            "promoters": [3, 10],
            "passives": [0, 10],
            "detractors": [0, 10],
            "n": [3, 30],
            "n_eff": [3.0, 20.0],
        },
    ),
    (proportions.nps_difference, {"after": NPS, "before": NPS}),
    (
        proportions.effort,
        {"counts": [[2, 3, 5, 10, 20, 35, 25]], "top": 3, "n": [100], "n_eff": [80.0]},
    ),
    (psychometrics.reliability, {"covariance": COVARIANCE, "n": 50, "confidence": 0.9}),
    (psychometrics.adequacy, {"covariance": COVARIANCE, "n": 150, "fewest": 100}),
    (
        raking.rake,
        {
            "margins": [[0, 0, 0, 1, 1], [0, 1, 0, 1, 0]],
            "targets": [[50, 50], [40, 60]],
            "start": [1.0] * 5,
            "lowest": 0.3,
            "highest": 3.0,
        },
    ),
    (raking.design_effect, {"weights": [1, 1, 2]}),
    (
        ranks.places,
        {
            "score": [80.0, 70.0, 69.0],
            "se": [1.0, 2.0, 2.0],
            "df": [9.0, 500.0, 30.0],
            "draws": 50,
            "share": 0.9,
            "seed": 20,
        },
    ),
    (rare.c_lines, {"counts": [4, 2, 5, 3, 6, 4], "valid": [True] * 6, "width": 3.0}),
    (rare.t_lines, {"times": [3, 9, 1, 6, 14, 5, 2, 8], "width": 3.0}),
    (rare.g_lines, {"cases": [16, 23, 43, 25, 1, 26, 45], "width": 3.0}),
    (rare.is_rare, {"counts": [0, 1, 0, 0, 2, 0]}),
    (rare.between_events, {"events": [1, 0, 0, 2, 0, 1], "cases": [10] * 6}),
    (rates.garwood, {"counts": [0, 10], "confidence": 0.9}),
    (rates.rate, {"counts": [10, 0], "exposure": [4000.0, 0.0], "n": [9, 0], "unit": 1000.0}),
    (rates.exposure_of, {"values": [2.5, 0.0], "widths": [3.4, 7.0], "confidence": 0.95}),
    (rules.suited, {"profile": rules.PROFILES["nelson"], "kind": charts.ChartKind.G}),
    (rules.flags, {"z": [SERIES, SERIES], "profile": rules.PROFILES["nelson"]}),
    (rules.variation, {"found": FLAGS, "better": 1}),
    (rules.assurance, {"limits": SHARES, "target": 0.2, "better": 1, "size": 50.0, "width": 3.0}),
    (runs.runs_of, {"values": SERIES, "centre": 7.0}),
    (scoring.nominal, {"target": 8.0, "tolerance": 4.0, "dead_band": 1.0}),
    (scoring.aimed, {"target": 5.0, "limit": 9.0}),
    (scoring.nothing_at, {"target": 5.0, "limit": 9.0}),
    (scoring.through, {"knots": [(0.0, 100.0), (5.0, 90.0), (15.0, 0.0)]}),
    (scoring.goalpost_scores, {"value": [[5.5, 2.0]], "goalposts": ENDS}),
    (scoring.steepness, {"curve": CURVE, "value": [6.0, 8.5], "half": [1.0, 1.0]}),
    (CURVE.at, {"value": [6.0, 8.0]}),
    (CURVE.between, {"low": [6.0, 8.0], "high": [7.0, 9.0]}),
    (seasonality.autocorrelation, {"values": SERIES, "confidence": 0.9}),
    (seasonality.lag_one, {"x": np.array(SERIES)}),
    (seasonality.season_of, {"values": SERIES, "season": 4}),
    (seasonality.series_of, {"values": SERIES}),
    (
        selection.compare_groups,
        {"values": [10.0, 12.0, 8.0, 5.0, 6.0, 7.0], "group": [0, 0, 0, 1, 1, 1], "groups": 2},
    ),
    (selection.benjamini_hochberg, {"p": [0.01, 0.04, 0.03]}),
    (selection.is_alarm, {"compared": COMPARED, "q": [NAN, 0.01], "least": 0.2}),
    (
        sensitivity.rank_intervals,
        {
            "scores": [[90, 80], [50, 60], [60, 50]],
            "weights": [0.5, 0.5],
            "draws": 50,
            "concentration": 100.0,
        },
    ),
    (sensitivity.room_to_move, {"scores": [[90, 80], [50, 60], [60, 50]], "weights": [0.5, 0.5]}),
    (
        servqual.dimension_scores,
        {"items": INTEGERS, "answered": PRESENT, "dimension": [0, 1], "scale": 60},
    ),
    (
        servqual.gap_scores,
        {
            "expectations": INTEGERS,
            "perceptions": INTEGERS,
            "expected": PRESENT,
            "perceived": PRESENT,
            "dimension": [0, 1],
        },
    ),
    (servqual.shared_points, {"points": [[50, 50], [20, 80], [0, 0]]}),
    (
        servqual.weighted_scores,
        {"scores": SCORES, "points": [[50, 50], [20, 80], [0, 0]], "fallback": [50, 50]},
    ),
    (servqual.overall, {"moments": MOMENTS, "scale": 60, "confidence": 0.9, "minimum": 2}),
    (smoothing.weights_of, {"method": smoothing.Method.HOLT}),
    (smoothing.smoothed, {"values": np.array(SERIES), "weights": SMOOTHING, "level": 5.0}),
    (smoothing.ahead, {"path": PATH, "weights": SMOOTHING, "at": 3, "which": 1, "horizon": 2}),
    (
        subgroups.group_lines,
        {
            "means": [5.0, 5.2, 4.9, 5.1, 5.0],
            "spreads": [1.0, 1.1, 0.9, 1.0, 1.0],
            "sizes": [25] * 5,
            "valid": [True] * 5,
            "width": 3.0,
        },
    ),
    (suppression.families_of, {"families": [(0, [1, 2])]}),
    (
        suppression.suppress,
        {"counts": [60, 10, 50], "families": FAMILIES, "k": 5, "hidden": [False, True, False]},
    ),
    (
        suppression.keep_former,
        {"old": [60, 10, 50], "new": [61, 10, 51], "families": FAMILIES, "k": 5},
    ),
    (
        suppression.differences,
        {"counts": [60, 10, 50], "published": [True, True, True], "families": FAMILIES},
    ),
    (trend.mann_kendall, {"values": SERIES, "confidence": 0.9}),
    (trend.sen_slope, {"values": SERIES, "confidence": 0.9}),
    (trend.seasonal_mann_kendall, {"values": SERIES, "season": 4, "confidence": 0.9}),
    (
        variance_parts.variance_parts,
        {"values": [4, 6, 5, 9, 7, 8], "person": PERSON, "group_of_person": [0, 0, 0]},
    ),
    (
        variance_parts.variance_parts_of_sums,
        {
            "n": [2, 2, 2],
            "total": [10, 14, 15],
            "squares": [52, 106, 113],
            "group_of_person": [0, 0, 0],
        },
    ),
    (variance_parts.between_variance, MEANS_OF_THREE),
    (variance_parts.between_variance, {**MEANS_OF_THREE, "method": "moments"}),
    (variance_parts.means_in_groups, MEANS_OF_THREE),
]
# With any number of arguments, all of one kind.
CALLED_WITH_STARS = (composite.independent, effects.autocorrelation, arrays.together)
# Parts of a fit that only their module calls, with what it has checked.
INNER = (logistic.irls, logistic.halved)
# Their numbers are bare, as they are made for code that has checked them: not for data.
CHECKED_BEFORE = (
    logistic.columns_that_vary,
    logistic.is_dependent,
    suppression.families_of,
    covariances.varying,
    covariances.correlation_matrix,
    factor_fit.solution,
    factor_fit.degrees_of_freedom,
    smoothing.smoothed,
    smoothing.ahead,
    seasonality.lag_one,
    arrays.shaped,
    arrays.squarable,
    arrays.divisible,
    arrays.dense_codes,
)
