"""From the last hidden state to the model's own logits, soft caps and scales included.

A head is only used when it reproduces the model's logits on a probe; see `find_head`.
"""

from collections.abc import Callable
from typing import Any

import torch

from flowgauge.errors import ModelError
from flowgauge.models.narrow import is_narrow, narrow_linear


class Head:
    """Output embedding, then what the family does to the logits.

    Args:
        embedding: Linear layer (width → vocab), tied or not.
        finish: Changes the logits in place and returns them.
        name: For messages.
    """

    def __init__(
        self, embedding: Any, finish: Callable[[torch.Tensor], torch.Tensor], name: str
    ) -> None:
        self.name = name
        self._embedding = embedding
        self._finish = finish

    def __call__(self, states: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (rows, vocab) of states (rows, width); written to `out` where that is possible."""
        plain = type(self._embedding) is torch.nn.Linear and self._embedding.bias is None
        if plain and is_narrow(states, self._embedding.weight):
            return self._finish(narrow_linear(states, self._embedding.weight))
        if out is None or not plain or out.dtype != states.dtype:
            return self._finish(self._embedding(states))
        return self._finish(torch.mm(states, self._embedding.weight.t(), out=out))


def _candidates(config: Any) -> list[tuple[str, Callable[[torch.Tensor], torch.Tensor]]]:
    found: list[tuple[str, Callable[[torch.Tensor], torch.Tensor]]] = [("plain", lambda x: x)]
    cap = getattr(config, "final_logit_softcapping", None)
    if cap:  # Gemma 2
        found.insert(0, ("soft cap", lambda x: x.div_(cap).tanh_().mul_(cap)))
    scale = getattr(config, "logit_scale", None)
    if scale:  # Cohere
        found.insert(0, ("scaled", lambda x: x.mul_(scale)))
    scaling = getattr(config, "logits_scaling", None)
    if scaling:  # Granite
        found.insert(0, ("divided", lambda x: x.div_(scaling)))
    return found


def find_head(model: Any, probe: torch.Tensor) -> Head | None:
    """The head that reproduces the model's own logits on `probe` (1, time), or None.

    Raises:
        ModelError: The model's logits are not finite.
    """
    own = model(input_ids=probe, use_cache=False).logits[0].float()
    if not bool(torch.isfinite(own).all()):
        raise ModelError(
            f"{type(model).__name__} gives logits that are not finite on {probe.shape[1]} probe "
            "tokens; its weights are damaged or its precision is too low"
        )
    body = getattr(model, model.base_model_prefix)
    states = getattr(body(input_ids=probe, use_cache=False), "last_hidden_state", None)
    embedding = model.get_output_embeddings()
    if states is None or embedding is None:
        return None
    tolerance = 1e-5 if own.dtype == next(model.parameters()).dtype else 1e-2
    for name, finish in _candidates(model.config):
        head = Head(embedding, finish, name)
        difference = (head(states[0]).float() - own).abs().max()
        if float(difference) <= tolerance * max(1.0, float(own.abs().max())):
            return head
    return None
