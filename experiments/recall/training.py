"""One training: a member, a task, a learning rate, a seed; and what it can do afterwards."""

import math
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from recall.members import MEMBERS, Size, build
from recall.tasks import TASKS, Recall, Sequences, Task

BATCH = 16
WEIGHT_DECAY = 0.01
WARM_UP = 0.1
LARGEST_GRADIENT = 1.0
#: Sequences of the check during training, and of each test.
CHECKED = 128
TESTED = 256
SOLVED = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be trained.

    Attributes:
        member: Name in `members.MEMBERS`.
        task: Name in `tasks.TASKS`.
        rate: Highest learning rate.
        seed: Of the world (what is held out), the weights and the sequences.
        steps: Steps of training.
        size: Of the model.
    """

    member: str
    task: str
    rate: float
    seed: int
    steps: int
    size: Size


class Answers:
    """What a model says where answers are wanted.

    Attributes:
        balance: What the balance of its experts costs; no part of the loss.
    """

    def __init__(self, model: nn.Module, found: Sequences) -> None:
        tokens = torch.from_numpy(found.tokens)
        places = torch.from_numpy(found.answers.nonzero()[0])
        self.logits, self.balance = model(tokens, places - 1)
        self.wanted = tokens[:, places]

    @property
    def loss(self) -> Tensor:
        """Mean −log p of the answers [nats]."""
        return cross_entropy(self.logits.flatten(0, 1), self.wanted.flatten())

    @property
    def accuracy(self) -> float:
        """Share of answers that are the likeliest token."""
        return (self.logits.argmax(-1) == self.wanted).double().mean().item()


def rate_at(step: int, steps: int, highest: float) -> float:
    """Linear warm-up, then half a cosine down to 0."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return highest * (step + 1) / warm
    return highest * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))


def train(job: Job) -> dict[str, Any]:
    """Trains, checks 25 times on the way, tests on every split.

    Returns:
        The job, `curve` of [step, loss in nats, accuracy] on fresh sequences of the training
        distribution, `accuracy` and `loss_nats` of each split, `cosines` of the embedding (None
        without synonyms), parameters, seconds of this process.
    """
    start = time.process_time()
    torch.set_num_threads(1)
    torch.manual_seed(job.seed)
    task = TASKS[job.task](job.seed)
    model = build(MEMBERS[job.member], task.vocabulary, job.size)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=job.rate, weight_decay=WEIGHT_DECAY)
    rng = np.random.default_rng([job.seed, 1])
    checked = task.draw("seen", CHECKED, np.random.default_rng([job.seed, 2]))
    curve: list[list[float]] = []
    every = max(1, job.steps // 25)
    for step in range(job.steps):
        optimizer.param_groups[0]["lr"] = rate_at(step, job.steps, job.rate)
        found = Answers(model, task.draw("seen", BATCH, rng))
        optimizer.zero_grad()
        (found.loss + found.balance).backward()
        nn.utils.clip_grad_norm_(trained, LARGEST_GRADIENT)
        optimizer.step()
        if (step + 1) % every == 0:
            curve.append([step + 1, *check(model, checked)])
    tested = test(model, task, job.seed)
    return {
        **asdict(job),
        "curve": curve,
        "accuracy": {split: accuracy for split, (_, accuracy) in tested.items()},
        "loss_nats": {split: loss for split, (loss, _) in tested.items()},
        "cosines": cosines(model, task) if isinstance(task, Recall) and task.forms > 1 else None,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(time.process_time() - start, 1),
    }


@torch.no_grad()
def check(model: nn.Module, found: Sequences) -> tuple[float, float]:
    """Loss [nats] and accuracy; the model is left in training mode, which changes nothing here."""
    said = Answers(model, found)
    return said.loss.item(), said.accuracy


def test(model: nn.Module, task: Task, seed: int) -> dict[str, tuple[float, float]]:
    """Loss and accuracy on fresh sequences of each split."""
    return {
        split: check(model, task.draw(split, TESTED, np.random.default_rng([seed, 3, number])))
        for number, split in enumerate(task.splits)
    }


@torch.no_grad()
def cosines(model: nn.Module, task: Recall) -> dict[str, float]:
    """How alike the embeddings are of two forms that never met in training, and of two concepts.

    Returns:
        `new_forms`: mean cosine over the held-out form pair of each concept; `others`: over all
        forms of all pairs of different concepts.
    """
    keys = model.model.get_input_embeddings().weight[: task.concepts * task.forms]
    alike = normalize(keys) @ normalize(keys).T
    concept = torch.arange(task.concepts)
    first, second = torch.from_numpy(task.new_forms[:, 0].T) + concept * task.forms
    of_key = torch.arange(len(keys)) // task.forms
    others = alike[of_key[:, None] != of_key]
    return {"new_forms": alike[first, second].mean().item(), "others": others.mean().item()}


def steps_to_solve(curve: list[list[float]]) -> int | None:
    """First checked step with accuracy of at least 0.9; None: never."""
    return next((int(step) for step, _, accuracy in curve if accuracy >= SOLVED), None)
