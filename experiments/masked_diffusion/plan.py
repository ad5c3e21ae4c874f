"""How much is trained and measured: the whole experiment, and a quick one of the same kind."""

from dataclasses import dataclass, field

from masked_diffusion.train import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Numbers of the experiment.

    Args:
        training: How both members are trained.
        bound_records: Held-out stories whose likelihood is bounded.
        draws: Masks a story and form; orders are a sixteenth of it.
        flow_records: Held-out stories whose flow is measured.
        orders: Orders a story that verdicts are averaged over.
        written: Texts that the model draws itself, a sampler.
        alpha: Level of the verdicts on stories.
        written_alpha: Level of the check on the model's own texts.
        seed: Of masks, orders and drawn texts.
    """

    training: Plan = field(default_factory=Plan)
    bound_records: int = 60
    draws: int = 32
    flow_records: int = 80
    orders: int = 2
    written: int = 80
    alpha: float = 0.01
    written_alpha: float = 0.05
    seed: int = 0


WHOLE = Sizes()
QUICK = Sizes(
    training=Plan(steps=40, rows=8),
    bound_records=4,
    draws=8,
    flow_records=4,
    orders=2,
    written=6,
)
