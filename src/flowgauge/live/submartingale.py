"""Do texts drawn from the prompted law behave as the theory says? (Theorem 2, Corollary 3)

    1  E[ı_j − k_j] = 0             the flow rises by its drift on average
    2  E[M_N²] = E[Σ v_j]           and (F_N − A_N)/√Σv is about N(0,1)
    3  E F_τ = E A_τ                at the first crossing of a threshold, or at the end
    4  P(flagged) ≤ α               by the test against "drawn from P"

Means, errors and residuals are those of qq.py.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flowgauge.anytime import (
    VilleTest,
    expected_stopping_time,
    first_crossing,
    tilted_e_process,
    ville,
)
from flowgauge.errors import DistributionError, InputError, UnreachableError
from flowgauge.live.qq import (
    Balance,
    Mean,
    Residuals,
    balance,
    mean_over_texts,
    normal_residuals,
    p_words,
)
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

    @property
    def words(self) -> str:
        """The finding as text."""
        lines = [
            f"Increments, E[ı − k] = 0: mean density {self.balance.observed} and mean drift "
            f"{self.balance.expected} nats per token; {self.balance.words}.",
            f"   The drift is above 0 at {self.share_rising:.1%} of tokens, its smallest value is "
            f"{self.smallest_drift:.3g}: the compensator never falls.",
            f"   {'tokens':>12} {'texts':>6}  {'mean density [95 %]':<28} mean drift [95 %]",
        ]
        for octave in self.octaves:
            b, span = octave.balance, f"{octave.first}–{octave.last}"
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

    @property
    def words(self) -> str:
        """The finding as text."""
        forecast = "none (every drift is 0)"
        if self.forecast_tokens is not None:
            forecast = f"{self.forecast_tokens:.4g} tokens (no overshoot, constant drift)"
        cut = "" if self.stopped.share == 1 else ", too low: the others count with their length"
        lines = [
            f"Optional stopping at F ≥ {self.threshold_nats:.3g} nats or the end, "
            f"E F_τ = E A_τ: mean F_τ {self.balance.observed}, mean A_τ {self.balance.expected} "
            f"nats; {self.balance.words}.",
            f"   {_share(self.stopped)} reached the threshold. Wald's forecast of τ: {forecast}; "
            f"observed mean {self.tokens}{cut}.",
        ]
        if self.tokens_stopped is not None and cut:
            lines.append(f"   Mean τ of those that reached it: {self.tokens_stopped} tokens.")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """Texts of one kind that the test against "drawn from P" rejects.

    Attributes:
        share: Counted, with its Clopper–Pearson interval.
        median_tokens: Tokens read until the rejection, median over those rejected; None if none.
    """

    share: Proportion
    median_tokens: float | None

    @property
    def words(self) -> str:
        """The count as text."""
        if self.median_tokens is None:
            return _share(self.share)
        return f"{_share(self.share)}, at token {self.median_tokens:g} (median)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The tilted mixture against "drawn from P", at level α each text.

    Attributes:
        alpha: Level per text.
        drawn: These texts; the share should be at most α.
        p_value: Exact binomial, one-sided: P(as many flagged, or more) at a share of α.
        pooled: The same test over all texts read one after another; exact for any number.
        off_law: Texts of another law, if any were given.
    """

    alpha: float
    drawn: Flagged
    p_value: float
    pooled: VilleTest
    off_law: Flagged | None

    @property
    def words(self) -> str:
        """The finding as text."""
        lines = [
            f'Level of the test against "drawn from P" (share at most {self.alpha:g}): '
            f"{self.drawn.words} flagged; binomial p = {self.p_value:.2g}.",
            f"   All texts read as one: log e reached {self.pooled.log_e_value:.3g} nats, "
            f"p ≤ {math.exp(self.pooled.log_p_value):.2g}, exact for any number of texts.",
        ]
        if self.off_law is not None:
            lines.append(f"   Texts of the other law: {self.off_law.words} flagged.")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmartingaleReport:
    """What texts drawn from the prompted law say about Theorem 2 and Corollary 3.

    Attributes:
        alpha: Level of the verdict, shared by its tests, and of each text's test.
        texts: How many there were.
        increments, stopping: Numbers 1 and 3 of the module's list.
        residuals, variance: Number 2: residuals against N(0,1); M_N² against Σv [nats²].
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
    def p_values(self) -> Mapping[str, float]:
        """P-values of the tests behind the verdict, by name; those that could be made."""
        found = {
            "mean increment": self.increments.balance.p_value,
            "variance": self.variance.p_value if self.variance else None,
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
        if self.is_consistent:
            name = min(p, key=lambda key: p[key])
            return (
                f"Consistent {what}: no test rejects at level {self.alpha:g} {each}; the smallest "
                f"p-value is {p[name]:.2g}, of {name}. This is no proof that they were."
            )
        wrong = [f"{name} (p = {v:.2g})" for name, v in p.items() if v <= self.alpha / len(p)]
        return f"Not consistent {what}, at level {self.alpha:g}: {', '.join(wrong)} {each}."

    def as_json(self) -> dict[str, Any]:
        """Numbers and words as dicts, lists, strings and finite numbers."""
        found: dict[str, Any] = {"verdict": self.verdict, "is_consistent": self.is_consistent}
        found |= asdict(self) | {"p_values": dict(self.p_values), "absent": list(self.absent)}
        for name in ("increments", "residuals", "variance", "stopping", "level"):
            part = getattr(self, name)
            if part is not None:
                found[name]["words"] = part.words
        return found

    def __str__(self) -> str:
        second = [self.residuals.words] if self.residuals else []
        if self.variance is not None:
            v = self.variance
            second.append(
                f"   Variance, E[M²] = E[Σv] exactly: mean M² {v.observed}, mean Σv {v.expected} "
                f"nats²; {v.words}."
            )
        parts = [self.increments.words, "\n".join(second).lstrip(), self.stopping.words]
        parts += [self.level.words] if self.level else []
        lines = [self.verdict, *(f"{n}  {part}" for n, part in enumerate(filter(None, parts), 1))]
        return "\n".join([*lines, *(f"Absent: {reason}" for reason in self.absent)])


def submartingale_report(
    flows: Sequence[Flow],
    *,
    threshold_nats: float = math.log(100),
    alpha: float = 0.01,
    off_law: Sequence[Flow] = (),
) -> SubmartingaleReport:
    """Check the sub-martingale property of the flow on texts drawn from the prompted law [nats].

    It tests whether the texts follow the law P that was scored, by what then holds of their flows.
    It is no statement about one text, and none about truth. Texts that were drawn otherwise
    (another temperature, another model, written by hand) should come out as not consistent.

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
        >>> from flowgauge.flow import flow
        >>> p, q = np.array([0.8, 0.2]), np.array([0.5, 0.5])
        >>> k = p @ np.log(p / q)
        >>> v = p @ (np.log(p / q) - k) ** 2
        >>> rng = np.random.default_rng(0)
        >>> texts = rng.choice(2, size=(50, 8), p=p)
        >>> flows = [flow(np.log(p[u]), np.log(q[u]), [k] * 8, [v] * 8) for u in texts]
        >>> submartingale_report(flows, threshold_nats=1.0).is_consistent
        True
    """
    every, others = list(flows), list(off_law)
    _check(every)
    residuals, variance, absent = _martingale(every)
    level, reason = _level(every, others, alpha)
    return SubmartingaleReport(
        alpha=alpha,
        texts=len(every),
        increments=_increments(every),
        residuals=residuals,
        variance=variance,
        stopping=_stopping(every, threshold_nats),
        level=level,
        absent=absent + reason,
    )


def _check(flows: list[Flow]) -> None:
    if not any(len(f.density) for f in flows):
        raise InputError(
            f"{len(flows)} flows without any token came; flows of texts drawn from P are needed, "
            "two at least for a standard error"
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
        for name in ("drift", "variance"):
            values = getattr(f, name)
            if values is not None and not (np.isfinite(values) & (values >= 0)).all():
                raise DistributionError(
                    f"flows[{n}].{name} is {values}; finite numbers, 0 or more, were needed"
                )


def _sums(columns: list[FloatArray | None]) -> FloatArray:
    """(text,) sums; a column that is None has been refused before."""
    return np.array([0.0 if column is None else column.sum() for column in columns])


def _increments(flows: list[Flow]) -> Increments:
    drift = np.concatenate([f.drift for f in flows if f.drift is not None])
    longest, octaves, first = max(len(f.density) for f in flows), [], 1
    while first <= longest:
        last = min(2 * first - 1, longest)
        octaves.append(Octave(first=first, last=last, balance=_per_token(flows, first, last)))
        first *= 2
    return Increments(
        tokens=len(drift),
        balance=_per_token(flows, 1, longest),
        octaves=tuple(octaves),
        share_rising=float(np.mean(drift > 0)),
        smallest_drift=float(drift.min()),
    )


def _per_token(flows: list[Flow], first: int, last: int) -> Balance:
    """Density against drift at these tokens, over the texts that reach them."""
    span, reached = slice(first - 1, last), [f for f in flows if len(f.density) >= first]
    density = [f.density[span] for f in reached]
    drift = [f.drift[span] for f in reached if f.drift is not None]
    return balance(_sums([*density]), _sums([*drift]), np.array([float(len(i)) for i in density]))


def _martingale(flows: list[Flow]) -> tuple[Residuals | None, Balance | None, tuple[str, ...]]:
    """Residuals, variance identity, and why one of them is absent."""
    without = [n for n, f in enumerate(flows) if f.variance is None]
    if without:
        return None, None, (f"residuals and variance: flows[{without[0]}] has no variance",)
    flow, drift = _sums([f.density for f in flows]), _sums([f.drift for f in flows])
    # F − A carries the round-off of F and A, which its square must not pass for spread.
    variance = balance(
        (flow - drift) ** 2, _sums([f.variance for f in flows]), scale=flow**2 + drift**2
    )
    try:
        return normal_residuals(f.residual for f in flows), variance, ()
    except InputError as error:
        return None, variance, (f"residuals: {error}",)


def _stopping(flows: list[Flow], threshold: float) -> Stopping:
    drift = np.concatenate([f.drift for f in flows if f.drift is not None])
    try:
        forecast = expected_stopping_time(threshold, drift).tokens
    except UnreachableError:
        forecast = None
    crossings = [first_crossing(f.flow, threshold) for f in flows]
    ends = [len(f.density) if j is None else j + 1 for f, j in zip(flows, crossings, strict=True)]
    stopped = np.array([j + 1.0 for j in crossings if j is not None])
    pairs = list(zip(flows, ends, strict=True))
    return Stopping(
        threshold_nats=threshold,
        balance=balance(
            _sums([f.density[:end] for f, end in pairs]),
            _sums([f.drift[:end] for f, end in pairs if f.drift is not None]),
        ),
        stopped=clopper_pearson(len(stopped), len(flows)),
        tokens=mean_over_texts(np.array(ends, dtype=np.float64)),
        tokens_stopped=mean_over_texts(stopped) if len(stopped) else None,
        forecast_tokens=forecast,
    )


def _level(
    flows: list[Flow], off_law: list[Flow], alpha: float
) -> tuple[Level | None, tuple[str, ...]]:
    """Flagged texts, or why they are absent."""
    from scipy.stats import binomtest

    for name, texts in (("flows", flows), ("off_law", off_law)):
        for n, f in enumerate(texts):
            if f.log_moments is None or f.orders is None:
                return None, (f"level: {name}[{n}] has no log moments",)
            if not np.array_equal(f.orders, flows[0].orders):
                raise InputError(f"{name}[{n}] has other orders λ than flows[0]; use one grid")
    moments = [f.log_moments for f in flows if f.log_moments is not None]
    whole = np.concatenate([f.density for f in flows]), np.concatenate(moments)
    drawn = _flagged(flows, alpha)
    count, n = drawn.share.count, drawn.share.n
    return Level(
        alpha=alpha,
        drawn=drawn,
        p_value=float(binomtest(count, n, alpha, alternative="greater").pvalue),
        pooled=ville(tilted_e_process(*whole, flows[0].orders), alpha),
        off_law=_flagged(off_law, alpha) if off_law else None,
    ), ()


def _flagged(flows: list[Flow], alpha: float) -> Flagged:
    tests = [ville(tilted_e_process(f.density, f.log_moments, f.orders), alpha) for f in flows]
    tokens = [test.first_crossing + 1 for test in tests if test.first_crossing is not None]
    return Flagged(
        share=clopper_pearson(len(tokens), len(flows)),
        median_tokens=float(np.median(tokens)) if tokens else None,
    )


def _share(found: Proportion) -> str:
    return (
        f"{found.count} of {found.n} texts ({found.share:.2%}, 95 % interval "
        f"{found.lower:.2%} to {found.upper:.2%})"
    )
