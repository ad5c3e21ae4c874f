"""Rows of the three tables of a run from one measured or failed record."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from flowgauge.anytime import decide
from flowgauge.flow import flow
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.pool import PoolEvidence
from flowgauge.pipeline.prepare import Prepared
from flowgauge.pipeline.settings import Settings
from flowgauge.pipeline.supporting import support_columns
from flowgauge.records import FailedRow, Flow, IntArray, Record, TokenScores
from flowgauge.support import Constants
from flowgauge.text import sentence_spans

Row = Mapping[str, Any]


def failed_row(row: FailedRow) -> Row:
    """The records-table row of a row that could not be measured."""
    return {
        "row": row.row,
        "id": row.id,
        "status": "failed",
        "kind": row.kind,
        "reason": row.reason,
        "notes": [],
        "meta": json.dumps({"raw": row.raw}, ensure_ascii=False) if row.raw else "{}",
    }


def _number(value: float) -> float | None:
    """NaN is stored as null: there is no such number."""
    return None if np.isnan(value) else float(value)


def _fraction(flow_nats: float, surprisal_q: float) -> float | None:
    return flow_nats / surprisal_q if surprisal_q > 0 else None


def measured_rows(
    item: Prepared,
    scores: TokenScores,
    evidence: PoolEvidence | None,
    lm: LanguageModel,
    settings: Settings,
    constants: Constants,
    *,
    is_sampled_law: bool = False,
) -> dict[str, list[Row]]:
    """Rows of records (one), tokens and sentences of a measured record."""
    record = item.record
    f = flow(
        scores.log_p,
        scores.log_q,
        scores.drift,
        scores.variance,
        log_moments=scores.log_moments,
        orders=scores.orders,
    )
    spans = sentence_spans(record.response)
    sentence = _sentence_of(record.response, item.tokens.offsets, spans)
    verdict = decide(
        f,
        alpha=settings.alpha,
        author=record.author,
        sampling=record.sampling,
        is_models_law=settings.law.is_own,
        is_sampled_law=is_sampled_law,
    )
    more = support_columns(item, f, scores.pointers, sentence, len(spans), constants)
    row = {
        **_given(item),
        **more.record,
        "status": "measured",
        "n_tokens": len(f.density),
        "flow_nats": f.total_nats,
        "flow_fraction": _number(f.fraction),
        "surprisal_p_nats": float(-scores.log_p.sum()) + 0.0,
        "surprisal_q_nats": float(f.surprisal_q.sum()),
        "compensator_nats": float(scores.drift.sum()),
        "variance_nats2": float(scores.variance.sum()),
        "residual": _number(f.residual),
        "outcome": verdict.outcome,
        "verdict": verdict.words,
        "null": verdict.null,
        "is_exact": verdict.is_exact,
        "alpha": verdict.alpha,
        "log_e_value_nats": verdict.log_e_value,
        "first_crossing": verdict.first_crossing,
        "log_e_value_against_nats": verdict.log_e_value_against,
        "first_crossing_against": verdict.first_crossing_against,
    }
    if evidence:
        row |= {
            "pool_size": len(evidence.rows),
            "pool_e_value": evidence.e_value,
            "pool_p_value": evidence.p_value,
            "pool_rows": list(evidence.rows),
        }
    return {
        "records": [row],
        "tokens": _joined(_token_rows(item, scores, f, sentence, lm), more.tokens),
        "sentences": _joined(_sentence_rows(item, scores, sentence, spans), more.sentences),
    }


def _joined(rows: list[Row], more: list[dict[str, Any]]) -> list[Row]:
    return [{**row, **columns} for row, columns in zip(rows, more, strict=True)]


def _given(item: Prepared) -> dict[str, Any]:
    """The record as it came, and what was made of it."""
    record: Record = item.record
    sampling = record.sampling and asdict(record.sampling)
    return {
        "row": item.row,
        "id": record.id,
        "question": record.question,
        "instruction": record.instruction,
        "documents": None if record.documents is None else list(record.documents),
        "turns": json.dumps(
            [{"role": t.role, "content": t.content} for t in record.turns], ensure_ascii=False
        ),
        "reasoning": record.reasoning,
        "response": record.response,
        "author": record.author.value,
        "sampling": json.dumps(sampling) if sampling else None,
        "labels": [{"start": x.start, "end": x.end, "kind": x.kind} for x in record.labels],
        "meta": json.dumps(dict(record.meta), ensure_ascii=False, default=str),
        "source": item.composition.source,
        "prompt_tokens": len(item.tokens.prompt_ids),
        "reference_tokens": len(item.tokens.reference_ids),
        "left_out": item.tokens.left_out,
        "notes": list(item.tokens.notes),
    }


def _sentence_of(text: str, offsets: IntArray, spans: list[tuple[int, int]]) -> IntArray:
    """Sentence in which each token begins; its leading white space does not count."""
    starts = []
    for start, end in offsets:
        piece = text[start:end]
        starts.append(int(start) + len(piece) - len(piece.lstrip()) if piece.strip() else start)
    ends = np.array([end for _, end in spans], dtype=np.int64)
    places = np.searchsorted(ends, np.array(starts, dtype=np.int64), side="right")
    return np.minimum(places, max(len(spans) - 1, 0)).astype(np.int64)


def _token_rows(
    item: Prepared, scores: TokenScores, f: Flow, sentence: IntArray, lm: LanguageModel
) -> list[Row]:
    needed = np.unique(np.concatenate((scores.top_p_ids.ravel(), scores.top_q_ids.ravel())))
    text = dict(zip(needed.tolist(), lm.token_text(needed.tolist()), strict=True))

    def alternatives(ids: IntArray, logs: Any) -> list[Row]:
        pairs = zip(ids.tolist(), logs.tolist(), strict=True)
        # A law with few tokens that can come has fewer alternatives than were asked for.
        return [{"id": i, "text": text[i], "log_p": x} for i, x in pairs if x > -np.inf]

    compensator = scores.drift.cumsum()
    rows: list[Row] = []
    for j, (start, end) in enumerate(item.tokens.offsets.tolist()):
        rows.append(
            {
                "row": item.row,
                "id": item.record.id,
                "position": j,
                "sentence": int(sentence[j]),
                "token_id": int(item.tokens.response_ids[j]),
                "text": item.record.response[start:end],
                "start": start,
                "end": end,
                "log_p_nats": scores.log_p[j],
                "log_q_nats": scores.log_q[j],
                "density_nats": f.density[j],
                "flow_nats": f.flow[j],
                "drift_nats": scores.drift[j],
                "compensator_nats": compensator[j],
                "variance_nats2": scores.variance[j],
                "entropy_p_nats": scores.entropy_p[j],
                "entropy_q_nats": scores.entropy_q[j],
                "log_moments_nats": scores.log_moments[j].tolist(),
                "alternatives_p": alternatives(scores.top_p_ids[j], scores.top_p_log[j]),
                "alternatives_q": alternatives(scores.top_q_ids[j], scores.top_q_log[j]),
            }
        )
    return rows


def _sentence_rows(
    item: Prepared, scores: TokenScores, sentence: IntArray, spans: list[tuple[int, int]]
) -> list[Row]:
    rows: list[Row] = []
    for k, (start, end) in enumerate(spans):
        here = sentence == k
        flow_nats = float((scores.log_p[here] - scores.log_q[here]).sum())
        surprisal_q = float(-scores.log_q[here].sum()) + 0.0
        rows.append(
            {
                "row": item.row,
                "id": item.record.id,
                "sentence": k,
                "start": start,
                "end": end,
                "text": item.record.response[start:end],
                "n_tokens": int(here.sum()),
                "flow_nats": flow_nats,
                "flow_fraction": _fraction(flow_nats, surprisal_q),
                "surprisal_p_nats": float(-scores.log_p[here].sum()) + 0.0,
                "surprisal_q_nats": surprisal_q,
                "drift_nats": float(scores.drift[here].sum()),
            }
        )
    return rows
