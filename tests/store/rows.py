"""Rows of a run made up by hand: every column filled, with numbers that are hard to store."""

import math

RECORD = {
    "status": "measured", "kind": None, "reason": None, "question": "q\n😀", "instruction": "",
    "documents": ["d1", "", "<script>"], "turns": "[]", "reasoning": "", "response": "ab",
    "author": "somebody else", "sampling": None,
    "labels": [{"start": 0, "end": 1, "kind": "k"}], "meta": '{"a": 1}', "source": "documents",
    "prompt_tokens": 3, "reference_tokens": 1, "n_tokens": 2, "left_out": 0, "notes": ["a", "b"],
    "flow_nats": 0.1 + 0.2, "flow_fraction": 1 / 3, "surprisal_p_nats": 5e-324,
    "surprisal_q_nats": math.inf, "compensator_nats": 1e308, "variance_nats2": 0.0,
    "residual": None, "outcome": "neither", "verdict": "v", "null": "n", "is_exact": False,
    "alpha": 0.01, "log_e_value_nats": -0.5, "first_crossing": None,
    "log_e_value_against_nats": 0.5, "first_crossing_against": 1, "pool_size": 19,
    "pool_e_value": 20.0, "pool_p_value": 0.05, "pool_rows": [1, 2],
    "support": 0.25, "pointer": 0.5,
}  # fmt: skip
TOKEN = {
    "sentence": 0, "token_id": 7, "text": "a", "start": 0, "end": 1, "log_p_nats": -0.1,
    "log_q_nats": -math.inf, "density_nats": math.inf, "flow_nats": 0.1 + 0.2, "drift_nats": 0.3,
    "compensator_nats": 0.3, "variance_nats2": 0.0, "entropy_p_nats": 1.1, "entropy_q_nats": 1.2,
    "log_moments_nats": [0.1, -0.1], "pointer": 0.75, "pointer_document": 0, "pointer_start": 1,
    "pointer_end": 2, "local_fraction": -0.5, "copied_words": 3.0, "support": 1 / 7,
    "alternatives_p": [{"id": 7, "text": "a", "log_p": -0.1}],
    "alternatives_q": [{"id": 8, "text": "\x00", "log_p": -0.2}],
}  # fmt: skip
SENTENCE = {
    "start": 0, "end": 2, "text": "ab", "n_tokens": 2, "flow_nats": 0.3, "flow_fraction": 0.5,
    "surprisal_p_nats": 0.1, "surprisal_q_nats": 0.2, "drift_nats": 0.3,
    "pointer": 0.5, "support": 0.125,
    "sources": [{"document": 0, "start": 0, "end": 2, "weight": 0.5}],
}  # fmt: skip
PLAN = {"schema": 1, "input": {"rows": 2}, "model": {"name": "m"}, "orders": [-1.0, 0.5]}


def rows(*numbers, tokens=2, sentences=1):
    """The three tables of some records."""
    return {
        "records": [{"row": n, "id": f"r{n}", **RECORD} for n in numbers],
        "tokens": [
            {"row": n, "id": f"r{n}", "position": j, **TOKEN, "flow_nats": n + j / 3}
            for n in numbers
            for j in range(tokens)
        ],
        "sentences": [
            {"row": n, "id": f"r{n}", "sentence": k, **SENTENCE}
            for n in numbers
            for k in range(sentences)
        ],
    }
