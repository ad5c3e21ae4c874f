"""Texts with their columns, on disk batch by batch: a run that was killed goes on where it was."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flowgauge.flow import flow
from flowgauge.records import ORDERS, FloatArray, Flow, IntArray, TokenScores

COLUMNS = ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One text under two laws.

    Attributes:
        prompt: Index of its prompt.
        repetition: Which of the prompt's texts.
        text: What was written.
        has_end: Whether its last token is an end token, without characters.
        ids: (time,) its tokens.
        ends: (time,) characters of `text` up to and with each token.
        log_p, log_q, drift, entropy_p, entropy_q: (time,) [nats].
        variance: (time,) [nats²].
        log_moments: (time, order) [nats].
        kind: Of its prompt; the condition knows it, not the file.
    """

    prompt: int
    repetition: int
    text: str
    has_end: bool
    ids: IntArray
    ends: IntArray
    log_p: FloatArray
    log_q: FloatArray
    drift: FloatArray
    variance: FloatArray
    entropy_p: FloatArray
    entropy_q: FloatArray
    log_moments: FloatArray
    kind: str = ""

    @property
    def is_development(self) -> bool:
        """Whether its prompt is of the half on which things are chosen."""
        return self.prompt % 2 == 0

    @property
    def density(self) -> FloatArray:
        """(time,) log P/Q of each token [nats]."""
        return self.log_p - self.log_q

    def flow(self) -> Flow:
        """Its flow [nats]."""
        columns = (self.log_p, self.log_q, self.drift, self.variance)
        return flow(*columns, log_moments=self.log_moments, orders=ORDERS)


def from_scores(
    scores: TokenScores,
    *,
    prompt: int,
    repetition: int,
    text: str,
    has_end: bool,
    ids: IntArray,
    ends: IntArray,
) -> Written:
    """A text from the columns that a model gave it."""
    columns = {name: getattr(scores, name) for name in (*COLUMNS, "log_moments")}
    return Written(
        prompt=prompt, repetition=repetition, text=text, has_end=has_end, ids=ids, ends=ends,
        **columns,
    )  # fmt: skip


def save(texts: Sequence[Written], path: Path) -> None:
    """Write a batch; it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [_row(t) for t in texts]
    fresh = path.with_suffix(".tmp")
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), fresh)
    fresh.replace(path)


def load(paths: Iterable[Path]) -> list[Written]:
    """Texts of some files, in the order of the files."""
    out = []
    for path in paths:
        for row in pq.read_table(path).to_pylist():
            found: dict[str, Any] = dict(row)
            for name in (*COLUMNS, "log_moments"):
                found[name] = np.array(row[name], dtype=np.float64)
            for name in ("ids", "ends"):
                found[name] = np.array(row[name], dtype=np.int64)
            found["log_moments"] = found["log_moments"].reshape(-1, len(ORDERS))
            out.append(Written(**found))
    return out


def _row(t: Written) -> dict[str, Any]:
    lists = {n: getattr(t, n).ravel().tolist() for n in (*COLUMNS, "log_moments", "ids", "ends")}
    return {n: getattr(t, n) for n in ("prompt", "repetition", "text", "has_end")} | lists


_SCHEMA = pa.schema(
    [
        ("prompt", pa.int64()),
        ("repetition", pa.int64()),
        ("text", pa.string()),
        ("has_end", pa.bool_()),
        *((n, pa.list_(pa.int64())) for n in ("ids", "ends")),
        *((n, pa.list_(pa.float64())) for n in (*COLUMNS, "log_moments")),
    ]
)
