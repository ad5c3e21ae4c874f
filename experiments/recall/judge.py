"""What the trainings say: means over seeds with t intervals, and paired differences of members."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from recall.members import FAMILY, MEMBERS, ONE_LAYER
from recall.plan import SWEEP_SEED, Outcome, Plan, best, is_at_edge
from recall.tasks import TASKS
from recall.training import steps_to_solve

CONFIDENCE = 0.95
#: The split of each task that the verdict stands on.
DECISIVE = {"recall": "seen", "semantic": "new forms", "copying": "seen"}
#: (with a learnt B, with B = 1): all else is alike.
ONE_LAYER_PAIRS = (("one", "one_identity"), ("one_frozen", "one_frozen_identity"))


def interval(values: Sequence[float]) -> list[float]:
    """Mean and the ends of its t interval over seeds, at least two.

    It takes the seeds' values as normal. Values that are all alike give an interval of length 0,
    which says that these seeds agreed and no more.

    Example:
        >>> [round(x, 3) for x in interval([1.0, 2.0, 3.0])]
        [2.0, -0.484, 4.484]
    """
    x = np.asarray(values, dtype=float)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(x) - 1) * x.std(ddof=1) / math.sqrt(len(x))
    return [float(x.mean()), float(x.mean() - half), float(x.mean() + half)]


def reported(plan: Plan, member: str, task: str, done: Sequence[Outcome]) -> list[Outcome]:
    """Trainings of a cell on the reported seeds at the chosen rate, seed by seed."""
    rate = best(plan.tried(member, task, done))
    found = {
        o["seed"]: o
        for o in done
        if (o["member"], o["task"], o["rate"]) == (member, task, rate) and o["seed"] != SWEEP_SEED
    }
    return [found[seed] for seed in plan.seeds if seed in found]


def cell(plan: Plan, member: str, task: str, done: Sequence[Outcome]) -> dict[str, Any]:
    """Everything about one member on one task."""
    tried = plan.tried(member, task, done)
    outcomes = reported(plan, member, task, done)
    accuracy = {
        split: _bounded(interval([o["accuracy"][split] for o in outcomes]))
        for split in outcomes[0]["accuracy"]
    }
    solved = [steps_to_solve(o["curve"]) for o in outcomes]
    return {
        "member": member,
        "words": MEMBERS[member].words,
        "task": task,
        "parameters": outcomes[0]["parameters"],
        "rate": best(tried),
        "is_at_edge": is_at_edge(tried),
        "sweep": [
            {
                "rate": o["rate"],
                "loss_nats": _number(o["curve"][-1][1]),
                "accuracy": o["curve"][-1][2],
            }
            for o in sorted(done, key=lambda o: o["rate"])
            if (o["member"], o["task"], o["seed"]) == (member, task, SWEEP_SEED)
        ],
        "seeds": [o["seed"] for o in outcomes],
        "accuracy": accuracy,
        "accuracy_of_seeds": {s: [o["accuracy"][s] for o in outcomes] for s in accuracy},
        "steps_to_90": solved,
        "seconds": round(float(np.mean([o["seconds"] for o in outcomes])), 1),
    }


def difference(cells: Mapping[Any, Any], first: str, second: str, task: str) -> dict[str, Any]:
    """Accuracy of the first member minus the second's on the decisive split, seed by seed."""
    values = _paired(cells, first, second, task)
    return {
        "task": task,
        "split": DECISIVE[task],
        "first": first,
        "second": second,
        "words": f"{MEMBERS[first].words} − {MEMBERS[second].words}",
        "difference": interval(values),
        "of_seeds": values,
    }


def judged(plan: Plan, done: Sequence[Outcome]) -> dict[str, Any]:
    """Cells and differences; a cell with fewer than two reported seeds is left out."""
    cells = {
        (member, task): cell(plan, member, task, done)
        for member, task in plan.cells
        if plan.tried(member, task, done) and len(reported(plan, member, task, done)) > 1
    }
    pairs = [("transformer", m) for m in FAMILY if m != "transformer"] + list(ONE_LAYER_PAIRS)
    have = [(a, b, t) for t in TASKS for a, b in pairs if {(a, t), (b, t)} <= cells.keys()]
    return {
        "cells": list(cells.values()),
        "cosines": [
            _cosines(member, reported(plan, member, "semantic", done))
            for member in ONE_LAYER
            if (member, "semantic") in cells
        ],
        "differences": [difference(cells, a, b, t) for a, b, t in have],
        "of_synonyms": [
            _of_synonyms(cells, a, b)
            for a, b in pairs
            if {(a, b, "recall"), (a, b, "semantic")} <= set(have) and a != "transformer"
        ],
    }


def _cosines(member: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """How alike synonyms are in the embedding after training; see `training.cosines`."""
    found = {
        name: interval([o["cosines"][name] for o in outcomes]) for name in ("new_forms", "others")
    }
    return {"member": member, "words": MEMBERS[member].words, **found}


def _of_synonyms(cells: Mapping[Any, Any], first: str, second: str) -> dict[str, Any]:
    """How much more a learnt B gives with synonyms than without, seed by seed."""
    with_, without = (_paired(cells, first, second, task) for task in ("semantic", "recall"))
    values = [a - b for a, b in zip(with_, without, strict=False)]
    return {"first": first, "second": second, "difference": interval(values), "of_seeds": values}


def _paired(cells: Mapping[Any, Any], first: str, second: str, task: str) -> list[float]:
    split = DECISIVE[task]
    a, b = (
        dict(zip(c["seeds"], c["accuracy_of_seeds"][split], strict=True))
        for c in (cells[first, task], cells[second, task])
    )
    return [a[seed] - b[seed] for seed in a if seed in b]


def _bounded(found: Sequence[float]) -> list[float]:
    return [min(1.0, max(0.0, x)) for x in found]


def _number(x: float) -> float | None:
    return x if math.isfinite(x) else None
