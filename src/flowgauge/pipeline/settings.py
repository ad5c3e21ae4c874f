"""How a run is measured: one frozen object, validated, written into the run's manifest."""

from dataclasses import dataclass, field
from typing import Any

from flowgauge.errors import SettingsError
from flowgauge.scores import Law, ModelLaw, ScoreSettings
from flowgauge.text import Omit, Reference

#: With fewer counter-sources the p-value cannot reach 0.05.
MIN_POOL = 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run is measured; goes into its manifest.

    Args:
        reference: The reference law Q.
        law: The prompted law P: the model's own, or `flowgauge.scores.ContinuousCache()`.
        alpha: Level of each verdict.
        pool: Counter-sources of the exact test for text that somebody else wrote; 0 for none,
            otherwise at least 19 (so that its p-value can reach 0.05).
        pointers: Take the source pointers of the model's copy heads along; off only to save the few
            percent they cost.
        truncate: Cut documents that do not fit the model's context, noted in the row, instead of
            failing the row.
        precision: "exact" for the model's own weights, "fast" for bfloat16 where the processor
            multiplies it faster; its error is then measured and stored.
        seed: Chooses the pool.
        part_rows: Rows measured and written together.
        score: How columns are computed.
    """

    reference: Reference = field(default_factory=Omit)
    law: Law = field(default_factory=ModelLaw)
    alpha: float = 0.01
    pool: int = 0
    pointers: bool = True
    truncate: bool = False
    precision: str = "exact"
    seed: int = 0
    part_rows: int = 32
    score: ScoreSettings = field(default_factory=ScoreSettings)

    def __post_init__(self) -> None:
        if not isinstance(self.law, Law):
            raise SettingsError(
                f"law is {self.law!r}, an object was needed: flowgauge.scores.ModelLaw() or "
                "flowgauge.scores.ContinuousCache()"
            )
        if not 0 < self.alpha < 1:
            raise SettingsError(f"alpha is {self.alpha}, a level between 0 and 1 was needed")
        if self.pool and self.pool < MIN_POOL:
            raise SettingsError(
                f"a pool of {self.pool} counter-sources cannot reach p = 0.05; at least {MIN_POOL} "
                "are needed (or 0 for no pool test)"
            )
        if self.precision not in ("exact", "fast"):
            raise SettingsError(f'precision is {self.precision!r}, "exact" or "fast" was needed')
        if self.seed < 0:
            raise SettingsError(f"seed is {self.seed}, 0 or more was needed")
        if self.part_rows < 1:
            raise SettingsError(f"part_rows is {self.part_rows}, at least 1 was needed")

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "reference": self.reference.name,
            "law": self.law.name,
            "alpha": self.alpha,
            "pool": self.pool,
            "pointers": self.pointers,
            "truncate": self.truncate,
            "precision": self.precision,
            "seed": self.seed,
            "part_rows": self.part_rows,
            "orders": list(self.score.orders),
            "alternatives": self.score.alternatives,
            "batch_tokens": self.score.batch_tokens,
        }
