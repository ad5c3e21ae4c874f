"""Copying, associative recall, semantic recall: sequences of tokens in which some are answers.

    copying      t1 … tn SEP t1 … tn               every token after SEP is an answer
    recall       k1 v1 … kD vD q1 a1 … qD aD       each q is one of the k, its v is the answer
    semantic     the same, but a concept has several surface tokens: k is one of them, q another

Recall with one form a concept is plain associative recall, so both are one class. Which
combinations are held out is drawn with the task: two tasks of one seed are the same world.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """Sequences of one length.

    Attributes:
        tokens: (count, time).
        answers: (time,) True where a token is to be told from those before it.
    """

    tokens: Tokens
    answers: npt.NDArray[np.bool_]


class Task(ABC):
    """Where sequences are drawn from.

    Attributes:
        name: As it stands in tables.
        vocabulary: Number of tokens.
        guess: Accuracy of an answer drawn from what the sequence shows, without any match.
    """

    name: str
    vocabulary: int
    guess: float

    @abstractmethod
    def draw(self, split: str, count: int, rng: np.random.Generator) -> Sequences:
        """Sequences of a split; "seen" is what is trained on, the others are in `splits`."""

    @property
    @abstractmethod
    def splits(self) -> Mapping[str, str]:
        """Name of each test split, and what it is in words."""


class Copying(Task):
    """A prefix of independent uniform letters, a separator, the prefix again.

    Args:
        letters: Number of letters.
        length: Letters of a prefix in training.
    """

    name = "copying"

    def __init__(self, *, letters: int, length: int) -> None:
        self.letters, self.length = letters, length
        self.vocabulary = letters + 1
        self.guess = 1 / length

    @property
    def splits(self) -> Mapping[str, str]:
        """New prefixes, as long and twice as long."""
        return {"seen": "new prefixes", "longer": "prefixes twice as long"}

    def draw(self, split: str, count: int, rng: np.random.Generator) -> Sequences:
        """Any two sequences are independent, so no prefix needs to be held out."""
        length = self.length * (2 if split == "longer" else 1)
        prefix = rng.integers(self.letters, size=(count, length))
        separator = np.full((count, 1), self.letters)
        tokens = np.concatenate((prefix, separator, prefix), axis=1)
        return Sequences(tokens=tokens, answers=np.arange(2 * length + 1) > length)


class Recall(Task):
    """Pairs of a concept and a value; later each concept is asked for, in another order.

    Of each concept's values a quarter is held out of training. With several forms, pair and query
    use different ones, and one of the form pairs of each concept is held out, in both orders: the
    others still tie all its forms together.

    Args:
        concepts: Number of concepts.
        forms: Surface tokens of a concept, at least 3; or 1: the query repeats the pair's token.
        values: Number of values, a multiple of 4.
        pairs: Pairs in a training sequence, at most half the concepts.
        seed: Of what is held out.
    """

    def __init__(self, *, concepts: int, forms: int, values: int, pairs: int, seed: int) -> None:
        self.concepts, self.forms, self.values, self.pairs = concepts, forms, values, pairs
        self.name = "recall" if forms == 1 else "semantic"
        self.vocabulary = concepts * forms + values
        # The n-th query can at best leave out the n − 1 values that were given before.
        self.guess = float(np.mean(1 / np.arange(1, pairs + 1)))
        rng = np.random.default_rng([seed, concepts, forms, values])
        shuffled = rng.permuted(np.tile(np.arange(values), (concepts, 1)), axis=1)
        self.new_values, self.seen_values = np.split(shuffled, [values // 4], axis=1)
        every = [(i, j) for i in range(forms) for j in range(i)] or [(0, 0)]
        order = rng.permuted(np.tile(np.arange(len(every)), (concepts, 1)), axis=1)
        held_out = 1 if forms > 1 else 0
        self.new_forms, self.seen_forms = np.split(np.array(every)[order], [held_out], axis=1)

    @property
    def splits(self) -> Mapping[str, str]:
        """What is new, one thing at a time."""
        words = {
            "seen": "new sequences of trained combinations",
            "new values": "concept and value never stood together in training",
            "longer": "twice as many pairs",
        }
        if self.forms > 1:
            words["new forms"] = "written form and asked form never met in training"
            words["same form"] = "asked in the very form that was written, never so in training"
        return words

    def draw(self, split: str, count: int, rng: np.random.Generator) -> Sequences:
        """Concepts of a sequence are distinct; values may repeat."""
        pairs = self.pairs * (2 if split == "longer" else 1)
        shape = (count, pairs)
        concept = rng.permuted(np.tile(np.arange(self.concepts), (count, 1)), axis=1)[:, :pairs]
        allowed = self.new_values if split == "new values" else self.seen_values
        value = allowed[concept, rng.integers(allowed.shape[1], size=shape)]
        couples = self.new_forms if split == "new forms" else self.seen_forms
        couple = couples[concept, rng.integers(couples.shape[1], size=shape)]
        couple = rng.permuted(couple, axis=-1)
        written, asked = couple[..., 0], couple[..., 0 if split == "same form" else 1]
        order = rng.permuted(np.tile(np.arange(pairs), (count, 1)), axis=1)
        key = concept * self.forms + written
        query = np.take_along_axis(concept * self.forms + asked, order, axis=1)
        told = value + self.concepts * self.forms
        answer = np.take_along_axis(told, order, axis=1)
        shown = np.stack((key, told, query, answer), axis=-1)
        tokens = np.concatenate(
            (shown[..., :2].reshape(count, -1), shown[..., 2:].reshape(count, -1)), axis=1
        )
        place = np.arange(4 * pairs)
        return Sequences(tokens=tokens, answers=(place >= 2 * pairs) & (place % 2 == 1))


def copying(seed: int) -> Task:
    """11 letters of 32, a separator, the 11 again: 23 tokens. No world to draw."""
    del seed
    return Copying(letters=32, length=11)


def recall(seed: int) -> Task:
    """12 keys, 16 values, 6 pairs: 24 tokens."""
    return Recall(concepts=12, forms=1, values=16, pairs=6, seed=seed)


def semantic(seed: int) -> Task:
    """The same with 4 surface forms for each of the 12 concepts."""
    return Recall(concepts=12, forms=4, values=16, pairs=6, seed=seed)


TASKS = {"copying": copying, "recall": recall, "semantic": semantic}
