"""The work on one part of a run: rows of the input in, rows of the three tables out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.pool import Pool
from flowgauge.pipeline.precision import precision_errors
from flowgauge.pipeline.prepare import Prepared, prepare
from flowgauge.pipeline.rows import failed_row, measured_rows
from flowgauge.pipeline.settings import Settings
from flowgauge.records import FailedRow, Record
from flowgauge.scores import score
from flowgauge.text import Template

Rows = Sequence[Record | FailedRow]


class Job:
    """What every part needs; holds no result."""

    def __init__(
        self, lm: LanguageModel, settings: Settings, template: Template, rows: Rows
    ) -> None:
        self.lm, self.settings, self.template, self.rows = lm, settings, template, rows
        fast = lm.fast() if settings.precision == "fast" else None
        self.is_fast = fast is not None
        self.scorer: LanguageModel = fast or lm
        self.done = 0
        self.pool = Pool(rows, settings.pool, settings.seed) if settings.pool else None

    def notes(self) -> list[str]:
        """What a reader of the manifest should know."""
        notes = []
        if self.settings.precision == "fast" and not self.is_fast:
            notes.append(
                "precision=fast was asked, but this processor multiplies bfloat16 no faster; "
                "float32 was used"
            )
        if self.pool and not self.pool.is_available:
            notes.append(self.pool.why_not)
        return notes

    def _prepared(self, numbers: Iterable[int]) -> Iterator[Prepared | FailedRow]:
        for number in numbers:
            row = self.rows[number]
            if isinstance(row, FailedRow):
                yield row
                continue
            yield prepare(number, row, self.lm, self.template, self.settings.reference,
                          truncate=self.settings.truncate)  # fmt: skip

    def part(self, numbers: Sequence[int]) -> dict[str, list[Mapping[str, Any]]]:
        """Rows of the three tables for these rows of the input."""
        items = list(self._prepared(numbers))
        good = [i for i in items if isinstance(i, Prepared)]
        scores = score([p.tokens for p in good], self.scorer, self.settings.score)
        evidence = (
            self.pool.evidence(good, scores, self.scorer, self.template, self.settings.score)
            if self.pool and self.pool.is_available
            else [None] * len(good)
        )
        out: dict[str, list[Mapping[str, Any]]] = {"records": [], "tokens": [], "sentences": []}
        for item in items:
            if isinstance(item, FailedRow):
                out["records"].append(failed_row(item))
        for item, columns, found in zip(good, scores, evidence, strict=True):
            rows = measured_rows(item, columns, found, self.lm, self.settings.alpha)
            for name, more in rows.items():
                out[name].extend(more)
        return out

    def precision_errors(self, most: int = 4) -> dict[str, Any]:
        """Error of the fast twin on the first records, against the exact model."""
        sample: list[Prepared] = []
        for item in self._prepared(range(len(self.rows))):
            if isinstance(item, Prepared):
                sample.append(item)
            if len(sample) == most:
                break
        tokens = [p.tokens for p in sample]
        return precision_errors(
            score(tokens, self.lm, self.settings.score),
            score(tokens, self.scorer, self.settings.score),
        )
