"""Inputs of a run as bytes and back: what is stored, hashed and replayed."""

import hashlib
import zlib
from collections.abc import Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from sqcore.evaluation.lattice import Key
from sqcore.evaluation.release import History, Published
from sqcore.evaluation.rules import Inputs, Row
from sqcore.indicators.sources import Collected, SourceCell
from sqcore.stats.moments import no_moments, pack, unpack

FASTEST = 1


def canonical(source: Collected) -> Collected:
    """Return the cells in which there is anybody or anything, in their order."""
    some = (source.moments.respondents > 0) | (source.moments.n > 0).any(axis=1)
    order = [
        at for at in sorted(range(len(source.cells)), key=source.cells.__getitem__) if some[at]
    ]
    return Collected(
        cells=[source.cells[at] for at in order],
        measures=list(source.measures),
        scales=list(source.scales),
        moments=source.moments.take(np.array(order, dtype=np.int64)),
    )


def freeze_source(source: Collected) -> bytes:
    """Return a source's cells as bytes. The same cells give the same bytes."""
    packed = pack(source.moments)
    header = orjson.dumps(
        {
            "cells": [[cell.unit_id, cell.margin, cell.value] for cell in source.cells],
            "measures": list(source.measures),
            "scales": list(source.scales),
            "lengths": [len(blob) for blob in packed],
        }
    )
    return b"".join([header, b"\n", *packed])


def thaw_source(content: bytes) -> Collected:
    """Rebuild what `freeze_source` wrote."""
    header, _newline, body = content.partition(b"\n")
    stored = orjson.loads(header)
    ends = np.cumsum([0, *stored["lengths"]]).tolist()
    blobs = [body[start:end] for start, end in pairwise(ends)]
    return Collected(
        cells=[SourceCell(*cell) for cell in stored["cells"]],
        measures=stored["measures"],
        scales=stored["scales"],
        moments=unpack(blobs) if blobs else no_moments(0, len(stored["measures"])),
    )


def freeze_published(inputs: Inputs) -> bytes:
    """Return what had been published before, as bytes."""
    history = inputs.history
    return orjson.dumps(
        {
            "earlier": [_published(each) for each in history.earlier],
            "around": [_published(each) for each in history.around],
            "above": [
                [_published(whole), [_published(each) for each in rest]]
                for whole, rest in history.above
            ],
            "former": [list(row) for row in inputs.former],
        }
    )


def thaw_published(content: bytes) -> tuple[History, tuple[Row, ...]]:
    """Rebuild what `freeze_published` wrote."""
    stored = orjson.loads(content)
    history = History(
        earlier=tuple(_thawed(each) for each in stored["earlier"]),
        around=tuple(_thawed(each) for each in stored["around"]),
        above=tuple(
            (_thawed(whole), tuple(_thawed(each) for each in rest))
            for whole, rest in stored["above"]
        ),
    )
    return history, tuple(Row(*row) for row in stored["former"])


def compressed(content: bytes) -> bytes:
    return zlib.compress(content, FASTEST)


def decompressed(stored: bytes) -> bytes:
    return zlib.decompress(stored)


def _published(each: Published) -> dict[str, Any]:
    return {
        "start": each.start.isoformat(),
        "end": each.end.isoformat(),
        "keys": [list(key) for key in each.keys],
        "codes": list(each.codes),
        "n": each.n.tolist(),
    }


def _thawed(stored: Mapping[str, Any]) -> Published:
    shape = (len(stored["keys"]), len(stored["codes"]))
    return Published(
        start=date.fromisoformat(stored["start"]),
        end=date.fromisoformat(stored["end"]),
        keys=tuple(Key(*key) for key in stored["keys"]),
        codes=tuple(stored["codes"]),
        n=np.array(stored["n"], dtype=np.int64).reshape(shape),
    )


def digest(content: bytes) -> str:
    """Return the hash of what was frozen, before it is compressed."""
    return hashlib.sha256(content).hexdigest()


def input_digest(
    *,
    definition: Mapping[str, Any],
    policy: Mapping[str, Any],
    tree: Mapping[str, int | None],
    cells: Mapping[str, str],
) -> str:
    """Return a hash of all that is evaluated: definition, policy, tree and cells, as a run stores
    them: a definition that was stored before there were more fields keeps its hash.

    What had been published before is not part of it: that alone is no reason to evaluate anew.
    """
    return digest(
        orjson.dumps(
            {
                "definition": dict(definition),
                "policy": dict(policy),
                "tree": dict(tree),
                "cells": dict(cells),
            },
            option=orjson.OPT_SORT_KEYS,
        )
    )
