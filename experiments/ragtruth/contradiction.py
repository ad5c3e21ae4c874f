"""What tells contradicted text from supported text? Candidates beside support, on RAGTruth QA.

    python experiments/ragtruth/contradiction.py            choosing half
    python experiments/ragtruth/contradiction.py --report   and the reported half, once

Reads the run that `run.py` measured, makes short passes of the same observer (kept under --runs),
writes contradiction.json and contradiction.md. Positive: a response with an "Evident Conflict"
span, a token inside one; negative: a response without any span, and its tokens.
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
from flowgauge.records import FloatArray  # noqa: E402
from ragtruth import data, judge, measure, tables  # noqa: E402
from ragtruth.answers import answers  # noqa: E402
from ragtruth.baselines import SUPPORT  # noqa: E402
from ragtruth.contradiction_passes import Passes, Reading, places, store, stored  # noqa: E402
from ragtruth.contradiction_scores import baselines, candidates, with_columns  # noqa: E402
from ragtruth.metrics import BoolArray, Marked, auroc, estimate  # noqa: E402
from ragtruth.run import SEED, provenance, write  # noqa: E402
from ragtruth.sheet import Columns, Sheet, sheet  # noqa: E402

CONFLICT = "evident conflict"
#: Added to support, standardised; the best two of the choosing half and their sum.
PARTNERS: tuple[tuple[str, ...], ...] = (
    ("lowest density, 2 tokens",),
    ("(a) largest regret, content words",),
    ("(d) largest gain",),
)
Centres = dict[str, tuple[float, float]]  # median and deviation by score
HEAD = ("score", "conflicts", "− support's", "all unsupported", "− support's")


def chosen(records: Sequence[fg.Record], run: fg.Run, clean: int | None) -> list[fg.Record]:
    """Measured responses: all with a span, and all without or `clean` of them, evenly spread."""
    some = [r for r in records if r.id in run]
    if clean is None:
        return some
    kept = {r.id for r in data.spread([r for r in some if not r.labels], clean)}
    return [r for r in some if r.labels or r.id in kept]


def readings(
    records: Sequence[fg.Record], run: fg.Run, observer: str, path: Path
) -> dict[str, list[Reading]]:
    """Readings of every response, made where they are not kept yet."""
    found = stored(path)
    todo = [r for r in records if r.id not in found]
    if todo:
        items = {r.id: run[r.id] for r in todo}
        ids = {k: np.asarray(x.columns["token_id"], dtype=np.int64) for k, x in items.items()}
        passes = Passes(fg.load_model(observer), {r.id: r for r in todo}, ids)
        wanted = [p for r in todo for p in places(r, items[r.id])]
        found |= {r.id: [] for r in todo}
        for place, reading in zip(wanted, passes.readings(wanted), strict=True):
            found[place.id].append(reading)
        store(found, path)
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
    records: Sequence[fg.Record], run: fg.Run, found: Mapping[str, Sequence[Reading]]
) -> Sheet:
    """Baselines and candidates; nan where a response or token has nothing to say."""
    rows = token_rows(run, [r.id for r in records])
    some = [with_columns(a, found[a.id], rows[a.id]) for a in answers(records, run)]
    return sheet(some, [*baselines(), *candidates()])


def centres(columns: Columns) -> Centres:
    """Median and deviation of each score where it is a number."""
    out = {}
    for name, values in columns.items():
        some = values[~np.isnan(values)]
        out[name] = (float(np.median(some)), float(some.std()) or 1.0) if len(some) else (0.0, 1.0)
    return out


def combined(columns: Columns, centre: Centres) -> dict[str, FloatArray]:
    """Scores without nan, and support with each of its partners: means of standardised scores."""
    out = {k: np.where(np.isnan(v), centre[k][0], v) for k, v in columns.items()}
    z = {k: (v - centre[k][0]) / centre[k][1] for k, v in out.items()}
    for names in PARTNERS:
        if all(n in z for n in names):
            out[f"(e) {' + '.join((SUPPORT, *names))}"] = np.mean(
                [z[SUPPORT], *(z[n] for n in names)], axis=0
            )
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


def judged(s: Sheet, of_responses: Centres, of_tokens: Centres, replicates: int) -> dict[str, Any]:
    """Conflicts, and anything unsupported, against responses without any span."""
    draws = judge.draws_of(s, replicates, (SEED, 0))
    clean = ~s.marked_responses().positive
    clean_tokens = np.repeat(clean, s.lengths)
    everything = {
        "responses": (s.responses, of_responses, s.marked_responses, clean),
        "tokens": (s.tokens, of_tokens, s.marked_tokens, clean_tokens),
    }
    out: dict[str, Any] = {"sources": len(s.sources)}
    for what, (columns, centre, marked_of, negative) in everything.items():
        scores = combined(columns, centre)
        out[what] = {}
        for kind in (CONFLICT, None):
            marked = marked_of(kind)
            keep = marked.positive | negative
            out[what][kind or "all"] = {
                **judge.counts(marked.only(keep)),
                "scores": rows_of(scores, marked, keep, draws),
            }
    return out


def page(result: Mapping[str, Any]) -> str:
    """contradiction.md."""
    out = [
        "# Evident conflicts: tables\n",
        f"Written by `contradiction.py` on {result['date']} with {result['observer']}. AUROC "
        "against responses without any span (tokens: against the tokens of those), 95 % intervals "
        f"from {result['replicates']:,} draws of sources, differences to support paired. Many "
        "scores were tried on few conflicts and nothing corrects for that: a winner needs a "
        "margin. Letters name the candidates of README.md.\n",
    ]
    for half, found in result["halves"].items():
        for what in ("responses", "tokens"):
            here = found[what]
            few, many = here[CONFLICT], here["all"]
            out.append(
                f"## {what.capitalize()}, {tables.HALVES[half]}: {few['unsupported']:,} in "
                f"conflict, {many['unsupported']:,} unsupported, "
                f"{many['n'] - many['unsupported']:,} clean, {found['sources']} sources\n"
            )
            rows = []
            for name, row in few["scores"].items():
                other = many["scores"][name]
                cells = [tables.cell(row["auroc"]), tables.cell(row["minus_support"], signed=True),
                         tables.cell(other["auroc"]),
                         tables.cell(other["minus_support"], signed=True)]  # fmt: skip
                rows.append([name, *cells])
            out.append(tables.markdown(HEAD, rows))
    return "\n".join(out)


def main(argv: Sequence[str] | None = None) -> None:
    """Read, pass, judge, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=data.ASSETS)
    parser.add_argument("--runs", type=Path, default=HERE.parents[1] / "runs" / "ragtruth")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--observer", default="smollm2-135m")
    parser.add_argument("--clean", type=int, help="at most so many clean responses of a half")
    parser.add_argument("--report", action="store_true", help="look at the reported half too")
    parser.add_argument("--replicates", type=int, default=1000)
    args = parser.parse_args(argv)
    records = data.load(data.RAGTRUTH, data.assets_folder(args.assets))
    named = {data.RAGTRUTH: records}
    run = measure.opened(named, args.observer, args.runs, quick=False)[data.RAGTRUTH]
    key = f"{args.observer}-{run.manifest['model']['fingerprint'][:12]}"
    result = {
        **provenance({args.observer: {data.RAGTRUTH: run}}, args.replicates),
        "observer": args.observer,
        "halves": {},
    }
    scale: tuple[Centres, Centres] | None = None
    for half, choosing in (("choose", True), ("report", False))[: 1 + args.report]:
        some = [r for r in records if data.is_choosing(r) == choosing]
        some = chosen(some, run, args.clean)
        path = args.runs / "contradiction" / f"{key}-{half}.json"
        s = sheet_of(some, run, readings(some, run, args.observer, path))
        scale = scale or (centres(s.responses), centres(s.tokens))
        result["halves"][half] = judged(s, *scale, args.replicates)
    write(result, args.out, "contradiction.json")
    (args.out / "contradiction.md").write_text(page(result), encoding="utf-8")
    print(page(result))


if __name__ == "__main__":
    main()
