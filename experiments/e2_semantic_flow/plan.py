"""What is generated: models, prompts, sampling, law, seeds, most tokens. Fixed before any result.

plain    temperature 1                         P is the model's own law
warm     temperature 0.7, top-p 0.9            drawn under SamplingLaw; scored again under ModelLaw
low      temperature 0.3                       columns of the model's own laws
greedy   temperature 0                         columns of the model's own laws
"""

from collections.abc import Iterator
from dataclasses import dataclass

from flowgauge import Sampling
from flowgauge.live import SamplingLaw
from flowgauge.scores import ModelLaw

#: Texts in one batch and in one file.
BATCH = 8
#: A text's seed is this times its prompt's index, plus the number of its repetition.
SEED_STEP = 1000

SAMPLINGS = {
    "plain": Sampling(),
    "warm": Sampling(temperature=0.7, top_p=0.9),
    "low": Sampling(temperature=0.3),
    "greedy": Sampling(temperature=0.0),
}
WORDS = {
    "plain": "temperature 1",
    "warm": "temperature 0.7, top-p 0.9",
    "low": "temperature 0.3",
    "greedy": "greedy",
}
#: Low temperatures under the model's own laws: under SamplingLaw greedy P is a point mass.
LAWS: dict[str, SamplingLaw | ModelLaw] = {
    "plain": SamplingLaw(),
    "warm": SamplingLaw(),
    "low": ModelLaw(),
    "greedy": ModelLaw(),
}
#: Sampling under which loops are looked for.
COLD = ("low", "greedy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Texts of one kind.

    Attributes:
        model: Preset.
        sampling: Name in SAMPLINGS.
        prompts: "documents", "question" or "story".
        count: How many prompts.
        repetitions: Texts a prompt, each with its own seed.
        max_tokens: Most tokens of a text.
    """

    model: str
    sampling: str
    prompts: str
    count: int
    repetitions: int
    max_tokens: int

    @property
    def name(self) -> str:
        """Sampling and prompts."""
        return f"{self.sampling}-{self.prompts}"

    def texts(self) -> list[tuple[int, int]]:
        """(prompt index, repetition) of each text; repetitions of a prompt stand together."""
        return [(i, r) for i in range(self.count) for r in range(self.repetitions)]

    def batches(self) -> list[list[tuple[int, int]]]:
        """Texts in the batches they are drawn in."""
        every = self.texts()
        return [every[i : i + BATCH] for i in range(0, len(every), BATCH)]


#: (sampling, prompts): how many prompts, texts a prompt, most tokens.
Rows = dict[tuple[str, str], tuple[int, int, int]]

FULL: dict[str, Rows] = {
    "smollm2-135m": {
        ("greedy", "question"): (96, 1, 256),
        ("low", "question"): (8, 3, 256),
        ("plain", "documents"): (10, 3, 128),
        ("warm", "documents"): (10, 3, 128),
        ("greedy", "documents"): (24, 1, 256),
        ("low", "documents"): (8, 3, 256),
    },
    "gemma-3-270m": {
        ("greedy", "question"): (16, 1, 256),
        ("plain", "documents"): (10, 3, 128),
        ("warm", "documents"): (5, 3, 128),
        ("low", "question"): (5, 3, 256),
        ("plain", "question"): (8, 3, 128),
        ("greedy", "documents"): (32, 1, 256),
    },
    "stories-260k": {
        ("plain", "story"): (40, 3, 320),
        ("warm", "story"): (40, 3, 320),
        ("low", "story"): (40, 3, 320),
        ("greedy", "story"): (640, 1, 320),
    },
}
QUICK: dict[str, Rows] = {
    "stories-260k": {
        ("plain", "story"): (6, 3, 64),
        ("warm", "story"): (6, 3, 64),
        ("low", "story"): (8, 3, 160),
        ("greedy", "story"): (12, 1, 160),
    },
    "smollm2-135m": {
        ("plain", "question"): (4, 2, 24),
        ("warm", "question"): (4, 2, 24),
        ("greedy", "question"): (8, 1, 64),
    },
}


def conditions(quick: bool) -> list[Condition]:
    """Everything that is generated, model by model."""
    return [
        Condition(
            model=model, sampling=sampling, prompts=kind, count=n, repetitions=reps, max_tokens=most
        )
        for model, rows in (QUICK if quick else FULL).items()
        for (sampling, kind), (n, reps, most) in rows.items()
    ]


def interleaved(some: list[Condition]) -> Iterator[tuple[Condition, int]]:
    """(condition, batch) so that all conditions advance together: a killed run is even."""
    order = [
        ((b + 0.5) / len(c.batches()), n, b)
        for n, c in enumerate(some)
        for b in range(len(c.batches()))
    ]
    for _, n, b in sorted(order):
        yield some[n], b
