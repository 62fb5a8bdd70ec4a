"""Array types and the checks that every method shares."""

from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from sqcore.stats.errors import StatisticsError

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LARGEST = 1e100
"""Beyond it squares and their sums leave the range of the numbers."""
SMALLEST = 1e-100
"""Below it reciprocals and their squares do."""
MOST_COUNTED = 2**53
"""More of anything cannot be counted one by one in a float."""


def integers(values: npt.ArrayLike, name: str) -> npt.NDArray[np.integer[Any]]:
    """Return the values as an integer array of their own width, or refuse."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise StatisticsError(f"{name} must have rows of one length") from error
    if array.dtype.kind == "b" or (array.size == 0 and array.dtype.kind == "f"):
        return array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise StatisticsError(f"{name} must be integers, not {array.dtype}")
    return array


def int64s(values: npt.ArrayLike, name: str) -> IntArray:
    """Return the values as int64, or refuse."""
    array = integers(values, name)
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise StatisticsError(f"{name} do not fit 64 bits")
    return array.astype(np.int64, copy=False)


def finite(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return the values as float64, or refuse what is not finite."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name} must be numbers") from error
    if not np.isfinite(array).all():
        raise StatisticsError(f"{name} must be finite")
    return array


def numbers(values: npt.ArrayLike, name: str) -> FloatArray:
    """Return the values as float64, NaN where there is none, or refuse what is infinite."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name} must be numbers in rows of one length") from error
    if np.isinf(array).any():
        raise StatisticsError(f"{name} must be finite, NaN where there is none")
    return array


def flags(values: npt.ArrayLike, name: str) -> BoolArray:
    """Return the values as bool, or refuse rows of different length."""
    try:
        return np.asarray(values, dtype=np.bool_)
    except (TypeError, ValueError) as error:
        raise StatisticsError(f"{name} must be true or false in rows of one length") from error


def squarable(array: FloatArray, name: str) -> FloatArray:
    """Refuse numbers whose squares leave the range of the numbers; NaN is none."""
    if (np.abs(array) > LARGEST).any():
        raise StatisticsError(f"{name} must not be beyond {LARGEST:g}")
    return array


def divisible(array: FloatArray, name: str) -> FloatArray:
    """Refuse numbers that are not positive, or cannot be divided by and squared."""
    if not ((array >= SMALLEST) & (array <= LARGEST)).all():
        raise StatisticsError(f"{name} must be positive, from {SMALLEST:g} to {LARGEST:g}")
    return array


def together(name: str, *parts: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], ...]:
    """Return the arrays in the one shape that they all fit, or refuse."""
    try:
        return tuple(np.broadcast_arrays(*parts))
    except ValueError as error:
        raise StatisticsError(f"{name} must have shapes that fit") from error


def shaped(array: npt.NDArray[Any], shape: tuple[int, ...], name: str) -> None:
    """Refuse an array of another shape."""
    if array.shape != shape:
        raise StatisticsError(f"{name} must have shape {shape}, not {array.shape}")


def chosen(value: str, choices: type[StrEnum], name: str) -> None:
    """Refuse what is not among the choices."""
    if value not in set(choices):
        raise StatisticsError(f"there is no {name} {value!r}")


def confidence_level(confidence: float) -> float:
    """Refuse a confidence outside (0, 1)."""
    if not 0.0 < confidence < 1.0:
        raise StatisticsError(f"confidence must lie between 0 and 1, not {confidence}")
    return confidence


def codes_below(values: npt.ArrayLike, count: int, length: int, name: str) -> IntArray:
    """Return codes of one for each of so many, or refuse those outside 0..count - 1."""
    code = int64s(values, name)
    shaped(code, (length,), name)
    if count < 1 or ((code < 0) | (code >= count)).any():
        raise StatisticsError(f"{name} must lie in 0..{count - 1}")
    return code


def dense_codes(code: IntArray) -> tuple[IntArray, int]:
    """Return the codes without gaps, and how many there are."""
    if (code < 0).any():
        raise StatisticsError("codes must not be negative")
    known, dense = np.unique(code, return_inverse=True)
    return dense.astype(np.int64), len(known)
