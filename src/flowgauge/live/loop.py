"""Collapse: the drift has died, so the source no longer tells the model anything.

    mean of the last `window` drifts ≤ threshold

While a model repeats itself both laws copy from what is written and agree, P_j ≈ Q_j, and the
compensator goes flat (theory §2). The threshold has no law behind it: `calibrate_loop` takes it
from ordinary generations, together with the false-alarm rate that it holds there.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from flowgauge.errors import DistributionError, SettingsError, ShapeError, UnreachableError
from flowgauge.live.event import Action, Event, note
from flowgauge.live.monitor import Monitor
from flowgauge.live.step import Step
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopCalibration:
    """A threshold and the false-alarm rate that it holds, with what they stand on.

    Attributes:
        threshold_nats: The largest mean drift that counts as dead [nats per token].
        window: Tokens that the mean is taken over.
        false_alarms_per_1000: The rate that was asked for; a text's first alarm is counted.
        upper_per_1000: Upper bound of that rate at this threshold, with `confidence`.
        measured_per_1000: Alarms in the generations measured, repeats within one included.
        confidence: Of the bound.
        alarmed: Generations in which it alarmed.
        generations, tokens: What was measured.
    """

    threshold_nats: float
    window: int
    false_alarms_per_1000: float
    upper_per_1000: float
    measured_per_1000: float
    confidence: float
    alarmed: int
    generations: int
    tokens: int

    @property
    def words(self) -> str:
        """What the rate was measured on and assumes."""
        return (
            f"a text's first alarm counted, with confidence {100 * self.confidence:g} %, for texts "
            f"drawn like the {self.generations} ordinary generations ({self.tokens} tokens) it was "
            f"measured on; it alarmed in {self.alarmed} of them, "
            f"{self.measured_per_1000:.3g} times per 1,000 tokens with repeats"
        )


class Loop(Monitor):
    """Says that the drift has died, each time that it dies [nats per token].

    A dead drift is no proof of a loop, and no test stands behind it: drift also dies where a model
    writes ordinary text from memory, and a loop over words of the source may keep it alive.

    Args:
        threshold_nats: Mean drift at or below which it counts as dead.
        window: Tokens that the mean is taken over; nothing is said before so many have come.
        false_alarms_per_1000: Rate that the threshold is known to hold; None if none is known.
        measured_on: What that rate was measured on, in words.
        action: What is done with an event.

    Raises:
        SettingsError: The threshold or the rate is no finite number of 0 or more, or the window
            no count.

    References:
        [bai:25] III-D, Theorem 2.

    Example:
        >>> import numpy as np
        >>> monitor = Loop(threshold_nats=0.1, window=2)
        >>> p, q = np.log([0.9, 0.1]), np.log([0.3, 0.7])
        >>> [monitor.update(p, law, 0) is not None for law in (q, q, p, p, p, q, p, p)]
        [False, False, False, True, False, False, False, True]
    """

    name = "loop"

    def __init__(
        self,
        threshold_nats: float,
        window: int = 16,
        false_alarms_per_1000: float | None = None,
        *,
        measured_on: str = "as whoever set it says",
        action: Action = note,
    ) -> None:
        super().__init__(action=action)
        for what, value in (
            ("threshold_nats", threshold_nats),
            ("false_alarms_per_1000", false_alarms_per_1000),
        ):
            if value is not None and not 0 <= value < math.inf:
                raise SettingsError(f"{what} = {value}; a finite number, 0 or more, is needed")
        self.threshold_nats, self.window = float(threshold_nats), _check_window(window)
        self.false_alarms_per_1000, self.measured_on = false_alarms_per_1000, measured_on
        self._drifts: deque[float] = deque(maxlen=self.window)
        self._is_dead = False

    @classmethod
    def from_calibration(cls, calibration: LoopCalibration, *, action: Action = note) -> Self:
        """The monitor with the threshold, window and rate of a calibration."""
        return cls(
            calibration.threshold_nats,
            calibration.window,
            calibration.false_alarms_per_1000,
            measured_on=calibration.words,
            action=action,
        )

    @property
    def promise(self) -> str:
        """The false-alarm rate and what it was measured on."""
        if self.false_alarms_per_1000 is None:
            return (
                f"No promise: how often ordinary text falls to {self.threshold_nats:.3g} nats per "
                "token was not measured (calibrate_loop does)."
            )
        return (
            f"False alarms: at most {self.false_alarms_per_1000:g} per 1,000 tokens, "
            f"{self.measured_on}."
        )

    def observe(self, step: Step) -> Event | None:
        """Take one token in; an event where the mean drift falls to the threshold."""
        self._drifts.append(step.drift)
        was_dead, mean = self._is_dead, self._mean
        full = len(self._drifts) == self.window
        self._is_dead = full and mean <= self.threshold_nats
        if was_dead or not self._is_dead:
            return None
        rate = self.false_alarms_per_1000
        return self._tell(
            step.position,
            f"The drift has died: {mean:.3g} nats per token over the last {self.window} tokens, at "
            f"or below {self.threshold_nats:.3g}, at token {step.position}. A loop, or text from "
            f"memory. {self.promise}",
            mean_drift_nats=mean,
            threshold_nats=self.threshold_nats,
            window=self.window,
            **({} if rate is None else {"false_alarms_per_1000": rate}),
        )

    def fresh(self) -> Self:
        """The same settings, nothing seen."""
        return type(self)(
            self.threshold_nats,
            self.window,
            self.false_alarms_per_1000,
            measured_on=self.measured_on,
            action=self.action,
        )

    @property
    def state(self) -> Mapping[str, float]:
        """mean_drift_nats over the last tokens (inf before the first) and the threshold."""
        return {"mean_drift_nats": self._mean, "threshold_nats": self.threshold_nats}

    @property
    def _mean(self) -> float:
        return _mean(self._drifts) if self._drifts else math.inf


def calibrate_loop(
    drifts: Iterable[Any],
    *,
    false_alarms_per_1000: float = 1.0,
    window: int = 16,
    confidence: float = 0.95,
) -> LoopCalibration:
    """The largest threshold that holds a false-alarm rate on ordinary generations [nats per token].

    The units are generations; windows within one overlap and depend on each other in any way.
    Assumed is only that the generations are independent draws of one kind. The rate wanted times
    their mean length is the share of them that may alarm at all. With n generations the number k−1
    that may alarm among those measured is the largest whose exact (Clopper–Pearson) upper bound
    stays at that share; it depends on n, not on the drifts, so choosing the threshold just below
    the k-th smallest of the least window means costs no confidence. A text's first alarm is what is
    counted: repeats within a text are measured and shown, not bounded. The mean length is taken as
    known, so the rate is for texts about as long as these.

    Args:
        drifts: One (time,) column of drifts per generation that did not collapse [nats].
        false_alarms_per_1000: Rate wanted, alarms per 1,000 tokens.
        window: Tokens that the mean is taken over.
        confidence: That the rate is no higher.

    Raises:
        UnreachableError: Too few generations (the message says how many are needed), too few of
            them with a whole window, or a drift of 0 where ordinary text has it too.
        SettingsError: A setting is out of range, or the rate allows each text more than one alarm.
        ShapeError, DistributionError: A column is no column, or holds NaN or a negative drift.

    References:
        [clopper:34].

    Example:
        >>> rng = np.random.default_rng(0)
        >>> c = calibrate_loop([rng.exponential(size=100) for _ in range(80)])
        >>> round(c.threshold_nats, 3), c.alarmed, c.generations, round(c.upper_per_1000, 3)
        (0.406, 3, 80, 0.941)
    """
    columns = [_check_column(d, i) for i, d in enumerate(drifts)]
    _check_window(window)
    if not 0 < false_alarms_per_1000 < math.inf or not 0 < confidence < 1:
        raise SettingsError(
            f"false_alarms_per_1000 = {false_alarms_per_1000}, confidence = {confidence}; a finite "
            "rate above 0 and a confidence between 0 and 1 are needed"
        )
    n, tokens = len(columns), sum(len(c) for c in columns)
    allowed = _allowed(n, tokens, false_alarms_per_1000, confidence)
    means = [_window_means(c, window) for c in columns]
    threshold = _threshold(sorted(min(m, default=math.inf) for m in means), allowed, window)
    alarms = [_deaths(m, threshold) for m in means]
    from scipy.stats import beta

    return LoopCalibration(
        threshold_nats=threshold,
        window=int(window),
        false_alarms_per_1000=float(false_alarms_per_1000),
        upper_per_1000=1000 * float(beta.ppf(confidence, allowed + 1, n - allowed)) * n / tokens,
        measured_per_1000=1000 * sum(alarms) / tokens,
        confidence=float(confidence),
        alarmed=sum(a > 0 for a in alarms),
        generations=n,
        tokens=tokens,
    )


def _allowed(n: int, tokens: int, rate: float, confidence: float) -> int:
    """How many of n generations may alarm: the largest with P(so few | share wanted) ≤ 1 − c."""
    share = rate * tokens / (1000 * n) if n else 0.0
    if share >= 1:
        raise SettingsError(
            f"a rate of {rate:g} per 1,000 tokens would let every generation alarm (their mean "
            f"length is {tokens / n:.0f} tokens), so no threshold is held back. Pass the first "
            f"tokens of each, fewer than {1000 / rate:.0f}, or ask for a lower rate"
        )
    from scipy.stats import binom

    bearable = int((binom.cdf(np.arange(n), n, share) <= 1 - confidence).sum())
    if not bearable:
        needed = math.ceil(math.log1p(-confidence) / math.log1p(-share)) if share else None
        least = math.ceil(-1000 * math.log1p(-confidence) / rate)
        raise UnreachableError(
            f"{n} generations with {tokens} tokens came; "
            f"{f'{needed} of this mean length' if needed else f'about {least} tokens'} are needed "
            f"to hold a rate of {rate:g} per 1,000 tokens with confidence {confidence:g}. Generate "
            "more, or ask for a higher rate or a lower confidence"
        )
    return bearable - 1


def _threshold(least: Sequence[float], allowed: int, window: int) -> float:
    """Just below the smallest mean that may not alarm any more."""
    limit = least[allowed]
    if math.isinf(limit):
        finite = sum(math.isfinite(x) for x in least)
        raise UnreachableError(
            f"{finite} of {len(least)} generations have {window} tokens running with finite "
            f"drift; at least {allowed + 1} are needed. Use longer ones, or a shorter window"
        )
    if limit == 0:
        dead = sum(x == 0 for x in least)
        raise UnreachableError(
            f"the drift is 0 over {window} tokens in {dead} of {len(least)} generations, "
            f"{allowed} may alarm: no threshold tells a loop from ordinary text here. Use a longer "
            "window, or leave out generations that collapsed"
        )
    return float(np.nextafter(limit, -np.inf))


def _window_means(drifts: FloatArray, window: int) -> list[float]:
    """The mean of each whole window, by the very sum that the monitor forms."""
    values = drifts.tolist()
    return [_mean(values[j : j + window]) for j in range(len(values) - window + 1)]


def _mean(drifts: Sequence[float]) -> float:
    return math.fsum(drifts) / len(drifts)


def _deaths(means: Sequence[float], threshold: float) -> int:
    """How often a path of means falls to the threshold."""
    dead = [False, *(m <= threshold for m in means)]
    return sum(now and not before for before, now in pairwise(dead))


def _check_window(window: int) -> int:
    if not is_count(window):
        raise SettingsError(f"window = {window!r}; a number of tokens, 1 or more, is needed")
    return int(window)


def _check_column(values: Any, index: int) -> FloatArray:
    column = as_floats(values, f"drifts[{index}]")
    if column.ndim != 1:
        raise ShapeError(
            f"drifts[{index}] has shape {column.shape}; one column (time,) per generation is needed"
        )
    if not (column >= 0).all():
        first = int(np.argmax(~(column >= 0)))
        raise DistributionError(
            f"drifts[{index}][{first}] = {column[first]}; a drift is a divergence, 0 or more"
        )
    return column
