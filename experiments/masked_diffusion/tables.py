"""The tables of the README from the numbers of a result."""

from collections.abc import Mapping
from typing import Any

from e2_semantic_flow.tables import written_into as written_into

FORMS = ("continuous time", "k masked", "random order")


def number(found: Mapping[str, float], digits: int = 3) -> str:
    """Mean ± 1.96 standard errors."""
    return f"{found['mean']:.{digits}f} ± {1.96 * found['standard_error']:.{digits}f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown, numbers on the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def training(result: Mapping[str, Any]) -> str:
    """Size of both members."""
    rows = [
        [name, f"{m['parameters']:,}", f"{m['updates']:,}"]
        for name, m in result["training"].items()
    ]
    return table(["member", "parameters", "updates"], rows)


def likelihood(result: Mapping[str, Any]) -> str:
    """Exact nats against bounds."""
    rows = []
    for given, words in (("prompted", "prompt"), ("alone", "nothing")):
        found = result["likelihood"][given]
        rows.append([f"causal, exact, given {words}", number(found["causal"]), "–", "–", "–"])
        rows += [
            [
                f"diffusion, {form}, given {words}",
                number(found[form]),
                f"{found[form]['standard_error_of_draws']:.3f}",
                f"{found[form]['variance_of_a_draw']:.3f}",
                number(found[form]["above_causal"]),
            ]
            for form in FORMS
        ]
    head = [
        "−log p per token",
        "nats, mean over stories",
        "s.e. of the draws",
        "variance of one draw",
        "above causal",
    ]
    return table(head, rows)


def flows(result: Mapping[str, Any]) -> str:
    """Sums and verdicts of both members."""
    rows = []
    for prompt in ("own prompt", "another's prompt"):
        for member in ("causal", "diffusion", "diffusion, all orders"):
            found = result["flows"][prompt][member]
            v = found["verdicts"]
            rows.append(
                [
                    f"{member}, {prompt}",
                    number(found["density_sum_nats"], 2),
                    number(found["drift_sum_nats"], 2),
                    f"{v['driven by the source']:.2f}",
                    f"{v['not from this source']:.2f}",
                    f"{v['both']:.2f}",
                    f"{v['neither']:.2f}",
                ]
            )
    head = [
        "responses",
        "density sum, nats",
        "drift sum, nats",
        "driven by the source",
        "not from this source",
        "both",
        "neither",
    ]
    return table(head, rows)


def written(result: Mapping[str, Any]) -> str:
    """The level on the model's own texts."""
    rows = [
        [
            name,
            f"{m['rejected']} of {m['texts']}",
            number(m["density_less_drift_nats"], 2),
            number(m["residual_mean"], 2),
            f"{m['residual_sd']:.2f}",
            f"{m['mean_surprisal_p_nats']:.2f}",
        ]
        for name, m in result["written"].items()
    ]
    head = [
        "sampler",
        "rejected",
        "density − drift, nats",
        "mean residual",
        "SD of residuals",
        "−log P per token",
    ]
    return table(head, rows)


def every(result: Mapping[str, Any]) -> dict[str, str]:
    """All tables by the name of their place."""
    return {
        "training": training(result),
        "likelihood": likelihood(result),
        "flows": flows(result),
        "written": written(result),
    }
