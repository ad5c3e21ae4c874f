"""Source pointers and support made up for the tests of the page, on top of `example_run`.

A token points at a document token with the same text: at the one after the last place if it goes
on there, else at the first. Its mass is invented; sums, means and source sentences follow from it.
"""

import json
from collections.abc import Iterable
from importlib.resources import files
from typing import Any

import numpy as np
from report.example_run import ExampleRun, measured, run_of, split_sentences, split_tokens

THRESHOLD = 0.45
SUPPORT = {
    "threshold": THRESHOLD,
    "parts": ["local_fraction", "pointer"],
    "constants": {"slope": 9.0, "middle": 0.32},
    "words": "Made of the local flow fraction and the pointer, smoothed over about 8 tokens.",
}
CALIBRATION = {
    "threshold": 0.52,
    "alpha": 0.1,
    "confidence": 0.95,
    "n": 60,
    "words": "On 60 labelled responses: with confidence 0.95, at most 10 % of the unsupported ones "
    "pass 0.52.",
}
STEADY = 0.8  # mass of a token that goes on where the last one pointed

Token = dict[str, Any]
Place = tuple[int, int, int]


def support_run() -> ExampleRun:
    """Twelve answers of the demo data with pointers and support; the last six share passages."""
    folder = files("flowgauge.data.demo")
    text = (folder / "ragtruth_qa_12.jsonl").read_text(encoding="utf-8")
    records = []
    for row, line in enumerate(text.splitlines()):
        given = json.loads(line)
        labels = [given["response"][x["start"] : x["end"]] for x in given["labels"]]
        record = measured(
            row=row,
            id=given["id"],
            question=given["question"],
            documents=given["documents"],
            response=given["response"],
            labels=labels,
        )
        records.append(with_support(record))
    return supported(run_of(records, name="ragtruth-12"))


def supported(run: ExampleRun, **entries: Any) -> ExampleRun:
    """The run with a manifest that tells of support."""
    manifest = run.manifest | {"support": SUPPORT | entries}
    return ExampleRun(name=run.name, manifest=manifest, tables=run.tables)


def with_support(record: dict[str, Any]) -> dict[str, Any]:
    """The record with the columns of pointers and support filled."""
    documents = record["documents"]
    rng = np.random.default_rng(record["row"])
    tokens = point(record["tokens"], documents, rng)
    density, surprise = (
        smooth([t[name] for t in tokens]) for name in ("density_nats", "log_q_nats")
    )
    fraction = np.clip(density / np.maximum(-surprise, 0.3), -1, 1)
    pointer = smooth([t["pointer"] for t in tokens])
    support = 1 / (1 + np.exp(-9.0 * (0.35 * fraction + 0.65 * pointer - 0.24)))
    for token, f, s in zip(tokens, fraction, support, strict=True):
        token |= {"local_fraction": float(f), "support": float(s)}
    sentences = [
        sentence | sentence_support(sentence["sentence"], tokens, documents)
        for sentence in record["sentences"]
    ]
    return record | {
        "tokens": tokens,
        "sentences": sentences,
        "pointer": float(np.mean([t["pointer"] for t in tokens])),
        "support": float((support.mean() + np.quantile(support, 0.1)) / 2),
    }


def point(tokens: Iterable[Token], documents: list[str], rng: np.random.Generator) -> list[Token]:
    """The tokens with their pointers."""
    places = [(d, a, b) for d, text in enumerate(documents) for a, b in split_tokens(text)]
    words = [documents[d][a:b].strip().lower() for d, a, b in places]
    result, last = [], -2
    for token in tokens:
        text = token["text"].strip().lower()
        found = [k for k, word in enumerate(words) if word == text and text]
        nothing = {"pointer_document": None, "pointer_start": None, "pointer_end": None}
        if not found:
            result.append(token | nothing | {"pointer": float(0.02 * rng.random())})
            continue
        goes_on = last + 1 in found
        last = last + 1 if goes_on else found[0]
        mass = STEADY + 0.19 * rng.random() if goes_on else 0.06 * min(len(text), 9) / len(found)
        document, start, end = places[last]
        start += len(documents[document][start:end]) - len(documents[document][start:end].lstrip())
        result.append(
            token
            | {
                "pointer": float(mass),
                "pointer_document": document,
                "pointer_start": start,
                "pointer_end": end,
            }
        )
    return result


def smooth(values: Iterable[float], width: float = 8.0) -> np.ndarray:
    """Gaussian average around each token."""
    array = np.asarray(list(values))
    distance = np.arange(len(array))[:, None] - np.arange(len(array))[None, :]
    weight = np.exp(-0.5 * (distance / width) ** 2)
    return np.asarray(weight @ array / weight.sum(axis=1))


def sentence_support(number: int, tokens: list[Token], documents: list[str]) -> dict[str, Any]:
    """Support, mean pointer and the best source sentences of one sentence."""
    inside = [t for t in tokens if t["sentence"] == number]
    mass: dict[Place, float] = {}
    for token in inside:
        if token["pointer_document"] is not None:
            place = source_sentence(documents, token["pointer_document"], token["pointer_start"])
            mass[place] = mass.get(place, 0.0) + token["pointer"]
    best = sorted(mass, key=lambda place: -mass[place])[:3]
    return {
        "support": float(np.mean([t["support"] for t in inside])) if inside else None,
        "pointer": float(np.mean([t["pointer"] for t in inside])) if inside else None,
        "sources": [
            {"document": d, "start": a, "end": b, "weight": mass[d, a, b]} for d, a, b in best
        ],
    }


def source_sentence(documents: list[str], document: int, start: int) -> Place:
    """The sentence of the document that holds the character, without the space after it."""
    text = documents[document]
    a, b = next((a, b) for a, b in split_sentences(text) if a <= start < b)
    return document, a, a + len(text[a:b].rstrip())
