"""How sure the scores of a run's units are, in the numbers that gave their intervals."""

from dataclasses import dataclass

import numpy as np
import orjson
from scipy import special

from sqcore.stats.arrays import FloatArray
from sqcore.stats.estimates import Estimate

KEY = "errors"
"""Under which name a run keeps them beside its frozen cells."""
_STORED = np.dtype("<f4")


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Of whole units: standard errors of scores in points, and their degrees of freedom.

    se, df: (units, codes); NaN where no score is shown or nobody knows how sure it is. A unit
    whose figures were held from before is not among them.
    """

    units: tuple[int, ...]
    codes: tuple[str, ...]
    se: FloatArray
    df: FloatArray

    def of(self, code: str) -> dict[int, tuple[float, float]]:
        """Return those of one code by unit, as far as they are known."""
        if code not in self.codes:
            return {}
        at = self.codes.index(code)
        both = zip(self.units, self.se[:, at].tolist(), self.df[:, at].tolist(), strict=True)
        return {unit: (se, df) for unit, se, df in both if se == se and df > 0}


NO_ERRORS = StandardErrors((), (), np.zeros((0, 0)), np.zeros((0, 0)))


def spread_of(
    estimate: Estimate,
    low: FloatArray,
    high: FloatArray,
    *,
    confidence: float,
    normal: bool = False,
    own: bool = True,
) -> tuple[FloatArray, FloatArray]:
    """Return standard errors and degrees of freedom: those of the estimate, or what an interval
    is worth where it has none of its own.

    normal: the interval is made with the normal distribution; own: the estimate's come first
    """
    df = np.full(len(low), np.inf) if normal else np.maximum(estimate.n_eff - 1, 1e-9)
    wide = 2 * special.stdtrit(np.minimum(df, 1e9), 0.5 + confidence / 2)
    found = (high - low) / wide
    if own:
        found = np.where(estimate.se > 0, estimate.se, found)
    return found, df


def freeze(errors: StandardErrors) -> bytes:
    """Return them as bytes."""
    header = orjson.dumps({"units": errors.units, "codes": errors.codes})
    numbers = np.stack([errors.se, errors.df]).astype(_STORED)
    return b"".join([header, b"\n", numbers.tobytes()])


def thaw(content: bytes) -> StandardErrors:
    """Rebuild what `freeze` wrote."""
    header, _newline, body = content.partition(b"\n")
    stored = orjson.loads(header)
    units, codes = tuple(stored["units"]), tuple(stored["codes"])
    numbers = np.frombuffer(body, dtype=_STORED).reshape(2, len(units), len(codes))
    return StandardErrors(units, codes, *numbers.astype(np.float64))
