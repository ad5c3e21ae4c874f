"""Do support and flow tell answers that follow the document from answers that follow memory?

    python experiments/ragtruth/conflict.py [--quick] [--observers smollm2-135m]

ConflictQA: a question with two answers and a text for each; each text in turn is the document, so
that an answer's own likelihood cannot decide. known_1000: a sentence whose ending models know by
heart, under a document that states another ending. Nothing is chosen here.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import flowgauge as fg  # noqa: E402
from ragtruth import data, measure, tables  # noqa: E402
from ragtruth.answers import Answer, answers  # noqa: E402
from ragtruth.baselines import SCORES, Score, usable  # noqa: E402
from ragtruth.metrics import Marked, auroc, draw, estimate  # noqa: E402
from ragtruth.run import SEED, provenance, write  # noqa: E402

CONFLICTQA = ("counter document", "memory document")
KNOWN = "known_1000"
ALL_SCORES = (*SCORES, Score(name="flow [nats]", of_response=lambda a: a.whole["flow_nats"]))


def pair(key: str, question: str, document: str, follows: str, against: str) -> list[fg.Record]:
    """Two responses to one question and document: the one that follows it, and the other."""
    return [
        fg.Record(
            id=f"{key}-{name}",
            question=question,
            documents=(document,),
            response=response,
            meta={"source_id": key, "model": name, "supported": name == "follows"},
        )
        for name, response in (("follows", follows), ("against", against))
    ]


def conflictqa(rows: Sequence[Mapping[str, Any]], document: str) -> list[fg.Record]:
    """ConflictQA with the counter text or the memory text as the document."""
    ours, other = ("counter", "memory") if document == CONFLICTQA[0] else ("memory", "counter")
    text = "counter_memory" if ours == "counter" else "parametric_memory"
    out = []
    for number, row in enumerate(rows):
        follows, against = row[f"{ours}_answer"].strip(), row[f"{other}_answer"].strip()
        if follows and against and follows != against:
            out += pair(f"q{number}", row["question"], row[text].strip(), follows, against)
    return out


def known(rows: Sequence[Mapping[str, Any]], rng: np.random.Generator) -> list[fg.Record]:
    """known_1000 under a document that states another attribute of the same relation.

    The prompt is the template filled in, up to where the attribute belongs. A relation with a
    single attribute has no other and is left out.
    """
    attributes: dict[str, list[str]] = {}
    for row in rows:
        attributes.setdefault(row["relation_id"], []).append(row["attribute"])
    out = []
    for row in rows:
        true, prompt = row["attribute"], row["prompt"].strip()
        others = sorted({a for a in attributes[row["relation_id"]] if a.lower() != true.lower()})
        if others:
            other = others[int(rng.integers(len(others)))]
            question = f"Complete the sentence: {prompt}"
            out += pair(f"k{row['known_id']}", question, f"{prompt} {other}.", other, true)
    return out


def win_rate(scores: np.ndarray, marked: Marked, draws: np.ndarray) -> np.ndarray:
    """(replicate,) share of questions whose following answer has the higher score; ties half."""
    follows, against = np.zeros(marked.n_sources), np.zeros(marked.n_sources)
    follows[marked.source[~marked.positive]] = scores[~marked.positive]
    against[marked.source[marked.positive]] = scores[marked.positive]
    wins = (follows > against) + 0.5 * (follows == against)
    return (draws @ wins) / draws.sum(1)


def whole_pairs(found: Sequence[Answer]) -> list[Answer]:
    """Answers whose partner was measured too."""
    seen: dict[str, int] = {}
    for a in found:
        seen[a.source] = seen.get(a.source, 0) + 1
    return [a for a in found if seen[a.source] == 2]


def judged(found: Sequence[Answer], replicates: int) -> dict[str, Any]:
    """AUROC and paired win rate of every score, questions drawn."""
    pairs = whole_pairs(found)
    sources = sorted({a.source for a in pairs})
    place = {s: i for i, s in enumerate(sources)}
    marked = Marked(
        positive=np.array([not a.supported for a in pairs], dtype=bool),
        source=np.array([place[a.source] for a in pairs], dtype=np.int64),
        n_sources=len(sources),
    )
    draws = draw(len(sources), replicates, np.random.default_rng(SEED))
    out: dict[str, Any] = {"questions": len(sources), "scores": {}, "notes": []}
    scores, out["notes"] = usable(ALL_SCORES, pairs)
    for score in scores:
        if score.of_response:
            values = np.array([score.of_response(a) for a in pairs])
            out["scores"][score.name] = {
                "auroc": estimate(auroc(values, marked, draws)).as_json(),
                "win_rate": estimate(win_rate(values, marked, draws)).as_json(),
            }
    return out


def page(result: Mapping[str, Any]) -> str:
    """conflict.md: one table an observer and set."""
    out = [
        "# Document against memory: tables\n",
        f"Written by `conflict.py` on {result['date']}. AUROC tells answers that follow the "
        "document from answers that contradict it; win rate is the share of questions whose "
        "following answer scores higher. 95 % intervals from "
        f"{result['replicates']:,} draws of questions.\n",
    ]
    for observer, sets in result["observers"].items():
        for name, found in sets.items():
            rows = [
                [score, tables.cell(x["auroc"]), tables.cell(x["win_rate"])]
                for score, x in found["scores"].items()
            ]
            out.append(f"## {observer}, {name}: {found['questions']} questions\n")
            out += [f"- {note}" for note in found["notes"]]
            out.append(tables.markdown(("score", "AUROC", "win rate"), rows))
    return "\n".join(out)


def load(assets: Path, most: int | None) -> dict[str, list[fg.Record]]:
    """The three sets; with `most`, that many questions of each."""
    questions = data.jsonl(assets / "conflictqa" / "strategyqa_llama2_7b.jsonl")
    facts = data.jsonl(assets / "known_1000" / "known_1000.jsonl")
    sets = {f"conflictqa {d}": conflictqa(questions, d) for d in CONFLICTQA}
    sets[KNOWN] = known(facts, np.random.default_rng(SEED))
    if most is None:
        return sets
    out = {}
    for name, rows in sets.items():
        keys = data.spread(rows[::2], most)
        wanted = {r.meta["source_id"] for r in keys}
        out[name] = [r for r in rows if r.meta["source_id"] in wanted]
    return out


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, judge, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=data.ASSETS)
    parser.add_argument("--runs", type=Path, default=HERE.parents[1] / "runs" / "conflict")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--observers", default="smollm2-135m")
    parser.add_argument("--quick", action="store_true", help="40 questions a set")
    parser.add_argument("--questions", type=int, help="another number than 40 with --quick")
    parser.add_argument("--replicates", type=int, default=1000)
    args = parser.parse_args(argv)
    quick = args.quick or args.questions is not None
    out = args.out or (args.runs / "quick" / "results" if quick else HERE / "results")
    records = load(data.assets_folder(args.assets), (args.questions or 40) if quick else None)
    observers = args.observers.split(",")
    runs = {o: measure.measured(records, o, args.runs, quick=quick) for o in observers}
    result = {**provenance(runs, args.replicates), "observers": {}}
    for observer in observers:
        result["observers"][observer] = {
            name: judged(answers(rows, runs[observer][name]), args.replicates)
            for name, rows in records.items()
        }
    write(result, out, "conflict.json")
    (out / "conflict.md").write_text(page(result), encoding="utf-8")
    print(page(result))


if __name__ == "__main__":
    main()
