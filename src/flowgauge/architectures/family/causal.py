"""`FamilyForCausalLM`: any stack of mixers of the family as a causal model of transformers.

    u = embedding → Block → … → Block → norm → output matrix → logits of the next token

A position that the attention mask leaves out has no influence on any other: positions are counted
without it. So a batch padded on the left gives each row what it has alone.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers.utils import ModelOutput, can_return_tuple

from flowgauge.architectures.family.blocks import Block, first_weights, mixer_of
from flowgauge.architectures.family.cache import FamilyCache, Reading
from flowgauge.architectures.family.config import FamilyConfig
from flowgauge.architectures.moe import RouterLoad
from flowgauge.errors import SettingsError


@dataclass
class FamilyOutput(ModelOutput):
    """What the body puts out.

    Attributes:
        last_hidden_state: (batch, time, width) after the last norm.
        cache: What the next tokens need, or None.
        hidden_states: (batch, time, width) into each layer, and after the last norm; on request.
        loads: How each mixture of experts was loaded, first layer first; on request.
    """

    last_hidden_state: Tensor | None = None
    cache: FamilyCache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    loads: tuple[RouterLoad, ...] | None = None


@dataclass
class FamilyCausalOutput(ModelOutput):
    """What the model puts out.

    Attributes:
        loss: Mean surprisal of the labels [nats per token], in training with the balance loss.
        logits: (batch, time, vocab) of the law after each position.
        cache, hidden_states, loads: As in `FamilyOutput`.
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    cache: FamilyCache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    loads: tuple[RouterLoad, ...] | None = None


class FamilyPreTrainedModel(PreTrainedModel):
    """What the body and the models on it share."""

    config_class = FamilyConfig
    base_model_prefix = "model"
    _no_split_modules: ClassVar[list[str]] = ["Block"]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding | nn.RMSNorm):
            super()._init_weights(module)
        else:
            first_weights(module, self.config.num_hidden_layers)

    @classmethod
    def _can_set_attn_implementation(cls) -> bool:
        return False  # members have their own attention


class FamilyModel(FamilyPreTrainedModel):
    """The body: embedding, blocks, norm.

    Args:
        config: Sizes.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> body = FamilyModel(FamilyConfig(vocab_size=10, width=8, mixers=["mamba2"])).eval()
        >>> body(torch.arange(5)[None]).last_hidden_state.shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, config: FamilyConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(Block(config, mixer_of(config, name)) for name in config.mixers)
        self.norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        cache: FamilyCache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_load: bool = False,
    ) -> Any:
        """States of all positions.

        Args:
            input_ids: (batch, time) tokens; or `inputs_embeds` (batch, time, width).
            attention_mask: (batch, tokens in the cache + time), 0 where a position does not exist.
            position_ids: (batch, time); counted from the mask, others are refused.
            cache: What was read before, changed in place; None: nothing.
            inputs_embeds: u in place of tokens.
            use_cache: Whether to begin a cache where none came; None: outside training, as the
                config says.
            output_hidden_states: Whether to return what went into each layer.
            output_load: Whether to return how the experts were loaded.

        Returns:
            `FamilyOutput`; with return_dict=False the same as a tuple.

        Raises:
            SettingsError: Both or neither of tokens and u, or another kind of cache.
            ShapeError: The mask does not fit.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise SettingsError("exactly one of input_ids and inputs_embeds is needed")
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        if use_cache is None:
            use_cache = self.config.use_cache and not self.training
        if cache is None and use_cache:
            cache = FamilyCache(self.config)
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        reading = Reading.of(x, attention_mask, position_ids, cache)
        loads: list[RouterLoad] | None = [] if output_load else None
        states = []
        for number, layer in enumerate(self.layers):
            states += [x] if output_hidden_states else []
            x = layer(x, reading.mix(number), loads, reading.mask)
        x = self.norm(x)
        if cache is not None:
            cache.advance(x.shape[1])
        return FamilyOutput(
            last_hidden_state=x,
            cache=cache,
            hidden_states=(*states, x) if output_hidden_states else None,
            loads=None if loads is None else tuple(loads),
        )


class FamilyForCausalLM(FamilyPreTrainedModel, GenerationMixin):
    """The body and an output matrix: a causal language model that transformers trains and runs.

    Args:
        config: Sizes.

    References:
        Paper, Eq. 44; docs/paper_index.md, section 8.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = FamilyForCausalLM(FamilyConfig(vocab_size=10, width=8, mixers=["attention"]))
        >>> ids = torch.arange(6)[None]
        >>> bool(model(ids, labels=ids).loss > 0)
        True
    """

    _tied_weights_keys: ClassVar[dict[str, str]] = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: FamilyConfig) -> None:
        super().__init__(config)
        self.model = FamilyModel(config)
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        output_load: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Logits of all positions, and the loss where labels are given.

        Args:
            input_ids: (batch, time) tokens.
            attention_mask: (batch, tokens in the cache + time), 0 where a position does not exist.
            labels: (batch, time) the tokens themselves, −100 where none is to be learned; they are
                moved by one inside.
            logits_to_keep: How many last positions get logits, or which; 0: all.
            output_load: Whether to return how the experts were loaded.
            kwargs: What else `FamilyModel` takes, and `num_items_in_batch` for the loss.

        Returns:
            `FamilyCausalOutput`. In training its loss holds balance_weight times the mean balance
            loss of the routers; in evaluation it is the surprisal alone.
        """
        total = {k: kwargs.pop(k) for k in ("num_items_in_batch",) if k in kwargs}
        balances = self.training and labels is not None and self.config.experts > 1
        kwargs |= {"output_load": output_load or balances, "return_dict": True}
        body = self.model(input_ids, attention_mask, **kwargs)
        keep = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(body.last_hidden_state[:, keep])
        loss = None
        if labels is not None:
            loss = self.loss_function(
                logits=logits, labels=labels, vocab_size=self.config.vocab_size, **total
            )
        if balances:
            parts = torch.stack([load.balance_loss for load in body.loads])
            loss = loss + self.config.balance_weight * parts.mean()
        return FamilyCausalOutput(
            loss=loss,
            logits=logits,
            cache=body.cache,
            hidden_states=body.hidden_states,
            loads=body.loads if output_load else None,
        )

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # the body makes a FamilyCache itself


def register_family() -> None:
    """Let `AutoConfig` and `AutoModelForCausalLM` of transformers know the family.

    `flowgauge.models.load_model` does so itself.

    Example:
        >>> register_family()
        >>> model = AutoModelForCausalLM.from_config(FamilyConfig(width=8, mixers=["mamba"]))
        >>> type(model).__name__
        'FamilyForCausalLM'
    """
    AutoConfig.register(FamilyConfig.model_type, FamilyConfig, exist_ok=True)
    AutoModelForCausalLM.register(FamilyConfig, FamilyForCausalLM, exist_ok=True)
