"""Whatever is put into whichever public function: a refusal in words or an answer, never a crash.

Every public function of `sqcore.stats` has a call in `calls.py` that works. Each of its arguments
is then replaced, one after the other, by what it was not made for. Nothing but `StatisticsError`
may come out, no warning of numpy, no infinity, and no NaN that the docstrings do not announce.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from sqcore import stats
from sqcore.stats.cusum import average_run_length
from sqcore.stats.errors import StatisticsError
from sqcore.stats.results import Figure, MethodStatus
from sqcore.tests.stats.calls import CALLED_WITH_STARS, CALLS, CHECKED_BEFORE, INNER

NAN, INF = float("nan"), float("inf")
SLOW = (average_run_length,)
"""Of these only numbers that must be refused are tried."""


def _like(sample: Any) -> Iterator[tuple[str, object]]:
    """Yield what may stand where an array or a table like the sample was expected."""
    x = np.array(sample, dtype=np.float64)
    yield "nothing", []
    yield "an empty table", np.zeros((0, *x.shape[1:]))
    yield "one of it", x[:1]
    yield "twice of it", np.concatenate([x, x]) if x.ndim else [x, x]
    yield "one axis more", [sample]
    yield "a lone number", 1.0
    yield "ragged rows", [[1.0, 2.0], [3.0]]
    yield "text", ["a", "b"]
    yield "nobody knows", None
    yield "true", np.ones(x.shape, dtype=np.bool_)
    yield "huge integers", np.full(x.shape, 2**62)
    yield "the hugest integers", np.full(x.shape, 2**64 - 1, dtype=np.uint64)
    yield "negative integers", np.full(x.shape, -3)
    for name, value in (
        ("zeros", 0.0), ("ones", 1.0), ("fives", 5.0), ("halves", 0.5), ("all missing", NAN),
        ("all infinite", INF), ("all -infinite", -INF), ("huge", 1e300), ("-huge", -1e300),
        ("large", 1e60), ("tiny", 1e-300), ("hardly a number", 5e-324),
    ):  # fmt: skip
        yield name, np.full(x.shape, value)
    yield "negative", -x
    yield "huge times it", x * 1e200
    yield "tiny times it", x * 1e-200
    yield (
        "near the end of numbers",
        np.where(np.arange(x.size).reshape(x.shape) % 2, 1.7e308, -1.7e308),
    )
    yield "rounding apart", 1.0 + np.arange(x.size).reshape(x.shape) % 3 * 2e-16
    if x.size:
        for name, value in (
            ("one missing", NAN),
            ("one infinite", INF),
            ("one huge", 1e300),
            ("one negative", -1.0),
        ):
            spoilt = x.copy()
            spoilt.reshape(-1)[0] = value
            yield name, spoilt
        one_there = np.full(x.shape, NAN)
        one_there.reshape(-1)[-1] = x.reshape(-1)[-1]
        yield "one there", one_there


# Sequences of parts, no tables.
STRUCTURES = ("matrices", "margins", "targets", "knots")
NUMBERS = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-300, 1e300, -1e300, 1e17, NAN, INF, -INF)
WHOLE = (0, 1, -1, 2, 3, 7, 1000)


ENDS = ((1.0, 1.0), (7.0, 1.0), (NAN, 1.0), (-INF, INF), (0.0, 1e300), (-1.7e308, 1.7e308))


def _hostile(sample: Any) -> Iterator[tuple[str, object]]:
    """Yield what an argument is replaced by; nothing for what only code of ours makes."""
    if isinstance(sample, bool | str):
        return
    if isinstance(sample, int | float):
        numbers = WHOLE if isinstance(sample, int) else NUMBERS
        yield from ((str(number), number) for number in numbers)
    elif isinstance(sample, tuple) and all(isinstance(each, float) for each in sample):
        named: Any = getattr(sample, "_replace", None)
        for low, high in ENDS:
            other = named(value=low, low=low, high=high) if named else (low, high)
            yield str((low, high)), other
    elif isinstance(sample, list | np.ndarray) and _is_numbers(sample):
        yield from _like(sample)
    elif isinstance(sample, dict | list | tuple):
        yield from _with_a_hostile_part(sample)


def _with_a_hostile_part(sample: Any) -> Iterator[tuple[str, object]]:
    yield "nothing", type(sample)()
    for name, value in sample.items() if isinstance(sample, dict) else enumerate(sample):
        for how, other in _hostile(value):
            if isinstance(sample, dict):
                yield f"{name} {how}", {**sample, name: other}
            else:
                yield f"{name} {how}", type(sample)([*sample[:name], other, *sample[name + 1 :]])


def _is_numbers(sample: Any) -> bool:
    try:
        return np.asarray(sample, dtype=np.float64).ndim > 0
    except (TypeError, ValueError):
        return False


def _faults(found: object, told: str, at: str = "") -> Iterator[str]:
    """Yield what no answer may hold: infinities, NaN that nobody announced, a bad interval."""
    told += inspect.getdoc(type(found)) or ""
    if isinstance(found, Figure):
        yield from _faults_of_figure(found, at)
    if isinstance(found, float | np.ndarray):
        yield from _faults_of_numbers(np.asarray(found), told, at)
    else:
        for name, part in _parts(found):
            yield from _faults(part, told, f"{at}.{name}")


def _parts(found: object) -> Iterator[tuple[object, object]]:
    if is_dataclass(found):
        yield from ((field.name, getattr(found, field.name)) for field in fields(found))
    elif isinstance(found, Mapping):
        yield from found.items()
    elif isinstance(found, list | tuple):
        yield from enumerate(found)


def _faults_of_figure(figure: Figure, at: str) -> Iterator[str]:
    if (figure.status is MethodStatus.OK) is (figure.value is None):
        yield f"{at}: {figure.status} with the value {figure.value}"
    if figure.value is not None and figure.low is not None and figure.high is not None:
        slack = 1e-9 * max(abs(figure.value), figure.high - figure.low)
        if not figure.low - slack <= figure.value <= figure.high + slack:
            yield f"{at}: {figure.value} outside {figure.low}..{figure.high}"


def _faults_of_numbers(found: Any, told: str, at: str) -> Iterator[str]:
    if found.dtype.kind == "f" and np.isinf(found).any() and "infinit" not in told:
        yield f"{at}: infinite"
    if found.dtype.kind == "f" and np.isnan(found).any() and "NaN" not in told:
        yield f"{at}: NaN"


def _name_of(function: Callable[..., object]) -> str:
    return f"{function.__module__.rsplit('.', 1)[-1]}.{function.__qualname__}"


def _public() -> set[str]:
    return {
        f"{room.name}.{name}"
        for room in pkgutil.iter_modules(stats.__path__)
        for name, one in vars(importlib.import_module(f"{stats.__name__}.{room.name}")).items()
        if inspect.isfunction(one)
        and one.__module__ == f"{stats.__name__}.{room.name}"
        and not name.startswith("_")
    }


def test_every_public_function_is_swept() -> None:
    functions = [function for function, _arguments in CALLS]

    assert (
        _public() - {_name_of(each) for each in (*functions, *CALLED_WITH_STARS, *INNER)} == set()
    )


@pytest.mark.parametrize(
    "call", CALLS, ids=[f"{_name_of(each[0])}-{at}" for at, each in enumerate(CALLS)]
)
def test_an_argument_it_was_not_made_for_is_refused_or_answered(
    call: tuple[Callable[..., object], dict[str, Any]],
) -> None:
    function, arguments = call
    told = inspect.getdoc(function) or ""
    faults = list(_faults(function(**arguments), told))

    if function not in CHECKED_BEFORE:
        for name, sample in arguments.items():
            for how, other in _hostile(sample):
                if name in STRUCTURES and not hasattr(other, "__len__"):
                    continue
                if function in SLOW and other in (0.5, 1.0, 2.0, 1e-300):
                    continue
                try:
                    found = function(**{**arguments, name: other})
                except StatisticsError:
                    continue
                except Exception as error:  # noqa: BLE001 - whatever else it is, it is told below
                    faults.append(f"{name} {how}: {type(error).__name__} {error}")
                else:
                    faults += [f"{name} {how}: {fault}" for fault in _faults(found, told)]

    assert faults == []
