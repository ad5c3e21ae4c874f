"""The sets of this experiment as flowgauge records, and the halves they are judged in.

RAGTruth QA (human spans) is cut by its sources: even ids choose, odd ids report. The three sets of
summaries (one judgement a response) only ever choose. `meta` carries the truth and what the tables
group by; no score reads it.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flowgauge import Label, Record

ASSETS = Path(__file__).resolve().parents[3] / "shared" / "assets" / "data"
RAGTRUTH = "ragtruth_qa"
SUMMARIES = ("summeval", "factcc", "xsumfaith")
SETS = (RAGTRUTH, *SUMMARIES)
SUMMARISE = "Summarize the following text"

_PASSAGE = re.compile(r"passage \d+:")


def assets_folder(path: Path) -> Path:
    """The folder of data sets, if it is one.

    Raises:
        SystemExit: It lacks RAGTruth; says where the folder is looked for and what it holds.
    """
    if not (path / RAGTRUTH / "response.jsonl").is_file():
        raise SystemExit(
            f"{path} holds no {RAGTRUTH}/response.jsonl; name the folder of data sets with "
            f"--assets (it needs {RAGTRUTH}/ and summaries_choose/, see README.md)"
        )
    return path


def jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSONL file."""
    if not path.is_file():
        raise SystemExit(f"{path} is missing; name the folder of data sets with --assets")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def passages(text: str) -> tuple[str, ...]:
    """The passages of a source, split at their marks and stripped.

    Example:
        >>> passages("passage 1:One.\\n\\npassage 2:Two.\\n\\n")
        ('One.', 'Two.')
    """
    return tuple(p.strip() for p in _PASSAGE.split(text) if p.strip())


def ragtruth_records(
    responses: Iterable[Mapping[str, Any]], sources: Iterable[Mapping[str, Any]]
) -> list[Record]:
    """RAGTruth's two files joined: one record a response, human spans as labels."""
    info = {row["source_id"]: row["source_info"] for row in sources}
    records = []
    for row in responses:
        source = info[row["source_id"]]
        labels = tuple(
            Label(start=x["start"], end=x["end"], kind=x["label_type"].lower())
            for x in row["labels"]
        )
        meta = {"source_id": row["source_id"], "model": row["model"], "supported": not labels}
        records.append(
            Record(
                id=f"ragtruth-{row['id']}",
                question=source["question"],
                documents=passages(source["passages"]),
                response=row["response"],
                labels=labels,
                meta=meta,
            )
        )
    return records


def summary_records(rows: Iterable[Mapping[str, Any]]) -> list[Record]:
    """Summaries with one article each; the article is the source."""
    return [
        Record(
            id=row["id"],
            question=SUMMARISE,
            documents=(row["document"],),
            response=row["response"],
            meta={
                "source_id": row["id"],
                "model": row["model"] or "unknown",
                "supported": bool(row["supported"]),
            },
        )
        for row in rows
    ]


def load(name: str, assets: Path) -> list[Record]:
    """One set by its name in SETS."""
    if name == RAGTRUTH:
        folder = assets_folder(assets) / RAGTRUTH
        return ragtruth_records(
            jsonl(folder / "response.jsonl"), jsonl(folder / "source_info.jsonl")
        )
    return summary_records(jsonl(assets / "summaries_choose" / f"{name}.jsonl"))


def spread(records: Sequence[Record], most: int) -> list[Record]:
    """At most `most` records, evenly spread over the list: what --quick measures."""
    if len(records) <= most:
        return list(records)
    return [records[i * len(records) // most] for i in range(most)]


def is_choosing(record: Record) -> bool:
    """Whether a record may be looked at while choosing: all but RAGTruth's odd sources."""
    source = str(record.meta["source_id"])
    return not record.id.startswith("ragtruth-") or int(source) % 2 == 0


def is_refusal(response: str) -> bool:
    """Whether a response says that the passages do not hold the answer."""
    return "unable to answer" in response.lower()
