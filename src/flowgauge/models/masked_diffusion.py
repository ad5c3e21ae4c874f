"""Masked diffusion behind a protocol: laws of hidden tokens given every visible one.

    ids    x_1  M  x_3  M           a row, some positions masked
    keep    0   1   0   1           the positions whose laws are wanted
    logits(ids, keep)               (2, vocab): laws of x_2 and of x_4 given x_1, x_3, not given
                                    each other

There is no next token, so this is no `LanguageModel`; text is tokenized and aligned alike.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt
import torch

from flowgauge.errors import ModelError
from flowgauge.models.wrapped import WrappedModel
from flowgauge.records import IntArray
from flowgauge.text.align import TextTokenizer

if TYPE_CHECKING:
    from flowgauge.architectures.family.diffusion import FamilyForMaskedDiffusion

BoolArray = npt.NDArray[np.bool_]


class MaskedLanguageModel(TextTokenizer, Protocol):
    """Laws of masked tokens, with a tokenizer."""

    @property
    def name(self) -> str:
        """As the user knows it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when a weight does."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """Number of real tokens, the mask not counted."""
        ...

    @property
    def mask_id(self) -> int:
        """The mask in `ids`; no token of a text."""
        ...

    @property
    def context_length(self) -> int | None:
        """Most tokens it reads, or None."""
        ...

    @property
    def has_chat_template(self) -> bool:
        """Whether `chat` can be called."""
        ...

    def chat(self, messages: list[dict[str, str]]) -> str:
        """Messages through the model's own chat template, ready for the reply."""
        ...

    def token_text(self, ids: Sequence[int]) -> list[str]:
        """Each id as readable text."""
        ...

    def detokenize(self, ids: Sequence[int]) -> str:
        """Ids as one text."""
        ...

    def logits(self, ids: IntArray, keep: BoolArray) -> "torch.Tensor":
        """Unnormalised log-laws (kept, vocab) of the kept positions, row after row.

        Args:
            ids: (row, time) tokens, `mask_id` where one is hidden.
            keep: (row, time) positions whose own token's law is wanted.
        """
        ...


class MaskedDiffusionModel(WrappedModel):
    """A trained `FamilyForMaskedDiffusion` and its tokenizer.

    Args:
        model: The model; put into evaluation mode.
        tokenizer: A fast tokenizer whose ids end before the mask.
        name: What results call it.

    Raises:
        ModelError: The tokenizer has no character offsets or too many tokens, or the logits are not
            finite.

    Example:
        >>> from flowgauge.architectures.family.diffusion import (
        ...     FamilyForMaskedDiffusion, MaskedDiffusionConfig)
        >>> from flowgauge.models import load_model
        >>> model = FamilyForMaskedDiffusion(MaskedDiffusionConfig(vocab_size=513, width=8))
        >>> lm = MaskedDiffusionModel(model, load_model("stories-260k")._tokenizer, "tiny")
        >>> ids = np.array([[1, 512, 512]])
        >>> lm.logits(ids, ids == lm.mask_id).shape
        torch.Size([2, 512])
    """

    #: With everything masked and nothing before it there is a law of each token.
    has_empty_context_law = True

    def __init__(self, model: "FamilyForMaskedDiffusion", tokenizer: Any, name: str) -> None:
        super().__init__(model, tokenizer, name)
        if len(tokenizer) > self.vocabulary_size:
            raise ModelError(
                f"the tokenizer of {name} has {len(tokenizer)} tokens, the model "
                f"{self.vocabulary_size} besides its mask; train it with vocab_size = "
                f"{len(tokenizer) + 1}"
            )
        probe = np.array([[0, self.mask_id, min(1, self.vocabulary_size - 1)]])
        if not bool(torch.isfinite(self.logits(probe, probe == self.mask_id)).all()):
            raise ModelError(
                f"{name} gives logits that are not finite on a row of 3 tokens; its weights are "
                "damaged or its precision is too low"
            )

    @property
    def vocabulary_size(self) -> int:
        """Number of real tokens, the mask not counted."""
        return int(self._model.config.vocab_size) - 1

    @property
    def mask_id(self) -> int:
        """The mask in `ids`."""
        return int(self._model.config.mask_token_id)

    def logits(self, ids: IntArray, keep: BoolArray) -> torch.Tensor:
        """Logits (kept, vocab) over the real tokens, row after row."""
        with torch.inference_mode():
            device = self._model.device
            states = self._model.model(torch.from_numpy(ids).to(device))
            kept: torch.Tensor = self._model.law_logits(states[torch.from_numpy(keep).to(device)])
            return kept

    def states(self, *_: Any) -> NoReturn:
        """Refused: there is no next token.

        Raises:
            ModelError: Always; says which doors read this model.
        """
        raise ModelError(
            f"{self.name} is a masked-diffusion model: it has laws of hidden tokens, but none of "
            "the next one, which this needs; flowgauge.pipeline.unmasking_flow measures with it, "
            "flowgauge.scores.draw_unmasked writes with it"
        )

    decoder = generate = states
