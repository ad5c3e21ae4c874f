"""A run with support made up by hand: supported, unsupported, failed, and without a source."""

from flowgauge.store import Run, tables_from_rows

DOCUMENTS = ["Ann came home. Then the cat slept.", "Bob sang a song."]
MANIFEST = {
    "model": {"name": "toy", "fingerprint": "f1"},
    "support": {"threshold": 0.2, "words": "made up"},
    "seconds": 2.0,
    "created": "2026-01-02T03:04:05+00:00",
    "versions": {"flowgauge": "0"},
}
#: Sentences of the three measured records: text, support, source.
SENTENCES = {
    0: [("Ann came home. ", 0.9, (0, 0, 15)), ("Bob sang.", 0.5, (1, 0, 16))],
    1: [("The cat ate Bob. ", 0.1996, None), ("Ann left.", 0.3, (0, 0, 15)), ("Zzz!", 0.05, None)],
    2: [("So.", None, None)],
}
SUPPORT = {0: 0.8, 1: 0.123, 2: None}


def made_up_run(manifest=MANIFEST, failed=True, texts=SENTENCES, ids=("good", "bad", "none")):
    records, sentences = [], []
    for row, own in texts.items():
        start = 0
        for k, (text, support, source) in enumerate(own):
            places = (
                [dict(zip(("document", "start", "end"), source, strict=True))] if source else []
            )
            sentences.append(
                {
                    "row": row, "id": ids[row], "sentence": k, "start": start,
                    "end": start + len(text), "text": text, "n_tokens": 6, "support": support,
                    "flow_fraction": 0.5, "sources": [{**p, "weight": 0.25} for p in places],
                }
            )  # fmt: skip
            start += len(text)
        records.append(
            {
                "row": row, "id": ids[row], "status": "measured", "n_tokens": 12,
                "documents": [] if row == 2 else DOCUMENTS,
                "source": "nothing" if row == 2 else "documents",
                "response": "".join(t for t, _, _ in own), "support": SUPPORT[row],
                "flow_nats": 1.0, "flow_fraction": 0.5, "compensator_nats": 1.0, "notes": [],
                "outcome": "neither",
            }
        )  # fmt: skip
    if failed:
        records.append(
            {
                "row": 3, "id": "broken", "status": "failed", "kind": "RecordError",
                "reason": "the row has no response", "notes": [],
            }
        )  # fmt: skip
    return Run("toy-run", manifest, tables_from_rows({"records": records, "sentences": sentences}))
