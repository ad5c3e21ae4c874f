"""How many texts the test against "drawn from P" rejects, against the level it promises."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge import anytime
from flowgauge.errors import InputError
from flowgauge.live.balance import p_words, share_words
from flowgauge.records import FloatArray, Flow
from flowgauge.support import Proportion, clopper_pearson


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """Texts of one kind that the test against "drawn from P" rejects.

    Attributes:
        share: Counted, with its Clopper–Pearson interval.
        median_tokens: Tokens read until the rejection, median over those rejected; None if none.
    """

    share: Proportion
    median_tokens: float | None

    def __str__(self) -> str:
        median = f" (median token {self.median_tokens:g})" if self.median_tokens else ""
        return f"{share_words(self.share)} flagged{median}"


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
    pooled: anytime.VilleTest
    off_law: Flagged | None

    def __str__(self) -> str:
        off = f"\n   Texts of the other law: {self.off_law}." if self.off_law else ""
        return (
            f'Level of the test against "drawn from P" (share at most {self.alpha:g}): '
            f"{self.drawn}; binomial {p_words(self.p_value)}.\n"
            f"   All texts read as one: log e reached {self.pooled.log_e_value:.3g} nats, anytime "
            f"{p_words(math.exp(self.pooled.log_p_value))}, exact for any number of texts.{off}"
        )


def level_of(
    flows: Sequence[Flow], off_law: Sequence[Flow], alpha: float
) -> tuple[Level | None, list[str]]:
    """Flagged texts, or why they are absent.

    Args:
        flows: Of texts drawn from P; one at least.
        off_law: Of texts of another law; may be empty.
        alpha: Level per text.

    Raises:
        InputError: The orders λ of a flow differ from those of the first.
    """
    from scipy.stats import binomtest

    for n, f in enumerate([*flows, *off_law]):
        name = f"flows[{n}]" if n < len(flows) else f"off_law[{n - len(flows)}]"
        if f.log_moments is None or f.orders is None:
            return None, [f"level: {name} has no log moments"]
        if not np.array_equal(f.orders, np.asarray(flows[0].orders)):
            raise InputError(f"{name} has other orders λ than flows[0]; one grid was needed")
    drawn = _flagged(flows, alpha)
    found = binomtest(drawn.share.count, len(flows), alpha, alternative="greater")
    return Level(
        alpha=alpha,
        drawn=drawn,
        p_value=float(found.pvalue),
        pooled=anytime.ville(_log_e([flows])[0], alpha),
        off_law=_flagged(off_law, alpha) if off_law else None,
    ), []


def _log_e(rows: Sequence[Sequence[Flow]]) -> FloatArray:
    """(row, time) log e of the texts of each row, one after another; constant past their end."""
    orders = np.asarray(rows[0][0].orders)
    density = np.zeros((len(rows), max(sum(len(f.density) for f in row) for row in rows)))
    moments = np.zeros((*density.shape, len(orders)))
    for n, row in enumerate(rows):
        joined = np.concatenate([f.density for f in row])
        density[n, : len(joined)] = joined
        moments[n, : len(joined)] = np.concatenate([np.asarray(f.log_moments) for f in row])
    return anytime.tilted_e_process(density, moments, orders)


def _flagged(flows: Sequence[Flow], alpha: float) -> Flagged:
    crossings = [anytime.ville(path, alpha).first_crossing for path in _log_e([[f] for f in flows])]
    tokens = [j + 1 for j in crossings if j is not None]
    return Flagged(
        share=clopper_pearson(len(tokens), len(flows)),
        median_tokens=float(np.median(tokens)) if tokens else None,
    )
