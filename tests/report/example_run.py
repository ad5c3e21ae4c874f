"""A run made up for the tests of the page: real columns, invented laws, everything consistent.

Each token gets two next-token laws over eight invented candidates, one peaked by the source and
one not; every stored number follows from these two laws, so F, A, the variance and the verdict fit
each other as they would in a measured run.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from flowgauge.records import ORDERS
from flowgauge.store.schema import arrow_schema

ALPHA = 0.01
HOSTILE = '</script><img src=x onerror="alert(1)"><!-- & \u2028 \' "'

BEE_DOCUMENTS = [
    "The keeper's log of 1931 records 48 hives on the north terrace. Twelve were lost in the frost "
    "of late April, and the survivors gave 310 kilograms of heather honey by September.",
    "Heather honey is thixotropic: it sets to a jelly in the comb and turns liquid when stirred; "
    "so the terrace bought a honey loosener in 1932.",
    "Visitors reach the north terrace by the ferry from Holm, which runs twice a day in summer.",
]
BEE_RESPONSE = (
    "According to the keeper's log, the north terrace held 48 hives in 1931, of which twelve were "
    "lost in the April frost. The survivors gave 310 kilograms of heather honey by September.\n\n"
    "Because heather honey sets to a jelly in the comb, a honey loosener was bought in 1932. "
    "The honey won a gold medal at the London exhibition in 1934. "
    "In short, it was a difficult spring and a good autumn."
)
EMOJI_RESPONSE = (
    "Bring warm clothes 🧣 and good shoes for the terrace! The ferry from Holm runs twice a day "
    "in summer 🚢, so plan your return. A café by the pier sells tea. Enjoy 👩‍🚀 the view."
)
WEATHER_RESPONSE = (
    "I do not know the exact figure. In general, the weather of an island depends on the sea, on "
    "the wind and on the season, and it is best to ask somebody who lives there. Most visitors "
    "come in summer. The winters are long."
)


@dataclass(frozen=True, kw_only=True)
class ExampleRun:
    """A run as `render` sees it: a name, a manifest and tables."""

    name: str
    manifest: dict[str, Any]
    tables: dict[str, pa.Table] = field(repr=False)

    def table(self, name: str) -> pa.Table:
        return self.tables[name]


def example_run() -> ExampleRun:
    """Four measured responses (labels, emoji, an undecided one, a hostile one) and two failures."""
    records = [
        measured(
            row=0,
            id="bees-1931",
            question="How many hives did the north terrace have, and how did they fare?",
            documents=BEE_DOCUMENTS,
            response=BEE_RESPONSE,
            labels=["The honey won a gold medal at the London exhibition in 1934."],
            notes=[
                "the boundary between prompt and response was kept by adding a space to the prompt"
            ],
            pool_size=20,
            pool_e_value=17.25,
            pool_p_value=1 / 21,
            pool_rows=list(range(1, 21)),
        ),
        measured(
            row=1,
            id='ferry "summer" & more',
            question="What should I bring, and how do I get there?",
            documents=BEE_DOCUMENTS[2:],
            response=EMOJI_RESPONSE,
            left_out=1,
        ),
        measured(
            row=2,
            id="weather",
            question="What is the average July temperature on the terrace?",
            documents=BEE_DOCUMENTS[1:],
            response=WEATHER_RESPONSE,
            pull=0.06,
        ),
        failed(
            row=3,
            id="too-long",
            kind="ContextLengthError",
            reason="prompt and response are 130,412 tokens, the model reads 8,192; shorten the "
            "documents or allow truncation",
        ),
        hostile_record(row=4),
        failed(
            row=5,
            id=f"broken {HOSTILE}",
            kind="RecordError",
            reason=f"response is missing: {HOSTILE}",
        ),
    ]
    return run_of(records, name="demo-terrace")


def hostile_record(row: int) -> dict[str, Any]:
    """A record that says the same hostile thing in every text field."""
    record = measured(
        row=row,
        id=f"hostile {HOSTILE}",
        question=HOSTILE,
        documents=[HOSTILE, f"twice {HOSTILE}"],
        response=f"First {HOSTILE} then\nnothing more. </SCRIPT ><svg onload=alert(2)>",
        labels=["nothing more."],
        label_kind=HOSTILE,
        notes=[HOSTILE],
        words=[HOSTILE, "</script>", "<b>"],
        pull=0.1,
    )
    return record | {
        "instruction": HOSTILE,
        "reasoning": HOSTILE,
        "verdict": HOSTILE,
        "null": HOSTILE,
        "turns": json.dumps([{"role": HOSTILE, "content": HOSTILE}]),
        "sampling": json.dumps({HOSTILE: HOSTILE}),
        "author": HOSTILE,
        "source": HOSTILE,
        "meta": json.dumps({HOSTILE: HOSTILE}),
    }


def run_of(records: Iterable[dict[str, Any]], *, name: str = "example") -> ExampleRun:
    """The run of these records; each may carry its `tokens` and `sentences`."""
    records = [dict(record) for record in records]
    tokens = [row for record in records for row in record.pop("tokens", [])]
    sentences = [row for record in records for row in record.pop("sentences", [])]
    return ExampleRun(
        name=name,
        manifest=manifest(records),
        tables={
            "records": pa.Table.from_pylist(records, arrow_schema("records")),
            "tokens": pa.Table.from_pylist(tokens, arrow_schema("tokens")),
            "sentences": pa.Table.from_pylist(sentences, arrow_schema("sentences")),
        },
    )


def manifest(records: list[dict[str, Any]]) -> dict[str, Any]:
    count = sum(record["status"] == "measured" for record in records)
    return {
        "name": "demo-terrace",
        "created": "2026-02-03T10:15:00Z",
        "versions": {"flowgauge": "0.1.0", "torch": "2.13.0", "transformers": "5.24.0"},
        "model": {"name": "SmolLM2-135M-Instruct", "fingerprint": "4f1c" * 16, "vocabulary": 49152},
        "tokenizer": "91aa" * 16,
        "reference": "omit",
        "law": "model",
        "alpha": ALPHA,
        "seed": 0,
        "orders": list(ORDERS),
        "precision": "float32",
        "pool": {"size": 20, "rows": "other records of the run"},
        "input": {"path": "terrace.jsonl", "sha256": "07bc" * 16},
        "template": "chat template of the model",
        "measured": count,
        "failed": len(records) - count,
        "seconds": 12.75,
        "truncated": False,
    }


def failed(*, row: int, id: str, kind: str, reason: str) -> dict[str, Any]:
    return {"row": row, "id": id, "status": "failed", "kind": kind, "reason": reason}


def measured(
    *,
    row: int,
    id: str,
    question: str,
    documents: list[str] | None,
    response: str,
    pull: float = 1.3,
    labels: Iterable[str] = (),
    label_kind: str = "evident baseless info",
    words: Iterable[str] = (),
    notes: Iterable[str] = (),
    **other: Any,
) -> dict[str, Any]:
    """A measured record with its tokens and sentences; `pull` is how strongly the source helps."""
    rng = np.random.default_rng(row + 11)
    spans = [(response.index(text), response.index(text) + len(text)) for text in labels]
    offsets = split_tokens(response)[other.get("left_out", 0) :]
    sentence_spans = split_sentences(response)
    candidates = [*words, *sorted({w.group() for w in re.finditer(r" ?\w+", response)})]
    known = " ".join(documents or ()).lower()
    tokens = []
    for position, (start, end) in enumerate(offsets):
        text = response[start:end]
        first = (
            end - len(text.lstrip()) if text.strip() else start
        )  # a leading space belongs to its word
        in_source = text.strip().lower() in known and len(text.strip()) > 3
        against = any(a < end and start < b for a, b in spans)
        strength = (
            -2.2 if against and rng.random() < 0.6 else 2.6 * pull if in_source else 0.5 * pull
        )
        token = invent_laws(rng, text, strength, candidates)
        token |= {
            "row": row,
            "id": id,
            "position": position,
            "text": text,
            "start": start,
            "end": end,
            "sentence": next((k for k, (a, b) in enumerate(sentence_spans) if a <= first < b), 0),
        }
        tokens.append(token)
    for name, column in (("flow_nats", "density_nats"), ("compensator_nats", "drift_nats")):
        for token, total in zip(tokens, np.cumsum([t[column] for t in tokens]), strict=True):
            token[name] = float(total)
    record = {
        "row": row,
        "id": id,
        "status": "measured",
        "question": question,
        "documents": documents,
        "response": response,
        "author": "somebody else",
        "source": "documents",
        "prompt_tokens": 214,
        "reference_tokens": 41,
        "n_tokens": len(tokens),
        "left_out": 0,
        "notes": list(notes),
        "labels": [{"start": a, "end": b, "kind": label_kind} for a, b in spans],
    }
    return (
        record
        | totals(tokens)
        | other
        | {
            "tokens": tokens,
            "sentences": sentence_rows(row, id, response, sentence_spans, tokens),
        }
    )


def invent_laws(
    rng: np.random.Generator, text: str, strength: float, words: list[str]
) -> dict[str, Any]:
    """Two laws over eight candidates; the token written is drawn from P, or speaks against it."""
    q = rng.normal(0.0, 1.6, size=8)
    p = q + rng.normal(0.0, 0.25, size=8)
    p[0] += abs(strength) * rng.gamma(3.0, 0.5)
    log_p, log_q = (x - np.log(np.exp(x).sum()) for x in (p, q))
    law, ratio = np.exp(log_p), log_p - log_q
    written = int(rng.choice(8, p=law)) if strength >= 0 else int(ratio.argmin())
    names = [words[i] for i in rng.choice(len(words), size=8, replace=len(words) < 8)]
    names[written] = text
    ids = [sum(map(ord, name)) * 31 % 49152 + k for k, name in enumerate(names)]
    best = {
        name: [{"id": ids[i], "text": names[i], "log_p": float(x[i])} for i in np.argsort(-x)[:5]]
        for name, x in (("alternatives_p", log_p), ("alternatives_q", log_q))
    }
    drift = float(law @ ratio)
    return best | {
        "token_id": ids[written],
        "log_p_nats": float(log_p[written]),
        "log_q_nats": float(log_q[written]),
        "density_nats": float(ratio[written]),
        "drift_nats": drift,
        "variance_nats2": float(law @ (ratio - drift) ** 2),
        "entropy_p_nats": float(-law @ log_p),
        "entropy_q_nats": float(-np.exp(log_q) @ log_q),
        "log_moments_nats": [float(np.log(law @ np.exp(o * ratio))) for o in ORDERS],
    }


def totals(tokens: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of the record that its tokens decide."""
    flow = np.array([t["flow_nats"] for t in tokens])
    surprisal = {x: -sum(t[f"log_{x}_nats"] for t in tokens) for x in "pq"}
    variance = sum(t["variance_nats2"] for t in tokens)
    crossings = np.flatnonzero(flow >= -math.log(ALPHA))
    first = int(crossings[0]) if len(crossings) else None
    driven = first is not None
    return {
        "flow_nats": float(flow[-1]),
        "flow_fraction": float(flow[-1]) / surprisal["q"],
        "surprisal_p_nats": surprisal["p"],
        "surprisal_q_nats": surprisal["q"],
        "compensator_nats": tokens[-1]["compensator_nats"],
        "variance_nats2": variance,
        "residual": (float(flow[-1]) - tokens[-1]["compensator_nats"]) / math.sqrt(variance),
        "outcome": "driven by the source" if driven else "neither",
        "verdict": f"{_finding(first, flow)} The level is not exact: somebody else wrote the text, "
        "so this is evidence relative to the observer; the exact test is the pool test.",
        "null": "test 1: the source made no difference to the text; test 2: the text was drawn "
        "from the prompted law",
        "is_exact": False,
        "alpha": ALPHA,
        "log_e_value_nats": float(max(flow.max(), 0.0)),
        "first_crossing": first,
        "log_e_value_against_nats": float(max((-flow).max(), 0.0)),
        "first_crossing_against": None,
    }


def _finding(first: int | None, flow: np.ndarray) -> str:
    reached = f"log e reached {max(flow.max(), 0.0):.3g} nats"
    if first is None:
        return f"Neither null is rejected at level {ALPHA}: {reached} (4.61 was needed)."
    return (
        f"Driven by the source at level {ALPHA}: {reached}, crossing log 1/alpha at token {first}."
    )


def split_tokens(text: str) -> list[tuple[int, int]]:
    """Word pieces with their offsets; a character beyond the basic plane is three tokens."""
    spans = []
    for match in re.finditer(r"\n+| ?[^\W\d_]{1,7}|[^\W\d_]{1,7}| ?\d{1,2}|.", text):
        piece = match.group()
        spans += [match.span()] * (3 if ord(piece[-1]) > 0xFFFF else 1)
    return spans


def split_sentences(text: str) -> list[tuple[int, int]]:
    ends = [m.end() for m in re.finditer(r"[.!?]\s+", text)] + [len(text)]
    return list(zip([0, *ends[:-1]], ends, strict=True))


def sentence_rows(
    row: int, id: str, text: str, spans: list[tuple[int, int]], tokens: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    rows = []
    for k, (start, end) in enumerate(spans):
        inside = [t for t in tokens if t["sentence"] == k]
        flow, log_p, log_q, drift = (
            sum(t[name] for t in inside)
            for name in ("density_nats", "log_p_nats", "log_q_nats", "drift_nats")
        )
        rows.append(
            {
                "row": row,
                "id": id,
                "sentence": k,
                "start": start,
                "end": end,
                "text": text[start:end],
                "n_tokens": len(inside),
                "flow_nats": flow,
                "flow_fraction": flow / -log_q if log_q else None,
                "surprisal_p_nats": -log_p,
                "surprisal_q_nats": -log_q,
                "drift_nats": drift,
            }
        )
    return rows
