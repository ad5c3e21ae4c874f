"""Readout: the direction of the residual stream in which log P(u_i) grows fastest, in closed form.

    y = norm(x),  z = W y,  logits = finish(z)            finish: soft cap, scale or nothing
    ∂ log P(u)/∂y = f′_u W_u − Σ_v P(v) f′_v W_v          the token's column less the law's mean
    ∂ log P(u)/∂x = Jᵀ ∂ log P(u)/∂y                       J of the norm, its scale included

P is the model's own law. No gradient is taken by a machine, and no weight is touched.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from flowgauge.errors import ModelError
from flowgauge.lens.norms import ObservedNorm
from flowgauge.models.hidden import find_layers
from flowgauge.models.protocol import LanguageModel, Pass
from flowgauge.records import IntArray

#: Rows over the vocabulary that exist at a time.
ROWS = 64


class FinalStates:
    """A tap that takes what goes into the final norm at the last positions of one row."""

    def __init__(self) -> None:
        self.model: Any = None
        self.before: torch.Tensor | None = None  # (time, width)
        self.norm: Any = None

    @contextmanager
    def watch(self, model: Any, here: Pass) -> Iterator[None]:
        """Take it during one pass."""
        self.model, self.norm = model, final_norm(model)

        def look(module: Any, inputs: Any) -> None:
            self.before = inputs[0][0, here.lengths[0] - here.keep[0] : here.lengths[0]].clone()

        handle = self.norm.register_forward_pre_hook(look)
        try:
            yield
        finally:
            handle.remove()


def final_norm(model: Any) -> Any:
    """The norm between the last layer and the head.

    It is the one module beside the list of layers whose parameters all have one axis.

    Raises:
        ModelError: There is none, or several.
    """
    layers = find_layers(model)
    parent = next(m for m in model.modules() if any(child is layers for child in m.children()))
    found = []
    for child in parent.children():
        axes = {parameter.ndim for parameter in child.parameters()}
        if axes == {1}:
            found.append(child)
    if len(found) == 1:
        return found[0]
    seen = ", ".join(type(child).__name__ for child in parent.children())
    raise ModelError(
        f"the final norm of {type(model).__name__} cannot be told: one module with parameters of "
        f"one axis was looked for beside its layers, among {seen}; {len(found)} were found"
    )


def readout_directions(
    final: FinalStates, states: torch.Tensor, ids: IntArray, lm: LanguageModel
) -> torch.Tensor:
    """(time, width) ∂ log P(u_i)/∂x_i at the residual before the final norm, float32.

    Args:
        final: The tap, after the pass.
        states: (time, width) what `lm.states` gave.
        ids: (time,) the tokens written.
        lm: The model.

    Raises:
        ModelError: The head or the norm is of no known kind.
    """
    before = final.before
    if before is None:
        raise ModelError(f"the final norm of {lm.name} was not run in its pass")
    out = torch.empty(before.shape, dtype=torch.float32, device=before.device)
    embedding = final.model.get_output_embeddings()
    written = torch.from_numpy(ids).to(before.device)
    _check_head(final, states, lm)
    for start in range(0, len(before), ROWS):
        here = slice(start, start + ROWS)
        logits = lm.logits(states[here]).float()
        slope = _slope(final.model.config, logits)
        row = torch.arange(len(logits), device=logits.device)
        pull = torch.softmax(logits, dim=-1).neg_()
        pull[row, written[here]] += 1
        after = (pull.mul_(slope).to(embedding.weight.dtype) @ embedding.weight).float()
        out[here] = ObservedNorm.of(final.norm, before[here]).pulled_exactly(after)
    return out


def _slope(config: Any, logits: torch.Tensor) -> torch.Tensor | float:
    """f′ at these logits, as `models/heads.py` knows what families do to them."""
    if cap := getattr(config, "final_logit_softcapping", None):
        return 1 - (logits / cap) ** 2
    if scale := getattr(config, "logit_scale", None):
        return float(scale)
    if scaling := getattr(config, "logits_scaling", None):
        return 1 / float(scaling)
    return 1.0


def _check_head(final: FinalStates, states: torch.Tensor, lm: LanguageModel) -> None:
    """Refuse a head that does more to the logits than `_slope` knows."""
    before = final.before
    if before is None or not len(before):
        return
    raw = final.model.get_output_embeddings()(final.norm(before[-1:])).float()
    own, config = lm.logits(states[-1:]).float(), final.model.config
    if cap := getattr(config, "final_logit_softcapping", None):
        expected = cap * torch.tanh(raw / cap)
    else:
        expected = raw * _slope(config, raw)
    tolerance = 1e-4 if before.dtype in (torch.float32, torch.float64) else 0.05
    if not float((expected - own).norm()) <= tolerance * float(own.norm()):
        raise ModelError(
            f"the head of {type(final.model).__name__} is no output embedding with a soft cap or a "
            "scale, so the lens cannot read directions of log P off it"
        )
