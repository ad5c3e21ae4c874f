"""The pool test in a run: is the response nearer to its own source than to other records' sources?

Exact whatever the observer is (theory §3): under the null "the response was written without regard
to which of these K+1 sources is its own" the e-value has expectation 1 and the p-value is valid.
The counter-sources are chosen from the seed alone, never from a response or a score, and go
through the very steps of the own source, truncation and rounding included: a difference in
treatment would tell them apart, and the test would no longer be valid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge.anytime import exchangeable_evidence
from flowgauge.errors import DistributionError
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.prepare import Prepared, prepare
from flowgauge.pipeline.settings import Settings
from flowgauge.records import FailedRow, FloatArray, Record
from flowgauge.scores import log_likelihood
from flowgauge.scores.plan import Context
from flowgauge.text import Template, source_key, source_of, with_source_of


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolEvidence:
    """Result of the pool test for one response."""

    e_value: float
    p_value: float
    rows: tuple[int, ...]


class Pool:
    """The sources of a run, in the seeded order in which they serve as counter-sources."""

    def __init__(self, rows: Sequence[Record | FailedRow], size: int, seed: int) -> None:
        self.size = size
        distinct: dict[str, int] = {}
        self._records: dict[int, Record] = {}
        for number, row in enumerate(rows):
            if isinstance(row, Record) and source_of(row) != "nothing":
                distinct.setdefault(source_key(row), number)
                self._records[number] = row
        numbers = list(distinct.values())
        order = np.random.default_rng(seed).permutation(len(numbers))
        self._order = [numbers[i] for i in order]

    @property
    def is_available(self) -> bool:
        """Whether any record can have `size` counter-sources."""
        return len(self._order) > self.size

    @property
    def why_not(self) -> str:
        """What is missing."""
        return (
            f"the pool test was left out: {self.size} counter-sources need {self.size + 1} "
            f"different sources and the run has {len(self._order)}"
        )

    def evidence(
        self,
        items: Sequence[Prepared],
        lm: LanguageModel,
        template: Template,
        settings: Settings,
    ) -> list[PoolEvidence | None]:
        """Evidence for each item; None where it has too few counter-sources that fit."""
        contexts: list[Context] = []
        chosen: list[list[int]] = []
        for item in items:
            rows, more = self._counter_contexts(item, lm, template, settings)
            chosen.append(rows)
            if rows:
                # Scored anew beside the others: columns from another pass are rounded otherwise,
                # and a model that ignores its prompt would seem to tell the own source apart.
                own = settings.law.context(item.tokens, item.tokens.response_ids)
                contexts += [own, *more]
        logs = iter(log_likelihood(contexts, lm, settings.score, settings.law))
        return [
            _evidence(np.array([next(logs) for _ in range(len(rows) + 1)]), rows) if rows else None
            for rows in chosen
        ]

    def _counter_contexts(
        self, item: Prepared, lm: LanguageModel, template: Template, settings: Settings
    ) -> tuple[list[int], list[Context]]:
        own, kind = source_key(item.record), source_of(item.record)
        rows: list[int] = []
        contexts: list[Context] = []
        if kind == "nothing" or not len(item.tokens.response_ids):
            return rows, contexts
        for number in self._order:
            other = self._records[number]
            if source_key(other) == own or source_of(other) != kind:
                continue
            record = with_source_of(item.record, other)
            swapped = prepare(
                number, record, lm, template, settings.reference, truncate=settings.truncate
            )
            if isinstance(swapped, FailedRow):
                continue
            prefix = swapped.tokens.prompt_ids
            length = len(prefix) + len(item.tokens.response_ids)
            if lm.context_length is not None and length > lm.context_length:
                continue
            rows.append(number)
            contexts.append(settings.law.context(swapped.tokens, item.tokens.response_ids))
            if len(rows) == self.size:
                return rows, contexts
        return [], []


def _evidence(log_likelihoods: FloatArray, rows: Sequence[int]) -> PoolEvidence | None:
    try:
        found = exchangeable_evidence(log_likelihoods)
    except DistributionError:  # impossible under every source: the pool says nothing
        return None
    return PoolEvidence(e_value=found.e_value, p_value=found.p_value, rows=tuple(rows))
