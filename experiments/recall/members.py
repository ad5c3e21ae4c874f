"""The models that are compared: members of the family of one width and one parameter count.

Every one reads its tokens through the same short convolution (as Mamba does inside its mixer), so
that a value knows the key before it: what is compared is how a query finds its match, not who
learns first to look one place back.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from flowgauge.architectures import Attention
from flowgauge.architectures.family import (
    FamilyConfig,
    FamilyForCausalLM,
    matched,
    parameter_count,
)

TAPS = 4
HEADS = 2
#: Numbers a layer remembers are then alike: linear attention 2,112, Mamba and Mamba-2 2,048.
STATE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What all members of a comparison share.

    Attributes:
        width: Length of one u_j.
        feed_forward: Length inside the feed-forward block of the Transformer, whose number of
            parameters is the others' too.
    """

    width: int = 64
    feed_forward: int = 128


class Member(NamedTuple):
    """One row of the tables.

    Attributes:
        words: As it stands in tables.
        mixer: Of every layer.
        layers: Number of layers.
        identity: How many of them, the last ones, have the identity in place of a learnt B.
        experts: Of every feed-forward block.
        is_tied: Whether the output matrix is the embedding.
        is_frozen: Whether the embedding stays as it was drawn.
    """

    words: str
    mixer: str = "attention"
    layers: int = 2
    identity: int = 0
    experts: int = 1
    is_tied: bool = True
    is_frozen: bool = False


#: The comparison of architectures.
FAMILY = {
    "transformer": Member("Transformer"),
    "identity_last": Member("Transformer, B = 1 in the last layer", identity=1),
    "identity": Member("Transformer, B = 1 in both layers", identity=2),
    "moe": Member("Transformer with 4 experts", experts=4),
    "linear_attention": Member("linear attention", "linear_attention"),
    "mamba": Member("Mamba", "mamba"),
    "mamba2": Member("Mamba-2", "mamba2"),
}
#: One layer of attention, so that nothing stands between the tokens and the bilinear form.
ONE_LAYER = {
    "one": Member("learnt B, learnt embedding", layers=1, is_tied=False),
    "one_identity": Member("B = 1, learnt embedding", layers=1, identity=1, is_tied=False),
    "one_frozen": Member("learnt B, random embedding", layers=1, is_tied=False, is_frozen=True),
    "one_frozen_identity": Member(
        "B = 1, random embedding", layers=1, identity=1, is_tied=False, is_frozen=True
    ),
}
MEMBERS = FAMILY | ONE_LAYER


class Answerer(nn.Module):
    """A causal model behind a short convolution: tokens to logits at some positions.

    Args:
        model: The member.
    """

    def __init__(self, model: FamilyForCausalLM) -> None:
        super().__init__()
        self.model = model
        width = model.config.width
        self.convolution = nn.Conv1d(width, width, TAPS, groups=width, padding=TAPS - 1, bias=False)

    def forward(self, tokens: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (batch, positions, vocabulary), and what the balance of experts costs."""
        u = self.model.get_input_embeddings()(tokens)
        u = u + self.convolution(u.mT)[..., : u.shape[1]].mT
        config = self.model.config
        found = self.model(
            inputs_embeds=u,
            logits_to_keep=positions,
            output_load=config.experts > 1,
            use_cache=False,
        )
        if not found.loads:
            return found.logits, found.logits.new_zeros(())
        balance = torch.stack([load.balance_loss for load in found.loads]).mean()
        return found.logits, config.balance_weight * balance


def config_of(member: Member, vocabulary: int, size: Size) -> FamilyConfig:
    """Sizes of a member with as many parameters as the Transformer of its depth has.

    Two maps fewer in each layer with B = 1 are made up for in the feed-forward block.
    """
    shared = {
        "vocab_size": vocabulary,
        "width": size.width,
        "heads": HEADS,
        "tie_word_embeddings": member.is_tied,
    }
    transformer = FamilyConfig(
        **shared, mixers=["attention"] * member.layers, feed_forward=size.feed_forward
    )
    config = FamilyConfig(
        **shared,
        mixers=[member.mixer] * member.layers,
        feed_forward=size.feed_forward // member.experts,
        experts=member.experts,
        state_size=STATE,
    )
    removed = 2 * size.width**2 * member.identity
    return matched(config, parameter_count(transformer) + removed)


def build(member: Member, vocabulary: int, size: Size) -> Answerer:
    """A member with first weights, drawn from torch's own random numbers."""
    model = FamilyForCausalLM(config_of(member, vocabulary, size))
    layers = model.model.layers
    for layer in layers[len(layers) - member.identity :]:
        fix_to_identity(layer.mixer)
    model.get_input_embeddings().requires_grad_(not member.is_frozen)
    return Answerer(model)


def fix_to_identity(attention: Attention) -> None:
    """Queries and keys of a head become its slice of u itself: B_h is 1 on that slice, 0 beside."""
    attention.q_proj = attention.k_proj = nn.Identity()
