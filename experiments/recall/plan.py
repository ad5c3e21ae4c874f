"""Which trainings there are: a sweep of learning rates on a seed of its own, then fresh seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recall.members import FAMILY, ONE_LAYER, Size
from recall.training import Job

#: Rates a sweep may try; it begins in the middle and goes on where the best is at its edge.
LADDER = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
FIRST = (3e-3, 1e-2)
SWEEP_SEED = 0

Outcome = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is trained.

    Attributes:
        cells: (member, task) of each cell of the tables.
        seeds: Reported seeds; none of them is `SWEEP_SEED`.
        steps: Steps of each training.
        first: Rates a sweep begins with.
        ladder: Rates it may go on to.
        size: Of the models.
    """

    cells: tuple[tuple[str, str], ...]
    seeds: tuple[int, ...]
    steps: int
    first: tuple[float, ...] = FIRST
    ladder: tuple[float, ...] = LADDER
    size: Size = field(default_factory=Size)

    def job(self, member: str, task: str, rate: float, seed: int) -> Job:
        """One training."""
        return Job(member=member, task=task, rate=rate, seed=seed, steps=self.steps, size=self.size)

    def tasks(self) -> list[str]:
        """Each task once, in the order in which they are worked through."""
        return list(dict.fromkeys(task for _, task in self.cells))

    def sweep(self, task: str, done: Sequence[Outcome]) -> list[Job]:
        """Trainings of a task's sweeps that are missing now; none when every best is inside."""
        return [
            self.job(member, task, rate, SWEEP_SEED)
            for member in self.members(task)
            for rate in missing_rates(self.tried(member, task, done), self.first, self.ladder)
        ]

    def report(self, task: str, done: Sequence[Outcome]) -> list[Job]:
        """Trainings at the chosen rates, seed by seed, so that a plan cut short is even."""
        return [
            self.job(member, task, best(self.tried(member, task, done)), seed)
            for seed in self.seeds
            for member in self.members(task)
        ]

    def members(self, task: str) -> list[str]:
        """Members that learn a task."""
        return [member for member, t in self.cells if t == task]

    def tried(self, member: str, task: str, done: Sequence[Outcome]) -> dict[float, float]:
        """Last loss on the sweep's seed for each rate tried [nats]."""
        return {
            o["rate"]: o["curve"][-1][1]
            for o in done
            if (o["member"], o["task"], o["seed"]) == (member, task, SWEEP_SEED)
        }


def best(tried: Mapping[float, float]) -> float:
    """The rate of the smallest loss; a loss that is no number is the largest of all."""
    return min(tried, key=lambda rate: math.inf if math.isnan(tried[rate]) else tried[rate])


def missing_rates(
    tried: Mapping[float, float], first: Sequence[float], ladder: Sequence[float]
) -> list[float]:
    """What a sweep tries next.

    Example:
        >>> missing_rates({3e-3: 1.0, 1e-2: 0.5}, FIRST, LADDER)
        [0.03]
        >>> missing_rates({3e-3: 1.0, 1e-2: 0.5, 3e-2: 2.0}, FIRST, LADDER)
        []
    """
    if missing := [rate for rate in first if rate not in tried]:
        return missing
    place = ladder.index(best(tried))
    beside = ladder[max(0, place - 1) : place + 2]
    return [rate for rate in beside if rate not in tried]


def is_at_edge(tried: Mapping[float, float]) -> bool:
    """Whether the best rate is the lowest or highest that was tried."""
    return best(tried) in (min(tried), max(tried))


FULL = Plan(
    cells=(
        *((member, task) for task in ("semantic", "recall") for member in (*ONE_LAYER, *FAMILY)),
        *((member, "copying") for member in FAMILY),
    ),
    seeds=(1, 2, 3),
    steps=1000,
)
QUICK = Plan(
    cells=(("transformer", "recall"), ("identity_last", "recall")),
    seeds=(1, 2),
    steps=250,
    first=(3e-3,),
    ladder=(3e-3,),
)
