"""The work on one part of a run: rows of the input in, rows of the three tables out."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from flowgauge.errors import InputError
from flowgauge.lens import CopyHeads, SourcePointers, copy_heads
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.constants import KnownConstants, constants_for
from flowgauge.pipeline.pool import Pool, PoolEvidence
from flowgauge.pipeline.precision import precision_errors
from flowgauge.pipeline.prepare import Prepared, prepare
from flowgauge.pipeline.rows import failed_row, measured_rows
from flowgauge.pipeline.settings import Settings
from flowgauge.records import FailedRow, Record, TokenScores
from flowgauge.scores import score
from flowgauge.support import ALL_PARTS, NO_POINTERS, THRESHOLD
from flowgauge.text import Template, refused

#: Said of support under a law that its constants do not come from.
NOT_THIS_LAW = "; they were learnt under the model's own law, not this one"

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
        self.heads: CopyHeads | None = copy_heads(lm) if settings.pointers else None
        self.probe = SourcePointers(self.heads) if self.heads and self.heads.heads else None
        self.known: KnownConstants = constants_for(lm)
        self.pool = Pool(rows, settings.pool, settings.seed) if settings.pool else None

    def support(self) -> dict[str, Any]:
        """How support is made in this run, for its plan."""
        points = self.probe is not None and self.known.constants.with_pointer is not None
        why = self.heads.why_none if self.heads else "pointers were not asked for"
        return {
            "threshold": THRESHOLD,
            "parts": ["local_fraction", "copied_words", *(["pointer"] if points else [])],
            "copy_heads": [list(h) for h in self.heads.heads] if self.heads else [],
            "constants": self.known.constants.as_json(),
            "words": f"{ALL_PARTS if points else NO_POINTERS}{f' ({why})' if why else ''}; "
            f"{self.known.origin}{'' if self.settings.law.is_own else NOT_THIS_LAW}",
        }

    def notes(self) -> list[str]:
        """What a reader of the manifest should know."""
        notes = []
        if self.settings.precision == "fast" and not self.is_fast:
            notes.append(
                "precision=fast was asked, but this processor multiplies bfloat16 no faster; "
                "float32 was used"
            )
        if why_not := self.settings.law.why_not(self.scorer):
            notes.append(f"{self.settings.law.name} was asked, but {why_not}")
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

    def part(
        self, numbers: Sequence[int], advance: Callable[[int], None]
    ) -> dict[str, list[Mapping[str, Any]]]:
        """Rows of the three tables for these rows of the input; `advance` counts rows scored."""
        items = list(self._prepared(numbers))
        failed = [i for i in items if isinstance(i, FailedRow)]
        good, scores = self._scored([i for i in items if isinstance(i, Prepared)], failed, advance)
        evidence = self._evidence(good)
        out: dict[str, list[Mapping[str, Any]]] = {"records": [], "tokens": [], "sentences": []}
        for item, columns, found in zip(good, scores, evidence, strict=True):
            try:
                rows = measured_rows(
                    item, columns, found, self.lm, self.settings, self.known.constants
                )
            except InputError as error:
                failed.append(refused(item.row, item.record.id, error))
                continue
            for name, more in rows.items():
                out[name].extend(more)
        out["records"].extend(map(failed_row, failed))
        return out

    def _scored(
        self, items: list[Prepared], failed: list[FailedRow], advance: Callable[[int], None]
    ) -> tuple[list[Prepared], list[TokenScores]]:
        """Items and their scores; those that the model refuses go to `failed`."""
        try:
            tokens = [i.tokens for i in items]
            how = self.settings.score
            return items, score(tokens, self.scorer, how, advance, self.probe, self.settings.law)
        except InputError as error:
            if len(items) == 1:
                failed.append(refused(items[0].row, items[0].record.id, error))
                return [], []
        # One of them spoils the batch: each alone.
        alone = [self._scored([item], failed, advance) for item in items]
        return [i for found, _ in alone for i in found], [s for _, found in alone for s in found]

    def _evidence(self, items: Sequence[Prepared]) -> Sequence[PoolEvidence | None]:
        if not self.pool or not self.pool.is_available:
            return [None] * len(items)
        return self.pool.evidence(items, self.scorer, self.template, self.settings)

    def precision_errors(self, most: int = 4) -> dict[str, Any]:
        """Error of the fast twin on the first records, against the exact model."""
        sample: list[Prepared] = []
        for item in self._prepared(range(len(self.rows))):
            if isinstance(item, Prepared):
                sample.append(item)
            if len(sample) == most:
                break
        tokens = [p.tokens for p in sample]
        law = self.settings.law
        return precision_errors(
            score(tokens, self.lm, self.settings.score, law=law),
            score(tokens, self.scorer, self.settings.score, law=law),
        )
