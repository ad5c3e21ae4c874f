"""What every model of the transformers library has behind a protocol of ours: weights and text.

Next-token models (`huggingface.py`) and masked diffusion (`masked_diffusion.py`) share it.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from flowgauge.errors import AlignmentError, ModelError, RecordError
from flowgauge.text.align import Encoding


class WrappedModel:
    """A module and its fast tokenizer under one name; says nothing of any law.

    Args:
        model: Any `PreTrainedModel`; put into evaluation mode.
        tokenizer: Its fast tokenizer (character offsets are needed).
        name: What results call it.

    Raises:
        ModelError: The tokenizer has no character offsets.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise ModelError(
                f"the tokenizer of {name} is {type(tokenizer).__name__}, which gives no character "
                "offsets; a fast tokenizer (tokenizer.json) is needed"
            )
        self.name = name
        self._model = model.eval()
        self._tokenizer = tokenizer
        self.bos_id: int | None = tokenizer.bos_token_id
        first = tokenizer("a", add_special_tokens=True).input_ids[:1]
        self.adds_bos = self.bos_id is not None and first == [self.bos_id]

    # -- what it is ----------------------------------------------------------------------------

    @property
    def precision(self) -> str:
        """Number format of the weights."""
        return str(next(self._model.parameters()).dtype).removeprefix("torch.")

    @property
    def context_length(self) -> int | None:
        """Most tokens it reads, by its configuration."""
        length = getattr(self._model.config, "max_position_embeddings", None)
        return int(length) if length else None

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the names, shapes and bytes of the weights."""
        digest = hashlib.sha256()
        for key, value in sorted(self._model.state_dict(keep_vars=False).items()):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
            flat = value.detach().cpu().contiguous().view(torch.uint8).reshape(-1)
            digest.update(memoryview(flat.numpy()))
        return digest.hexdigest()[:32]

    @cached_property
    def tokenizer_fingerprint(self) -> str:
        """SHA-256 over the tokenizer's own serialisation and its chat template."""
        text = self._tokenizer.backend_tokenizer.to_str() + (self._tokenizer.chat_template or "")
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    # -- text ----------------------------------------------------------------------------------

    def tokenize(self, text: str) -> Encoding:
        """Ids and character offsets of `text` as it stands; no token is added."""
        out = self._tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ids = np.asarray(out["input_ids"], dtype=np.int64)
        offsets = np.asarray(out["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        if len(offsets) and int(offsets.max()) > len(text):
            raise AlignmentError(
                f"the tokenizer of {self.name} gives offsets up to {int(offsets.max())} for a "
                f"text of {len(text)} characters"
            )
        return Encoding(ids, offsets)

    @property
    def has_chat_template(self) -> bool:
        """Whether the tokenizer carries one."""
        return bool(self._tokenizer.chat_template)

    def chat(self, messages: list[dict[str, str]]) -> str:
        """Messages through the chat template, with the prompt for the reply.

        Raises:
            RecordError: The template refuses these messages (roles, order).
        """
        import jinja2

        try:
            return str(
                self._tokenizer.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True
                )
            )
        except (jinja2.TemplateError, ValueError) as error:
            roles = ", ".join(m["role"] for m in messages)
            raise RecordError(
                f"the chat template of {self.name} refuses messages with the roles {roles}: {error}"
            ) from error

    def detokenize(self, ids: Sequence[int]) -> str:
        """Ids as one text; replacement marks where a character is not complete."""
        return str(
            self._tokenizer.decode([int(i) for i in ids], clean_up_tokenization_spaces=False)
        )

    def token_text(self, ids: Sequence[int]) -> list[str]:
        """Each id as text; several ids of one character give replacement marks."""
        return [self._tokenizer.decode([int(i)]) for i in ids]
