"""What tells contradicted text from supported text? Candidates beside support, on RAGTruth QA.

    python experiments/ragtruth/contradiction.py            choosing half
    python experiments/ragtruth/contradiction.py --report   and the reported half, once
    python experiments/ragtruth/contradiction.py --most 0   without passes: seconds

Reads the run that `run.py` measured, makes short passes of the same observer (kept under --runs),
writes contradiction.json and contradiction.md. Positive: a response with an "Evident Conflict"
span, a token inside one; negative: a response without any span, and its tokens.
"""

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import flowgauge as fg  # noqa: E402
from flowgauge.records import FloatArray  # noqa: E402
from ragtruth import data, judge, measure  # noqa: E402
from ragtruth.answers import answers  # noqa: E402
from ragtruth.baselines import SUPPORT  # noqa: E402
from ragtruth.contradiction_passes import Passes, Reading, places, store, stored  # noqa: E402
from ragtruth.contradiction_scores import (  # noqa: E402
    baselines,
    with_columns,
    with_passes,
    without_passes,
)
from ragtruth.contradiction_tables import CONFLICT, page  # noqa: E402
from ragtruth.metrics import BoolArray, Marked, auroc, estimate  # noqa: E402
from ragtruth.run import SEED, provenance, write  # noqa: E402
from ragtruth.sheet import Columns, Sheet, sheet  # noqa: E402

CHUNK = 8  # responses read between two savings
Centres = dict[str, tuple[float, float]]  # median and deviation by score


def to_read(records: Sequence[fg.Record], most: int) -> list[fg.Record]:
    """Responses that get passes: all in conflict, `most` other unsupported and `most` clean ones.

    Evenly spread, the conflicts first, the others by turns.
    """
    conflict = [r for r in records if any(x.kind == CONFLICT for x in r.labels)]
    ids = {r.id for r in conflict}
    other = data.spread([r for r in records if r.labels and r.id not in ids], most)
    clean = data.spread([r for r in records if not r.labels], most)
    pairs = itertools.zip_longest(clean, other)
    return [*conflict, *(r for pair in pairs for r in pair if r is not None)]


def readings(
    records: Sequence[fg.Record], run: fg.Run, observer: str, path: Path
) -> dict[str, list[Reading]]:
    """Readings of every response, made where they are not kept yet and kept as they come."""
    found = stored(path)
    todo = [r for r in records if r.id not in found]
    if not todo:
        return found
    lm = fg.load_model(observer)
    for start in range(0, len(todo), CHUNK):
        some = todo[start : start + CHUNK]
        items = {r.id: run[r.id] for r in some}
        ids = {k: np.asarray(x.columns["token_id"], dtype=np.int64) for k, x in items.items()}
        passes = Passes(lm, {r.id: r for r in some}, ids)
        wanted = [p for r in some for p in places(r, items[r.id])]
        found |= {r.id: [] for r in some}
        for place, reading in zip(wanted, passes.readings(wanted), strict=True):
            found[place.id].append(reading)
        store(found, path)
        print(f"  passes: {start + len(some)}/{len(todo)} responses", flush=True)
    return found


def token_rows(run: fg.Run, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Text and alternatives of the tokens of some responses."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = ["id", "text", "log_p_nats", "log_q_nats", "alternatives_p", "alternatives_q"]
    table = run.table("tokens").select(names)
    out: dict[str, list[dict[str, Any]]] = {}
    for row in table.filter(pc.is_in(table["id"], pa.array(list(ids)))).to_pylist():
        out.setdefault(row["id"], []).append(row)
    return out


def sheet_of(
    records: Sequence[fg.Record], run: fg.Run, found: Mapping[str, Sequence[Reading]] | None
) -> Sheet:
    """Baselines and candidates; nan where a response or token has nothing to say."""
    rows = token_rows(run, [r.id for r in records])
    scores = [*baselines(), *without_passes()]
    if found is not None:
        scores = [*baselines(), *with_passes(), *without_passes()]
    some = []
    for r, a in zip(records, answers(records, run), strict=True):
        read = None if found is None else found[r.id]
        some.append(with_columns(a, places(r, run[r.id]), read, rows[r.id]))
    return sheet(some, scores)


def centres(columns: Columns) -> Centres:
    """Median and deviation of each score where it is a number."""
    out = {}
    for name, values in columns.items():
        some = values[~np.isnan(values)]
        out[name] = (float(np.median(some)), float(some.std()) or 1.0) if len(some) else (0.0, 1.0)
    return out


def filled(columns: Columns, centre: Centres) -> dict[str, FloatArray]:
    """Scores with the median in the place of nan: nothing to say counts neither way."""
    return {k: np.where(np.isnan(v), centre[k][0], v) for k, v in columns.items()}


def best_two(columns: Columns, marked: Marked, keep: BoolArray) -> tuple[str, ...]:
    """The two candidates with the highest AUROC."""
    one = np.ones((1, marked.n_sources))
    names = [n for n in columns if n.startswith("(")]
    found = {n: float(auroc(columns[n][keep], marked.only(keep), one)[0]) for n in names}
    return tuple(sorted(names, key=lambda n: -found[n])[:2])


def combined(columns: Columns, centre: Centres, partners: Sequence[str]) -> dict[str, FloatArray]:
    """The scores, and (e): means of standardised support and one or all of its partners."""
    out = dict(columns)
    z = {k: (v - centre[k][0]) / centre[k][1] for k, v in columns.items()}
    for names in (*((p,) for p in partners), *([tuple(partners)] if len(partners) > 1 else [])):
        name = f"(e) {' + '.join((SUPPORT, *(n.removeprefix('(e) ') for n in names)))}"
        out[name] = np.mean([z[SUPPORT], *(z[n] for n in names)], axis=0)
    return out


def rows_of(scores: Columns, marked: Marked, keep: BoolArray, draws: FloatArray) -> dict[str, Any]:
    """AUROC of every score among some items, and its paired difference to support's."""
    some = marked.only(keep)
    found = {k: auroc(v[keep], some, draws) for k, v in scores.items()}
    return {
        k: {
            "auroc": estimate(v).as_json(),
            "minus_support": estimate(v - found[SUPPORT]).as_json(),
        }
        for k, v in found.items()
    }


def judged(s: Sheet, chosen: dict[str, Any], replicates: int) -> dict[str, Any]:
    """Conflicts, and anything unsupported, against responses without any span.

    Args:
        s: One half.
        chosen: By "responses" and "tokens": centres and partners of support; filled here while it
            is empty, which is on the choosing half.
        replicates: Draws of sources.
    """
    draws = judge.draws_of(s, replicates, (SEED, 0))
    clean = ~s.marked_responses().positive
    everything = {
        "responses": (s.responses, s.marked_responses, clean),
        "tokens": (s.tokens, s.marked_tokens, np.repeat(clean, s.lengths)),
    }
    out: dict[str, Any] = {"sources": len(s.sources)}
    for what, (columns, marked_of, negative) in everything.items():
        if what not in chosen:
            centre = centres(columns)
            marked = marked_of(CONFLICT)
            best = best_two(filled(columns, centre), marked, marked.positive | negative)
            chosen[what] = (centre, best)
        centre, best = chosen[what]
        scores = combined(filled(columns, centre), centre, best)
        out[what] = {}
        for kind in (CONFLICT, None):
            marked = marked_of(kind)
            keep = marked.positive | negative
            out[what][kind or "all"] = {
                **judge.counts(marked.only(keep)),
                "scores": rows_of(scores, marked, keep, draws),
            }
    return out


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=data.ASSETS)
    parser.add_argument("--runs", type=Path, default=HERE.parents[1] / "runs" / "ragtruth")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--observer", default="smollm2-135m")
    parser.add_argument("--most", type=int, default=30, help="responses of each other kind that "
                        "get passes (0: no passes)")  # fmt: skip
    parser.add_argument("--report", action="store_true", help="look at the reported half too")
    parser.add_argument("--replicates", type=int, default=1000)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, pass, judge, write, print."""
    args = arguments(argv)
    named = {data.RAGTRUTH: data.load(data.RAGTRUTH, data.assets_folder(args.assets))}
    run = measure.opened(named, args.observer, args.runs, quick=False)[data.RAGTRUTH]
    key = f"{args.observer}-{run.manifest['model']['fingerprint'][:12]}"
    result = {
        **provenance({args.observer: {data.RAGTRUTH: run}}, args.replicates),
        "observer": args.observer,
        "halves": {},
    }
    of_whole: dict[str, Any] = {}
    of_read: dict[str, Any] = {}
    for half, choosing in (("choose", True), ("report", False))[: 1 + args.report]:
        half_of = [r for r in named[data.RAGTRUTH] if data.is_choosing(r) == choosing]
        some = [r for r in half_of if r.id in run]
        found = {"whole": judged(sheet_of(some, run, None), of_whole, args.replicates)}
        if args.most:
            few = to_read(some, args.most)
            path = args.runs / "contradiction" / f"{key}-{half}.json"
            read = readings(few, run, args.observer, path)
            found["read"] = judged(sheet_of(few, run, read), of_read, args.replicates)
        result["halves"][half] = found
    write(result, args.out, "contradiction.json")
    (args.out / "contradiction.md").write_text(page(result), encoding="utf-8")
    print(page(result))


if __name__ == "__main__":
    main()
