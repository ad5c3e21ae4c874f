"""A masked-diffusion model that is a table: exact laws of any hidden token given any visible ones.

The same tables as `TabularModel`, read without an order: letters are tokens, a digit in the prompt
is the source, and the response has as many tokens as the table has axes. Its laws are those of one
joint law, so every order of unmasking gives a text the same probability; a trained model's do not.
"""

from collections.abc import Sequence

import numpy as np
import torch

from flowgauge.errors import RecordError, ShapeError
from flowgauge.models.masked_diffusion import BoolArray
from flowgauge.models.tabular import TabularModel
from flowgauge.records import FloatArray, IntArray
from flowgauge.text.align import Encoding


class TabularMaskedDiffusion:
    """Exact laws of masked tokens from the joint table of each source.

    Args:
        table: (source, vocab, …, vocab) probabilities P(u_1 … u_N | s), each source summing to 1.
        prior: (source,) law of the source; uniform by default.
        memory: (vocab, …, vocab) law of texts without a source; by default the exact marginal.

    Attributes:
        world: The same tables read from left to right.

    Raises:
        DistributionError: A table is no probability table.
        ShapeError: The axes do not fit.

    Example:
        >>> model = TabularMaskedDiffusion(np.array([[[0.4, 0.1], [0.1, 0.4]]]))
        >>> ids = np.array([[model.mask_id, 1]])
        >>> model.logits(ids, ids == model.mask_id).exp().round(decimals=3).tolist()
        [[0.2, 0.8]]
    """

    bos_id: int | None = None
    adds_bos = False
    has_empty_context_law = True
    has_chat_template = False
    context_length: int | None = None
    name = "masked table"

    def __init__(
        self, table: FloatArray, prior: FloatArray | None = None, memory: FloatArray | None = None
    ) -> None:
        self.world = TabularModel(table, prior, memory)
        table = np.asarray(table, dtype=np.float64)
        marginal = np.tensordot(self.world.prior, table, axes=1) if memory is None else memory
        self._laws = [*table, np.asarray(marginal, dtype=np.float64)]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tables."""
        return self.world.fingerprint

    @property
    def vocabulary_size(self) -> int:
        """Number of letters."""
        return self.world.vocabulary_size

    @property
    def mask_id(self) -> int:
        """The first id after letters and digits."""
        return self.vocabulary_size + self.world.sources

    def joint(self, source: int | None) -> FloatArray:
        """(vocab, …, vocab) law of the whole text; `source=None` is the model's memory."""
        return self._laws[-1 if source is None else source]

    def tokenize(self, text: str) -> Encoding:
        """One token a known letter or digit."""
        return self.world.tokenize(text)

    def token_text(self, ids: Sequence[int]) -> list[str]:
        """Letters, and digits for sources."""
        return self.world.token_text(ids)

    def detokenize(self, ids: Sequence[int]) -> str:
        """Letters."""
        return self.world.detokenize(ids)

    def chat(self, messages: list[dict[str, str]]) -> str:
        """There is no chat template."""
        return self.world.chat(messages)

    def logits(self, ids: IntArray, keep: BoolArray) -> torch.Tensor:
        """Log-laws (kept, vocab) of the kept positions, float64, row after row.

        Raises:
            ShapeError: A row is shorter than the table's text, or a kept position is not in it.
            RecordError: The visible tokens have probability 0 together.
        """
        steps = self.world.steps
        if ids.shape != keep.shape or ids.shape[1] < steps or keep[:, :-steps].any():
            raise ShapeError(
                f"ids {ids.shape} and keep {keep.shape} came, kept positions among the last "
                f"{steps} of each row were needed: the text of this table"
            )
        out = [
            self._law(row[:-steps], row[-steps:], int(place))
            for row, wanted in zip(ids, keep, strict=True)
            for place in np.flatnonzero(wanted[-steps:])
        ]
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(np.array(out).reshape(-1, self.vocabulary_size)))

    def _law(self, prompt: IntArray, text: IntArray, place: int) -> FloatArray:
        digits = prompt[prompt >= self.vocabulary_size]
        table = self.joint(int(digits[-1]) - self.vocabulary_size if len(digits) else None)
        visible = [slice(None) if i == self.mask_id else slice(i, i + 1) for i in text.tolist()]
        rest = table[tuple(visible)]
        others = tuple(axis for axis in range(rest.ndim) if axis != place)
        mass = rest.sum(axis=others)
        if len(mass) == 1:  # the token itself is visible, so it is certain
            return np.eye(self.vocabulary_size)[int(text[place])]
        if not mass.sum() > 0:
            raise RecordError(f"the visible tokens of {text.tolist()} cannot occur together")
        return mass / mass.sum()
