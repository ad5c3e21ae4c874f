"""Texts that something else wrote, read under a model's two laws: what the check must reject.

Another model's texts from the same prompts, answers of RAGTruth's six models, and a model's own
texts read after another prompt than the one they were drawn from. Scored once, kept in
`<runs>/<model>/other-<what>.parquet`.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from e2_semantic_flow import data
from e2_semantic_flow.generations import Say, Texts
from e2_semantic_flow.written import Written, from_scores, load, save
from flowgauge import Record
from flowgauge.records import Tokens
from flowgauge.scores import score
from flowgauge.text import ChatTemplate, Omit, PlainTemplate, align

#: Texts of a kind, at most.
MOST = 24
SMALL, LARGE, STORIES = "smollm2-135m", "gemma-3-270m", "stories-260k"

Set = tuple[str, list[Written]]


class Reader:
    """Scores texts under a model; loads it when the first text wants it.

    Args:
        folder: Of runs.
        say: Told about what was scored.
    """

    def __init__(self, folder: Path, say: Say) -> None:
        self._folder, self._say = folder, say
        self._loaded: dict[str, Any] = {}

    def read(self, model: str, what: str, records: Sequence[Record]) -> Set:
        """The records' responses under a model's own two laws."""
        file = self._folder / model / f"other-{what.replace(' ', '-')}.parquet"
        if not file.is_file():
            start = time.monotonic()
            save(scored(records, self._model(model)), file)
            self._say(f"{model}, {what}: {len(records)} texts, {time.monotonic() - start:.0f} s")
        return f"{model}, {what}", load([file])

    def _model(self, name: str) -> Any:
        from flowgauge.models import load_model

        if name not in self._loaded:
            self._loaded[name] = load_model(name)
        return self._loaded[name]


def scored(records: Sequence[Record], lm: Any) -> list[Written]:
    """Responses under a model's two laws, each its own prompt."""
    tokens = [_aligned(r, lm) for r in records]
    scores = score(tokens, lm)
    return [
        from_scores(
            s, prompt=i, repetition=0, text=r.response, has_end=False, ids=t.response_ids,
            ends=t.offsets[:, 1],
        )
        for i, (r, t, s) in enumerate(zip(records, tokens, scores, strict=True))
    ]  # fmt: skip


def _aligned(record: Record, lm: Any) -> Tokens:
    template = ChatTemplate(lm.chat) if lm.has_chat_template else PlainTemplate()
    return align(record.id, template.compose(record, Omit()), record.response, lm)


def responses(
    texts: Sequence[Written], prompts: Sequence[data.Prompt], shift: int = 0
) -> list[Record]:
    """Texts as responses to their prompts, or to the prompt `shift` places on."""
    kept = [t for t in texts if t.text][:MOST]
    return [
        replace(prompts[t.prompt + shift].record, id=f"{n}", response=t.text)
        for n, t in enumerate(kept)
    ]


def sets(texts: Texts, folder: Path, assets: Path, say: Say) -> list[Set]:
    """Every set of texts of somebody else, for the models that have drawn texts."""
    reader = Reader(folder, say)
    small, large = texts.get((SMALL, "plain-documents")), texts.get((LARGE, "plain-documents"))
    story = texts.get((STORIES, "plain-story"))
    out = []
    if small or large:
        documents = data.prompts("documents", assets, quick=False)
        if small and large:
            out.append(reader.read(SMALL, f"written by {LARGE}", responses(large, documents)))
            out.append(reader.read(LARGE, f"written by {SMALL}", responses(small, documents)))
        if small:
            answers = data.answers_of_others(assets, [p.record.id for p in documents[:8]])
            out.append(reader.read(SMALL, "written by the models of RAGTruth", answers[:MOST]))
    if story:
        prompts = data.prompts("story", assets, quick=False)
        out.append(
            reader.read(STORIES, "read after another beginning", responses(story, prompts, 1))
        )
    return out
