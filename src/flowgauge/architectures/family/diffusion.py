"""`FamilyForMaskedDiffusion`: the family without an order of positions, trained to fill in masks.

    here           source (Nie 2025)                   meaning
    input_ids      r_0                                 the row as it was written
    t              t, uniform on (0, 1]                share of the response that is masked
    masked         positions of M in r_t               each response token with probability t
    loss           Eq. 5; Eq. 3 without a prompt       (1/t) Σ_masked −log p(r_i | visible)

What comes out at position i is the law of token i itself given every visible position, not of the
next one. The mask is the last id and has probability 0, so a law is proper over the others.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad
from transformers.utils import ModelOutput

from flowgauge.architectures.attention import AttentionConfig
from flowgauge.architectures.bidirectional import BidirectionalAttention
from flowgauge.architectures.family.blocks import Block
from flowgauge.architectures.family.causal import FamilyPreTrainedModel
from flowgauge.architectures.family.config import FamilyConfig
from flowgauge.architectures.rotary import Rotary
from flowgauge.errors import SettingsError, ShapeError

#: Label of a position that is never masked and never learned: prompt and padding.
NOT_LEARNED = -100


class MaskedDiffusionConfig(FamilyConfig):
    """Settings of `FamilyForMaskedDiffusion`; those of `FamilyConfig`, and the mask.

    Args:
        mask_token_id: Id of the mask, the last one; by default vocab_size − 1. A vocabulary of V
            tokens therefore needs vocab_size = V + 1.

    Raises:
        SettingsError: A mixer other than attention, a window, or another id of the mask.

    Example:
        >>> MaskedDiffusionConfig(vocab_size=11).mask_token_id
        10
        >>> MaskedDiffusionConfig(mixers=["mamba"])
        Traceback (most recent call last):
        flowgauge.errors.SettingsError: mixers is ['mamba']; masked diffusion has no order of
        positions, so every mixer must be "attention"
    """

    model_type = "flowgauge_masked_diffusion"

    mask_token_id: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        if self.mask_token_id is None:
            self.mask_token_id = self.vocab_size - 1
        if set(self.mixers) != {"attention"}:
            raise SettingsError(
                f"mixers is {self.mixers}; masked diffusion has no order of positions, so every "
                'mixer must be "attention"'
            )
        if self.window is not None:
            raise SettingsError(f"window is {self.window}; masked diffusion needs None")
        if self.vocab_size < 2 or self.mask_token_id != self.vocab_size - 1:
            raise SettingsError(
                f"mask_token_id is {self.mask_token_id} with vocab_size {self.vocab_size}; the "
                "last id, after at least one real token, was needed"
            )


@dataclass
class MaskedDiffusionOutput(ModelOutput):
    """What the model puts out.

    Attributes:
        loss: Where labels were given: unbiased estimate of the bound on −log p [nats per token].
        logits: Where no labels were given: (batch, time, vocab) of the law of each position's own
            token, −inf at the mask.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None


class BidirectionalFamilyModel(FamilyPreTrainedModel):
    """The body: embedding, blocks of bidirectional attention, norm.

    Args:
        config: Sizes.
    """

    config_class = MaskedDiffusionConfig

    def __init__(self, config: MaskedDiffusionConfig) -> None:
        super().__init__(config)
        rotary = None if config.rotary_base is None else Rotary(base=config.rotary_base)
        sizes = AttentionConfig(
            width=config.width, heads=config.heads, kv_heads=config.kv_heads, rotary=rotary
        )
        self.embed_tokens = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(
            Block(config, BidirectionalAttention(sizes)) for _ in config.mixers
        )
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.post_init()

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """States (batch, time, width) of all positions.

        Args:
            input_ids: (batch, time) tokens, the mask among them.
            attention_mask: (batch, time) 0 where there is padding; None: nowhere.
        """
        present = None if attention_mask is None else attention_mask.bool()
        x = self.embed_tokens(input_ids)
        for layer in self.layers:
            x = layer(x, lambda mixer, u: mixer(u, present), mask=present)
        return self.norm(x)


class FamilyForMaskedDiffusion(FamilyPreTrainedModel):
    """The body and an output matrix: a masked-diffusion model that transformers trains and saves.

    It has no next-token law, so transformers' `generate` does not take it: texts are drawn by
    `flowgauge.scores.draw_unmasked`; `load_model` wraps it as a `MaskedDiffusionModel`.

    Args:
        config: Sizes.

    References:
        [nie:25], Eq. 3 and 5; docs/paper_index.md, section 8.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> config = MaskedDiffusionConfig(vocab_size=10, width=8, mixers=["attention"])
        >>> model = FamilyForMaskedDiffusion(config)
        >>> model(torch.tensor([[1, 9, 3]])).logits.exp()[0, :, 9].tolist()
        [0.0, 0.0, 0.0]
    """

    config_class = MaskedDiffusionConfig
    _tied_weights_keys: ClassVar[dict[str, str]] = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: MaskedDiffusionConfig) -> None:
        super().__init__(config)
        self.model = BidirectionalFamilyModel(config)
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
    ) -> Any:
        """Logits of every position's own token; with labels the training loss instead.

        Args:
            input_ids: (batch, time) tokens; where labels are given none of them is masked yet.
            attention_mask: (batch, time) 0 where there is padding; None: nowhere.
            labels: (batch, time) the tokens themselves, not moved; −100 for prompt and padding,
                which stay visible. Each row draws its share t and its mask from torch's random
                numbers, in evaluation too.
            return_dict: False gives a tuple.

        Returns:
            `MaskedDiffusionOutput`.

        Raises:
            ShapeError: Labels of another shape, or without a token to learn.
        """
        if labels is None:
            logits = self.law_logits(self.model(input_ids, attention_mask))
            out = MaskedDiffusionOutput(logits=pad(logits, (0, 1), value=-torch.inf))
        else:
            out = MaskedDiffusionOutput(loss=self._loss(input_ids, attention_mask, labels))
        return out.to_tuple() if return_dict is False else out

    def law_logits(self, states: Tensor) -> Tensor:
        """Logits (..., vocab − 1) over the real tokens of states (..., width)."""
        return self.lm_head(states)[..., :-1]

    def _loss(self, ids: Tensor, attention_mask: Tensor | None, labels: Tensor) -> Tensor:
        learned = labels != NOT_LEARNED
        if labels.shape != ids.shape or not bool(learned.any()):
            raise ShapeError(
                f"labels have shape {tuple(labels.shape)} and {int(learned.sum())} tokens to "
                f"learn; {tuple(ids.shape)} with at least one label other than −100 was needed"
            )
        t = shares(len(ids), ids.device)
        masked = learned & (torch.rand(ids.shape, device=ids.device) < t[:, None])
        noisy = ids.masked_fill(masked, self.config.mask_token_id)
        states = self.model(noisy, attention_mask)[masked]
        surprisal = cross_entropy(self.law_logits(states), labels[masked], reduction="none")
        weights = (1.0 / t)[:, None].expand(ids.shape)[masked]
        return (weights * surprisal).sum() / learned.sum()


def shares(rows: int, device: torch.device | None = None) -> Tensor:
    """T of each row, uniform on (0, 1]: (rows,). One random shift and equal distances between rows.

    Each is uniform by itself; spread over the batch they give the loss less variance.

    Example:
        >>> t = shares(4).sort().values
        >>> bool((t > 0).all()), t.diff().round(decimals=4).tolist()
        (True, [0.25, 0.25, 0.25])
    """
    even = torch.arange(rows, device=device) / rows
    return 1.0 - (torch.rand(1, device=device) + even) % 1.0
