"""Does the flow rise by its drift? Texts under the law they were drawn from, and under others."""

from collections.abc import Sequence
from typing import Any

from e2_semantic_flow.written import Written
from flowgauge.live.submartingale import SubmartingaleReport, submartingale_report

#: Level of every verdict and of every text's test; the threshold of the stopping time [nats].
ALPHA = 0.01
THRESHOLD_NATS = 10.0


def report(texts: Sequence[Written]) -> SubmartingaleReport:
    """The library's check on these texts."""
    flows = [t.flow() for t in texts]
    return submartingale_report(flows, threshold_nats=THRESHOLD_NATS, alpha=ALPHA)


def numbers(found: SubmartingaleReport) -> dict[str, Any]:
    """What the tables show of a report."""
    increments, level, residuals = found.increments, found.level, found.residuals
    out: dict[str, Any] = {
        "texts": found.texts,
        "tokens": increments.tokens,
        "is_consistent": found.is_consistent,
        "verdict": found.verdict,
        "p_values": dict(found.p_values),
        "mean_density": _mean(increments.balance.observed),
        "mean_drift": _mean(increments.balance.expected),
        "z": increments.balance.z,
        "share_rising": increments.share_rising,
        "smallest_drift": increments.smallest_drift,
        "absent": list(found.absent),
    }
    if found.variance is not None:
        out["mean_square"] = _mean(found.variance.observed)
        out["mean_variance"] = _mean(found.variance.expected)
        out["variance_p"] = found.variance.p_value
    stopping = found.stopping
    out["stopped"] = [stopping.stopped.count, stopping.stopped.n]
    out["flow_at_stop"] = _mean(stopping.balance.observed)
    out["compensator_at_stop"] = _mean(stopping.balance.expected)
    if level is not None:
        share = level.drawn.share
        out["flagged"] = [share.count, share.n, share.lower, share.upper]
        out["flagged_at_token"] = level.drawn.median_tokens
        out["log_e_of_all"] = level.pooled.log_e_value
    if residuals is not None:
        out["residual_mean"] = residuals.mean.value
        out["residual_deviation"] = residuals.standard_deviation
        out["residual_ks_p"] = residuals.ks_p_value
    return out


def _mean(found: Any) -> list[float | None]:
    return [found.value, found.lower, found.upper]
