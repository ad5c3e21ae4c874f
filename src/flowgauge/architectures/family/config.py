"""Settings of a trainable model of the family: which mixers stand on each other, and how large.

here          transformers               meaning
width         hidden_size                length of one u_j
mixers        num_hidden_layers of them  one name a layer, first to last
heads         num_attention_heads        query heads of both attentions
head_width    head_dim of Mamba-2        channels that share a decay
feed_forward  intermediate_size          length inside Ψ; 0: Ψ is the residual alone, as in Mamba
experts       num_local_experts          1: one feed-forward block; more: a mixture
"""

from dataclasses import field
from typing import Any, ClassVar

from transformers import PreTrainedConfig

from flowgauge.errors import SettingsError

#: Names that a layer's mixer may have.
MIXERS = ("attention", "linear_attention", "mamba", "mamba2")


class FamilyConfig(PreTrainedConfig):
    """Settings of `FamilyForCausalLM`. They say nothing of how it is trained.

    Args:
        vocab_size: Number of tokens.
        width: Length of one u_j.
        mixers: A name a layer: "attention", "linear_attention", "mamba" or "mamba2".
        heads: Query heads of an attention; divide the width.
        kv_heads: Key and value heads of softmax attention; None: as many as query heads.
        window: Positions that softmax attention sees, one's own included; None: all.
        rotary_base: Base of the rotary positions of softmax attention; None: no positions.
        feed_forward: Length inside a feed-forward block, or inside one expert; 0: no such block.
        experts: Experts of a feed-forward block; 1: no mixture.
        experts_per_token: Experts that answer for one position, where there are several.
        balance_weight: What the router's balance loss counts in training.
        state_size: Numbers that a channel of Mamba or Mamba-2 remembers.
        head_width: Channels of a head of Mamba-2; divides expand · width.
        expand: Inner channels of Mamba and Mamba-2 for each of the width.
        norm_eps: Added to the mean square in every norm.
        tie_word_embeddings: Whether the output matrix is the embedding.
        use_cache: Whether a pass outside training keeps what the next tokens need.
        initializer_range: Standard deviation of the first embeddings.
        bos_token_id, eos_token_id, pad_token_id: Special tokens, as transformers has them.

    Raises:
        SettingsError: An unknown mixer, a size below 1, or sizes that do not divide.

    Example:
        >>> config = FamilyConfig(vocab_size=100, width=32, mixers=["mamba2", "attention"])
        >>> config.num_hidden_layers, config.hidden_size
        (2, 32)
        >>> FamilyConfig(mixers=["perceiver"])
        Traceback (most recent call last):
        flowgauge.errors.SettingsError: mixers holds 'perceiver'; known are attention,
        linear_attention, mamba, mamba2
    """

    model_type = "flowgauge_family"
    attribute_map: ClassVar[dict[str, str]] = {
        "hidden_size": "width",
        "num_attention_heads": "heads",
        "num_key_value_heads": "kv_heads",
        "intermediate_size": "feed_forward",
    }
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["cache", "loads"]

    vocab_size: int = 512
    width: int = 64
    mixers: list[str] = field(default_factory=lambda: ["attention", "attention"])
    heads: int = 4
    kv_heads: int | None = None
    window: int | None = None
    rotary_base: float | None = 10_000.0
    feed_forward: int = 128
    experts: int = 1
    experts_per_token: int = 2
    balance_weight: float = 0.01
    state_size: int = 16
    head_width: int = 16
    expand: int = 2
    norm_eps: float = 1e-5
    tie_word_embeddings: bool = True
    use_cache: bool = True
    initializer_range: float = 0.02
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        if "top_k" in kwargs:  # transformers would take it for a setting of generate, and drop it
            raise SettingsError("top_k is a setting of generate; experts_per_token was needed")
        self.mixers = list(self.mixers)
        self._check_names()
        self._check_sizes()
        super().__post_init__(**kwargs)

    @property
    def num_hidden_layers(self) -> int:
        """Number of layers: one for each mixer."""
        return len(self.mixers)

    def _check_names(self) -> None:
        unknown = [name for name in self.mixers if name not in MIXERS]
        if unknown or not self.mixers:
            found = f"holds {unknown[0]!r}" if unknown else "is empty"
            raise SettingsError(f"mixers {found}; known are {', '.join(MIXERS)}")

    def _check_sizes(self) -> None:
        for name in (
            "vocab_size", "width", "heads", "kv_heads", "window", "experts", "state_size",
            "head_width", "expand",
        ):  # fmt: skip
            size = getattr(self, name)
            if size is not None and size < 1:
                raise SettingsError(f"{name} is {size}, at least 1 was needed")
        if self.feed_forward < 0 or (self.experts > 1 and not self.feed_forward):
            raise SettingsError(
                f"feed_forward is {self.feed_forward} with {self.experts} experts; 0 (no block) or "
                "more was needed, and at least 1 with several experts"
            )
        if self.experts > 1 and not 1 <= self.experts_per_token <= self.experts:
            raise SettingsError(
                f"experts_per_token = {self.experts_per_token} of experts = {self.experts}; 1 ≤ "
                "experts_per_token ≤ experts is needed"
            )
        if "mamba2" in self.mixers and self.expand * self.width % self.head_width:
            raise SettingsError(
                f"expand · width is {self.expand * self.width}, head_width {self.head_width}; a "
                "head_width that divides it was needed"
            )
        if {"attention", "linear_attention"} & set(self.mixers):
            self._check_heads()

    def _check_heads(self) -> None:
        if self.width % self.heads:
            raise SettingsError(
                f"width = {self.width} is no multiple of heads = {self.heads}; choose another "
                "number of heads"
            )
        if "attention" not in self.mixers:
            return
        if self.kv_heads is not None and self.heads % self.kv_heads:
            raise SettingsError(
                f"heads = {self.heads} is no multiple of kv_heads = {self.kv_heads}"
            )
        if self.rotary_base is not None and self.width // self.heads % 2:
            raise SettingsError(
                f"rotary positions turn pairs; width / heads = {self.width // self.heads} is odd"
            )
