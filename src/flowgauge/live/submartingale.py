"""Whether texts drawn from the prompted law behave as Theorem 2 and Corollary 3 say.

1  E[ı_j − k_j] = 0             the flow rises by its drift on average
2  E[M_N²] = E[Σ v_j]           and (F_N − A_N)/√Σv is about N(0,1)
3  E F_τ = E A_τ                at the first crossing of a threshold, or at the end
4  P(flagged) ≤ α               by the test against "drawn from P"
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flowgauge import anytime
from flowgauge.anytime.ville import check_alpha
from flowgauge.errors import DistributionError, InputError, UnreachableError
from flowgauge.live.balance import Balance, Mean, balance, mean_over_texts, p_words, share_words
from flowgauge.live.level import Level, level_of
from flowgauge.live.qq import Residuals, normal_residuals
from flowgauge.records import FloatArray, Flow
from flowgauge.support import Proportion, clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Octave:
    """Tokens `first` … `last` (from 1) of the texts that reach them [nats per token]."""

    first: int
    last: int
    balance: Balance


@dataclass(frozen=True, slots=True, kw_only=True)
class Increments:
    """Mean density against mean drift [nats per token].

    Attributes:
        tokens: Over all texts.
        balance: Density against drift over all tokens.
        octaves: The same at tokens 1, 2–3, 4–7, …, each interval for itself.
        share_rising: Share of tokens with a drift above 0.
        smallest_drift: 0 or more, so the compensator never falls [nats].
    """

    tokens: int
    balance: Balance
    octaves: tuple[Octave, ...]
    share_rising: float
    smallest_drift: float

    def __str__(self) -> str:
        lines = [
            f"Increments, E[ı − k] = 0: mean density {self.balance.observed} and mean drift "
            f"{self.balance.expected} nats per token; {self.balance}.",
            f"   The drift is above 0 at {self.share_rising:.1%} of tokens, its smallest value is "
            f"{self.smallest_drift:.3g}: the compensator never falls.",
            f"   {'tokens':>12} {'texts':>6}  {'mean density [95 %]':<28} mean drift [95 %]",
        ]
        for octave in self.octaves:
            b, span = octave.balance, "–".join(map(str, sorted({octave.first, octave.last})))
            lines.append(f"   {span:>12} {b.texts:>6}  {b.observed!s:<28} {b.expected}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """Flow and compensator where the flow first reaches a threshold, or at the end [nats].

    Attributes:
        threshold_nats: c.
        balance: F_τ against A_τ.
        stopped: Share of texts that reached c.
        tokens: τ over all texts; one that never reached c counts with its length.
        tokens_stopped: τ over those that did; None if none did.
        forecast_tokens: Wald's c / mean drift; None where the drift is 0.
    """

    threshold_nats: float
    balance: Balance
    stopped: Proportion
    tokens: Mean
    tokens_stopped: Mean | None
    forecast_tokens: float | None

    def __str__(self) -> str:
        forecast = "none (every drift is 0)"
        if self.forecast_tokens is not None:
            forecast = f"{self.forecast_tokens:.4g} tokens (no overshoot, constant drift)"
        cut = "" if self.stopped.share == 1 else " (the others count with their length)"
        if self.tokens_stopped and cut:
            cut = f"{cut[:-1]}; of those that did, {self.tokens_stopped})"
        return (
            f"Optional stopping at F ≥ {self.threshold_nats:.3g} nats or the end, "
            f"E F_τ = E A_τ: mean F_τ {self.balance.observed}, mean A_τ {self.balance.expected} "
            f"nats; {self.balance}.\n"
            f"   {share_words(self.stopped)} reached the threshold. Wald's forecast of τ: "
            f"{forecast}; observed mean {self.tokens}{cut}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmartingaleReport:
    """What texts drawn from the prompted law say about Theorem 2 and Corollary 3.

    Attributes:
        alpha: Level of the verdict, shared by its tests, and of each text's test.
        texts: How many there were.
        increments, stopping: Numbers 1 and 3 of the module's list.
        residuals, variance: Number 2: residuals against N(0,1); M_N² against Σv [nats²]. M² is so
            skewed that a t-test rejects too often below some thousand texts: not in the verdict.
        level: Number 4.
        absent: Why a part is None, one sentence each.
    """

    alpha: float
    texts: int
    increments: Increments
    residuals: Residuals | None
    variance: Balance | None
    stopping: Stopping
    level: Level | None
    absent: tuple[str, ...] = ()

    @property
    def p_values(self) -> dict[str, float]:
        """P-values of the tests behind the verdict, by name; those that could be made."""
        found = {
            "mean increment": self.increments.balance.p_value,
            "optional stopping": self.stopping.balance.p_value,
            "texts flagged": self.level.p_value if self.level else None,
            "all texts as one": math.exp(self.level.pooled.log_p_value) if self.level else None,
        }
        return {name: p for name, p in found.items() if p is not None}

    @property
    def is_consistent(self) -> bool | None:
        """Whether no test rejects at α over their number; None if none could be made."""
        p = self.p_values
        return all(value > self.alpha / len(p) for value in p.values()) if p else None

    @property
    def verdict(self) -> str:
        """Consistent with the prompted law or not, at which level, by which tests."""
        p, what = self.p_values, f"with {self.texts} texts drawn from the prompted law P"
        if not p:
            return f"Nothing could be tested: {self.increments.balance.absent}."
        each = (
            f"({len(p)} tests: {', '.join(p)}; each at {self.alpha:g}/{len(p)} = "
            f"{self.alpha / len(p):.2g}, Bonferroni)"
        )
        least = min(p, key=lambda name: p[name])
        if self.is_consistent:
            return (
                f"Consistent {what}: no test rejects at level {self.alpha:g} {each}; the smallest "
                f"is {p_words(p[least])}, of {least}. This is no proof that they were."
            )
        wrong = [f"{name} ({p_words(v)})" for name, v in p.items() if v <= self.alpha / len(p)]
        return f"Not consistent {what}, at level {self.alpha:g}: {', '.join(wrong)} {each}."

    def as_json(self) -> dict[str, Any]:
        """Numbers and words as dicts, tuples, strings and finite numbers, ready for `json`."""
        found = asdict(self) | {"verdict": self.verdict, "is_consistent": self.is_consistent}
        found["p_values"] = self.p_values
        for name in ("increments", "residuals", "variance", "stopping", "level"):
            if found[name] is not None:
                found[name]["words"] = str(getattr(self, name))
        return found

    def __str__(self) -> str:
        second = str(self.residuals or "").splitlines()
        if v := self.variance:
            means = f"mean M² {v.observed}, mean Σv {v.expected} nats²"
            second.append(f"Variance, E M² = E Σv: {means}; {v}. M² is skewed: not in the verdict.")
        parts = [self.verdict, self.increments, "\n".join(second), self.stopping, self.level or ""]
        parts += [f"Absent: {reason}." for reason in self.absent]
        return "\n\n".join(str(part) for part in parts if part)


def submartingale_report(
    flows: Sequence[Flow],
    *,
    threshold_nats: float = math.log(100),
    alpha: float = 0.01,
    off_law: Sequence[Flow] = (),
) -> SubmartingaleReport:
    """Check the sub-martingale property of the flow on texts drawn from the prompted law [nats].

    It tests whether the texts follow the law P that was scored, by what then holds of their flows.
    It says nothing about one text, nor about truth. Texts drawn otherwise (at another temperature,
    by another model) should come out as not consistent; agreement is no proof.

    Args:
        flows: Flows of texts drawn independently, with drift; variance and log moments give
            numbers 2 and 4.
        threshold_nats: c of the stopping time, chosen before looking at the texts [nats].
        alpha: Level of the verdict and of each text's test, between 0 and 1.
        off_law: Flows, under the same P and Q, of texts drawn from something else; for power.

    Returns:
        The report; `str` of it is for a terminal, `as_json` for a file, `qq_svg` draws it.

    Raises:
        InputError: No flows, no token, a flow without drift, or orders that differ.
        DistributionError: A density, drift, variance or log moment that cannot be.
        SettingsError: The threshold is not above 0 or alpha is not between 0 and 1.

    References:
        [bai:25] III-D, Theorem 2 and Corollary 3; [doob:53]; [wald:44]; [clopper:34].

    Example:
        >>> from flowgauge.live import Meter, flow_of
        >>> p, q, rng = np.array([0.8, 0.2]), np.array([0.5, 0.5]), np.random.default_rng(0)
        >>> step = [Meter().read(np.log(p), np.log(q), token) for token in (0, 1)]
        >>> flows = [flow_of(step[u] for u in rng.choice(2, size=8, p=p)) for _ in range(50)]
        >>> submartingale_report(flows, threshold_nats=1.0).is_consistent
        True
    """
    every, alpha = list(flows), check_alpha(alpha)
    _check(every)
    residuals, variance, absent = _martingale_part(every)
    level, reason = level_of(every, list(off_law), alpha)
    return SubmartingaleReport(
        alpha=alpha,
        texts=len(every),
        increments=_increments(every),
        residuals=residuals,
        variance=variance,
        stopping=_stopping(every, threshold_nats),
        level=level,
        absent=(*absent, *reason),
    )


def _check(flows: list[Flow]) -> None:
    if not any(len(f.density) for f in flows):
        raise InputError(
            f"{len(flows)} flows without any token came; texts drawn from P are needed"
        )
    for n, f in enumerate(flows):
        if f.drift is None:
            raise InputError(
                f"flows[{n}] has no drift to compare its density with; make it from both whole "
                "laws: flow(log_p, log_q, drift, variance) or flow_of(steps)"
            )
        if not np.isfinite(f.density).all():
            first = int(np.argmin(np.isfinite(f.density)))
            raise DistributionError(
                f"flows[{n}] has log P/Q = {f.density[first]} at token {first}: a law excludes a "
                "token that was written, so P is not the law the text was drawn from; score it "
                "under the law of its sampling"
            )
        for name in ("drift", "variance", "log_moments"):
            values = np.asarray(0.0 if getattr(f, name) is None else getattr(f, name))
            if not np.isfinite(values).all() or (name != "log_moments" and (values < 0).any()):
                raise DistributionError(
                    f"{name} of flows[{n}] is {values}; finite numbers were needed, 0 or more for "
                    "drift and variance"
                )


def _sums(columns: Iterable[FloatArray | None]) -> FloatArray:
    """(text,) sums of columns that are there."""
    return np.array([column.sum() for column in columns if column is not None])


def _increments(flows: list[Flow]) -> Increments:
    drift = np.concatenate([f.drift for f in flows if f.drift is not None])
    longest = max(len(f.density) for f in flows)
    spans = [(2**i, min(2 ** (i + 1) - 1, longest)) for i in range(longest.bit_length())]
    return Increments(
        tokens=len(drift),
        balance=_per_token(flows, 1, longest),
        octaves=tuple(Octave(first=a, last=b, balance=_per_token(flows, a, b)) for a, b in spans),
        share_rising=float(np.mean(drift > 0)),
        smallest_drift=float(drift.min()),
    )


def _per_token(flows: list[Flow], first: int, last: int) -> Balance:
    """Density against drift at these tokens, over the texts that reach them."""
    span, reached = slice(first - 1, last), [f for f in flows if len(f.density) >= first]
    drift = _sums(f.drift[span] for f in reached if f.drift is not None)
    sizes = np.array([float(len(f.density[span])) for f in reached])
    return balance(_sums(f.density[span] for f in reached), drift, sizes)


def _martingale_part(
    flows: list[Flow],
) -> tuple[Residuals | None, Balance | None, list[str]]:
    """Residuals, M_N² against Σv [nats²], and why one of them is absent."""
    variance = [f.variance.sum() for f in flows if f.variance is not None]
    if len(variance) < len(flows):
        return None, None, ["residuals and variance: a flow has no variance"]
    # M = F − A carries the round-off of F and A, which its square must not pass for spread.
    ends = [(f.density.sum(), f.drift.sum()) for f in flows if f.drift is not None]
    flow, drift = np.array(ends).T
    identity = balance((flow - drift) ** 2, np.array(variance), scale=flow**2 + drift**2)
    try:
        return normal_residuals(f.residual for f in flows), identity, []
    except InputError as error:
        return None, identity, [f"residuals: {error}"]


def _stopping(flows: list[Flow], threshold: float) -> Stopping:
    drift = np.concatenate([f.drift for f in flows if f.drift is not None])
    try:
        forecast = anytime.expected_stopping_time(threshold, drift).tokens
    except UnreachableError:
        forecast = None
    crossings = [anytime.first_crossing(f.flow, threshold) for f in flows]
    stopped = np.array([j + 1.0 for j in crossings if j is not None])
    # At the first crossing, or at the end.
    ended = [(f, None if j is None else j + 1) for f, j in zip(flows, crossings, strict=True)]
    return Stopping(
        threshold_nats=threshold,
        balance=balance(
            _sums(f.density[:end] for f, end in ended),
            _sums(f.drift[:end] for f, end in ended if f.drift is not None),
        ),
        stopped=clopper_pearson(len(stopped), len(flows)),
        tokens=mean_over_texts(np.array([float(len(f.density[:end])) for f, end in ended])),
        tokens_stopped=mean_over_texts(stopped) if len(stopped) else None,
        forecast_tokens=forecast,
    )
