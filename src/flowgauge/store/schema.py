"""The written contract of a run: every column of every table, its type, unit and meaning.

A run is a folder: `plan.json` (what will be measured), `part-NNNNN/` with `records.parquet`,
`tokens.parquet` and `sentences.parquet` (each part renamed into place whole) and `run.json` (the
manifest, written last). Positions are 0-based; characters are those of the response as given;
information is in nats.
"""

from typing import NamedTuple

import pyarrow as pa

SCHEMA_VERSION = 2


class Column(NamedTuple):
    """One column: name, Arrow type, unit ("" for none), meaning."""

    name: str
    type: pa.DataType
    unit: str
    meaning: str


_F, _I, _S, _B = pa.float64(), pa.int64(), pa.string(), pa.bool_()
_ALTERNATIVES = pa.list_(pa.struct([("id", _I), ("text", _S), ("log_p", _F)]))
_LABELS = pa.list_(pa.struct([("start", _I), ("end", _I), ("kind", _S)]))
_PLACES = pa.list_(pa.struct([("document", _I), ("start", _I), ("end", _I), ("weight", _F)]))

RECORDS = (
    Column("row", _I, "", "row of the input file, from 0"),
    Column("id", _S, "", "the record's id; unique in a run"),
    Column("status", _S, "", "'measured' or 'failed'"),
    Column("kind", _S, "", "class of the error of a failed row"),
    Column("reason", _S, "", "why a row failed, in words"),
    Column("question", _S, "", "as given"),
    Column("instruction", _S, "", "as given"),
    Column("documents", pa.list_(_S), "", "as given; null when the record has none"),
    Column("turns", _S, "", "earlier turns as JSON"),
    Column("reasoning", _S, "", "as given"),
    Column("response", _S, "", "as given"),
    Column("author", _S, "", "'somebody else' or 'observer'"),
    Column("sampling", _S, "", "sampling settings as JSON; null when unknown"),
    Column(
        "labels", _LABELS, "", "human labels of the response's characters; never seen by a score"
    ),
    Column("meta", _S, "", "the record's other fields as JSON"),
    Column(
        "source", _S, "", "what the reference law goes without: 'documents', 'prompt' or 'nothing'"
    ),
    Column("prompt_tokens", _I, "tokens", "length of the prompted prefix"),
    Column("reference_tokens", _I, "tokens", "length of the reference prefix"),
    Column("n_tokens", _I, "tokens", "response tokens scored under both laws"),
    Column(
        "left_out", _I, "tokens", "response tokens left out of both laws, for want of a context"
    ),
    Column("notes", pa.list_(_S), "", "what a reader should know of this row"),
    Column("flow_nats", _F, "nats", "F_N = log P(u)/Q(u)"),
    Column("flow_fraction", _F, "", "F_N / −log Q(u): share of the surprise the source explains"),
    Column("surprisal_p_nats", _F, "nats", "−log P(u)"),
    Column("surprisal_q_nats", _F, "nats", "−log Q(u)"),
    Column("compensator_nats", _F, "nats", "A_N = Σ KL(P_j‖Q_j)"),
    Column("variance_nats2", _F, "nats²", "Σ Var_P[log P_j/Q_j]"),
    Column("residual", _F, "", "(F_N − A_N)/√variance; about N(0,1) for text drawn from P"),
    Column(
        "support",
        _F,
        "",
        "0…1: how well the sources support the response as this observer sees it; weighs its "
        "worst span; null where the record has no documents or the model no constants",
    ),
    Column("pointer", _F, "", "mean of the tokens' pointers; null without copy heads"),
    Column(
        "outcome",
        _S,
        "",
        "verdict: 'driven by the source', 'not from this source', 'neither', 'both'",
    ),
    Column("verdict", _S, "", "the verdict as a sentence"),
    Column("null", _S, "", "its null hypothesis in words"),
    Column("is_exact", _B, "", "whether its level is exact or relative to the observer"),
    Column("alpha", _F, "", "its level"),
    Column(
        "log_e_value_nats",
        _F,
        "nats",
        "largest log e-value against 'the source made no difference'",
    ),
    Column("first_crossing", _I, "", "token at which it reached log 1/alpha; null if never"),
    Column("log_e_value_against_nats", _F, "nats", "largest log e-value against 'drawn from P'"),
    Column(
        "first_crossing_against", _I, "", "token at which that reached log 1/alpha; null if never"
    ),
    Column("pool_size", _I, "", "counter-sources of the exchangeability test; null if not run"),
    Column("pool_e_value", _F, "", "its e-value, at most pool_size + 1"),
    Column("pool_p_value", _F, "", "its p-value"),
    Column("pool_rows", pa.list_(_I), "", "rows whose sources were the counter-sources"),
)

TOKENS = (
    Column("row", _I, "", "row of the record"),
    Column("id", _S, "", "the record's id"),
    Column("position", _I, "", "place in the response, from 0, counted among scored tokens"),
    Column("sentence", _I, "", "sentence it begins in"),
    Column("token_id", _I, "", "in the model's vocabulary"),
    Column("text", _S, "", "characters of the response it covers"),
    Column("start", _I, "characters", "first character in the response"),
    Column("end", _I, "characters", "one past its last character"),
    Column("log_p_nats", _F, "nats", "log P_j(u_j)"),
    Column("log_q_nats", _F, "nats", "log Q_j(u_j)"),
    Column("density_nats", _F, "nats", "log P_j(u_j)/Q_j(u_j)"),
    Column("flow_nats", _F, "nats", "running sum of the density"),
    Column("drift_nats", _F, "nats", "KL(P_j‖Q_j)"),
    Column("compensator_nats", _F, "nats", "running sum of the drift"),
    Column("variance_nats2", _F, "nats²", "Var_P[log P_j/Q_j]"),
    Column("entropy_p_nats", _F, "nats", "entropy of P_j"),
    Column("entropy_q_nats", _F, "nats", "entropy of Q_j"),
    Column("log_moments_nats", pa.list_(_F), "nats", "ψ_j(λ) on the manifest's grid of orders"),
    Column(
        "pointer",
        _F,
        "",
        "0…1: attention mass of the copy heads on prompt positions that hold this very token; "
        "null without copy heads",
    ),
    Column("pointer_document", _I, "", "document it points at; null for the question or nothing"),
    Column("pointer_start", _I, "characters", "first character in that document"),
    Column("pointer_end", _I, "characters", "one past its last character there"),
    Column("local_fraction", _F, "", "flow fraction of the text around the token, −1…1"),
    Column(
        "copied_words",
        _F,
        "words",
        "longest verbatim run around its word that stands in a source, at most 8; null for none",
    ),
    Column("support", _F, "", "0…1: support of the text around the token"),
    Column("alternatives_p", _ALTERNATIVES, "", "likeliest tokens under P_j, best first"),
    Column("alternatives_q", _ALTERNATIVES, "", "likeliest tokens under Q_j, best first"),
)

SENTENCES = (
    Column("row", _I, "", "row of the record"),
    Column("id", _S, "", "the record's id"),
    Column("sentence", _I, "", "place in the response, from 0"),
    Column("start", _I, "characters", "first character in the response"),
    Column("end", _I, "characters", "one past its last character"),
    Column("text", _S, "", "its characters"),
    Column("n_tokens", _I, "tokens", "scored tokens that begin in it"),
    Column("flow_nats", _F, "nats", "sum of their density"),
    Column("flow_fraction", _F, "", "flow / −log Q of the sentence"),
    Column("surprisal_p_nats", _F, "nats", "−log P of the sentence"),
    Column("surprisal_q_nats", _F, "nats", "−log Q of the sentence"),
    Column("drift_nats", _F, "nats", "sum of the drift"),
    Column("pointer", _F, "", "mean of its tokens' pointers; null without copy heads"),
    Column("support", _F, "", "0…1: mean support of its tokens"),
    Column(
        "sources", _PLACES, "", "source sentences its tokens point at, best first, with their mass"
    ),
)

TABLES = {"records": RECORDS, "tokens": TOKENS, "sentences": SENTENCES}


def arrow_schema(table: str) -> pa.Schema:
    """Arrow schema of a table, with unit and meaning of each column as field metadata."""
    return pa.schema(
        [
            pa.field(c.name, c.type, metadata={"unit": c.unit, "meaning": c.meaning})
            for c in TABLES[table]
        ],
        metadata={"flowgauge_schema": str(SCHEMA_VERSION)},
    )
