"""Real prompts: questions of RAGTruth with and without their passages, beginnings of TinyStories.

The index of a prompt in its set is its identity: prompts with even index are the development half,
on which everything is chosen; odd ones are the test half, on which everything is reported.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowgauge import Record

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT.parent / "shared" / "assets" / "data"
RAGTRUTH_FILE = ROOT / "tests" / "data" / "ragtruth_qa_200.jsonl"
DEMO_STORIES = ROOT / "src" / "flowgauge" / "data" / "demo" / "stories_12.jsonl"
STORY_SENTENCES = 3

_PASSAGE = re.compile(r"passage \d+:")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt of a set: what the model is given, nothing written yet."""

    index: int
    record: Record

    @property
    def is_development(self) -> bool:
        """Whether it belongs to the half on which thresholds are chosen."""
        return self.index % 2 == 0


def jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file."""
    if not path.is_file():
        raise SystemExit(f"{path} is missing; name the folder of data sets with --assets")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def passages(text: str) -> tuple[str, ...]:
    r"""The passages of a source, split at their marks and stripped.

    Example:
        >>> passages("passage 1:One.\n\npassage 2:Two.\n\n")
        ('One.', 'Two.')
    """
    return tuple(p.strip() for p in _PASSAGE.split(text) if p.strip())


def shortest_first(records: Sequence[Record]) -> list[Prompt]:
    """One prompt a source, shortest first: prompts cost a pass of their length a text."""

    def length(record: Record) -> tuple[int, str]:
        return sum(map(len, record.documents or ())) + len(record.question), record.id

    return [Prompt(index=i, record=r) for i, r in enumerate(sorted(records, key=length))]


def with_documents(assets: Path, quick: bool) -> list[Prompt]:
    """Questions of RAGTruth QA with three passages each."""
    if quick:  # what travels with the repository
        found = {
            row["source_id"]: Record(
                id=f"source-{row['source_id']}",
                question=row["question"],
                documents=tuple(row["documents"]),
                response="",
            )
            for row in jsonl(RAGTRUTH_FILE)
        }
        return shortest_first(list(found.values()))
    return shortest_first(
        [
            Record(
                id=f"source-{row['source_id']}",
                question=row["source_info"]["question"],
                documents=passages(row["source_info"]["passages"]),
                response="",
            )
            for row in jsonl(assets / "ragtruth_qa" / "source_info.jsonl")
        ]
    )


def question_alone(prompts: Sequence[Prompt]) -> list[Prompt]:
    """The same prompts, same indices, without their passages: the source is the question."""
    return [
        Prompt(
            index=p.index, record=Record(id=p.record.id, question=p.record.question, response="")
        )
        for p in prompts
    ]


def beginning(story: str) -> str:
    """The first sentences of a story.

    Example:
        >>> beginning("A cat sat. It ran! Why? Nobody knew.")
        'A cat sat. It ran! Why?'
    """
    return " ".join(_SENTENCE.split(" ".join(story.split()))[:STORY_SENTENCES])


def stories(assets: Path, quick: bool) -> list[Prompt]:
    """Beginnings of TinyStories, in the order of the file."""
    if quick:
        texts = [row["prompt"] for row in jsonl(DEMO_STORIES)]
    else:
        file = assets / "tinystories" / "tinystories_sample.txt"
        if not file.is_file():
            raise SystemExit(f"{file} is missing; name the folder of data sets with --assets")
        texts = [t for t in file.read_text(encoding="utf-8").split("<|endoftext|>") if t.strip()]
    # Without its two newest ends of line a story may begin in the middle; those are left out.
    whole = [t for t in texts if t.strip()[:1].isupper()]
    return [
        Prompt(index=i, record=Record(id=f"story-{i}", question=beginning(t), response=""))
        for i, t in enumerate(whole)
    ]


def prompts(kind: str, assets: Path, quick: bool) -> list[Prompt]:
    """A set of prompts by its name: "documents", "question" or "story"."""
    if kind == "story":
        return stories(assets, quick)
    found = with_documents(assets, quick)
    return found if kind == "documents" else question_alone(found)


def answers_of_others(assets: Path, ids: Sequence[str]) -> list[Record]:
    """RAGTruth's answers by six other models to these sources, as records with a response."""
    wanted = {p.record.id: p.record for p in with_documents(assets, quick=False)}
    out = []
    for row in jsonl(assets / "ragtruth_qa" / "response.jsonl"):
        key = f"source-{row['source_id']}"
        if key in ids:
            out.append(
                Record(
                    id=f"{key}-{row['id']}",
                    question=wanted[key].question,
                    documents=wanted[key].documents,
                    response=row["response"],
                )
            )
    return out
