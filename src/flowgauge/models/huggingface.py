"""Any Hugging Face causal language model: states from its body, logits from its own head.

The body is the model's base model; the head is its output embedding followed by what the family
does to the logits (`heads.py`). Both are compared with the model's own logits when it is loaded;
a family whose head cannot be separated still works, its states being the logits themselves.
Rows are padded on the right: a causal model never looks there, so no mask is needed.
"""

import copy
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import numpy as np
import torch

from flowgauge.models.decoding import JoinedDecoder, SeparateDecoder
from flowgauge.models.heads import Head, find_head
from flowgauge.models.narrow import ROWS, is_narrow, narrow_linears
from flowgauge.models.protocol import Batch, Decoder, Pass, Tap
from flowgauge.models.quiet import quiet_transformers
from flowgauge.models.wrapped import WrappedModel
from flowgauge.records import IntArray, Sampling

#: Forked prefix caches may take this much at a time; more rows are run one after another.
FORK_BYTES = 128 * 2**20


class HuggingFaceModel(WrappedModel):
    """A causal language model of the transformers library behind flowgauge's protocol.

    Args:
        model: Any `PreTrainedModel` with an output embedding; put into evaluation mode.
        tokenizer: Its fast tokenizer (character offsets are needed).
        name: What results call it.

    Raises:
        ModelError: The tokenizer has no character offsets, or the model gives no finite logits.
    """

    has_empty_context_law = False

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        super().__init__(model, tokenizer, name)
        self._body = getattr(model, model.base_model_prefix)
        with torch.inference_mode(), quiet_transformers():
            self._head: Head | None = find_head(model, self._probe(12))
            self.can_share_prefix = self._check_sharing()

    # -- what it is ----------------------------------------------------------------------------

    @property
    def head_name(self) -> str:
        """How logits are made from states: a name of `heads.py`, or "whole model"."""
        return self._head.name if self._head else "whole model"

    @property
    def vocabulary_size(self) -> int:
        """Number of next tokens (rows of the output embedding)."""
        return int(self._model.get_output_embeddings().weight.shape[0])

    @property
    def state_width(self) -> int:
        """Width of the output embedding, or the vocabulary where states are logits."""
        return int(self._model.get_output_embeddings().weight.shape[1 if self._head else 0])

    @cached_property
    def _multiplies_bfloat16_faster(self) -> bool:
        import time

        def seconds(dtype: torch.dtype) -> float:
            x = torch.ones(256, 1024, dtype=dtype)
            w = torch.ones(1024, 1024, dtype=dtype)
            torch.mm(x, w)
            best = float("inf")
            for _ in range(5):
                start = time.perf_counter()
                torch.mm(x, w)
                best = min(best, time.perf_counter() - start)
            return best

        return seconds(torch.bfloat16) < 0.8 * seconds(torch.float32)

    def fast(self) -> "HuggingFaceModel | None":
        """A twin with bfloat16 weights; None where the processor does not multiply it faster."""
        if not self._multiplies_bfloat16_faster:
            return None
        twin = copy.deepcopy(self._model).to(torch.bfloat16)
        return HuggingFaceModel(twin, self._tokenizer, self.name)

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that end a text."""
        ends = self._model.generation_config.eos_token_id
        return (ends,) if isinstance(ends, int) else tuple(ends or ())

    # -- numbers -------------------------------------------------------------------------------

    def states(self, batch: Batch, tap: Tap | None = None) -> list[torch.Tensor]:
        """States of the last `keep` positions of each row, each (keep, width)."""
        with torch.inference_mode(), quiet_transformers():
            if not len(batch.shared):
                return self._run(batch, slice(0, len(batch.rows)), None, tap)
            return self._forked(batch, tap)

    def logits(self, states: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (rows, vocab) of the law after each state; `out` saves an allocation."""
        with torch.inference_mode():
            return self._head(states, out) if self._head else states

    def _run(self, batch: Batch, which: slice, cache: Any, tap: Tap | None) -> list[torch.Tensor]:
        rows, keep = batch.rows[which], batch.keep[which]
        longest = max(map(len, rows))
        ids = torch.zeros((len(rows), longest), dtype=torch.int64)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.from_numpy(row)
        ids = ids.to(self._model.device)
        more = {"use_cache": False} if cache is None else {"cache": cache, "use_cache": True}
        here = Pass(
            rows=tuple(range(len(batch.rows))[which]),
            past=0 if cache is None else len(batch.shared),
            lengths=tuple(map(len, rows)),
            keep=keep,
        )
        with self._watched(tap, here):
            if self._head:
                out = self._body(input_ids=ids, **more).last_hidden_state
            else:
                out = self._model(input_ids=ids, logits_to_keep=max(
                    longest - len(r) + k for r, k in zip(rows, keep, strict=True)
                ), **more).logits  # fmt: skip
        first = longest - out.shape[1]
        return [
            # A copy: a slice would keep the states of the whole prompt alive.
            out[i, len(row) - k - first : len(row) - first].clone()
            for i, (row, k) in enumerate(zip(rows, keep, strict=True))
        ]

    def _watched(self, tap: Tap | None, here: Pass) -> Any:
        return tap.watch(self._model, here) if tap else nullcontext()

    def _forked(self, batch: Batch, tap: Tap | None) -> list[torch.Tensor]:
        ids = torch.from_numpy(batch.shared)[None].to(self._model.device)
        every = Pass(rows=tuple(range(len(batch.rows))), past=0, lengths=(len(batch.shared),))
        with self._watched(tap, every):
            cache = self._body(input_ids=ids, use_cache=True).cache
        longest = len(batch.shared) + max(map(len, batch.rows))
        most = max(1, FORK_BYTES // max(1, self._cache_bytes(cache, longest)))
        out: list[torch.Tensor] = []
        for pack in batch.packs or (len(batch.rows),):
            end = len(out) + pack
            while len(out) < end:
                here = slice(len(out), min(len(out) + most, end))
                is_last = here.stop == len(batch.rows)
                fork = cache if is_last else copy.deepcopy(cache)
                fork.batch_repeat_interleave(here.stop - here.start)
                out += self._run(batch, here, fork, tap)
        return out

    @staticmethod
    def _cache_bytes(cache: Any, longest: int) -> int:
        """Bytes of one row whose texts have `longest` tokens."""
        total = 0
        for layer in cache.layers:
            if hasattr(layer, "recurrent_states"):  # they do not grow
                parts = layer.recurrent_states.values()
                total += sum(part.element_size() * part[0].numel() for part in parts)
            else:
                for part in (layer.keys, layer.values):
                    total += part.element_size() * part.shape[1] * part.shape[3] * longest
        return total

    def _probe(self, n: int) -> torch.Tensor:
        # Fixed ids spread over the vocabulary; any would do, but results must not depend on a draw.
        ids = (torch.arange(1, n + 1) * 7919) % self.vocabulary_size
        return ids[None].to(self._model.device)

    def decoder(self, prefixes: Sequence[IntArray]) -> Decoder:
        """Several texts to be written side by side, each after its own prefix."""
        kind = JoinedDecoder if self._can_join or len(prefixes) == 1 else SeparateDecoder
        return kind(self._advance, prefixes)

    def _advance(self, ids: torch.Tensor, more: dict[str, Any]) -> tuple[torch.Tensor, Any]:
        ids = ids.to(self._model.device)
        more = {k: v.to(ids.device) if isinstance(v, torch.Tensor) else v for k, v in more.items()}
        layers = self._linears if ids.numel() == ROWS and self._linears else ()
        with narrow_linears(layers):
            if self._head:
                out = self._body(input_ids=ids, use_cache=True, **more)
                return out.last_hidden_state[:, -1], out.cache
            out = self._model(input_ids=ids, use_cache=True, logits_to_keep=1, **more)
            return out.logits[:, -1], out.cache

    @cached_property
    def _linears(self) -> list[torch.nn.Module]:
        """Plain linear layers of the body that two rows are multiplied faster by the other way."""
        # Subclasses (quantized, adapted) have a forward of their own, and so may an instance.
        found = [m for m in self._body.modules() if type(m) is torch.nn.Linear]
        found = [m for m in found if "forward" not in m.__dict__]
        two = torch.zeros(ROWS, 1)
        return [m for m in found if is_narrow(two, m.weight)]

    @cached_property
    def _can_join(self) -> bool:
        """Whether rows of different lengths in one batch have the states that they have alone."""
        ids = self._probe(12)[0].cpu().numpy()
        prefixes, steps = (ids[:7], ids[4:7]), (ids[7:9], ids[9:11])
        alone = SeparateDecoder(self._advance, prefixes)
        try:
            together = JoinedDecoder(self._advance, prefixes)
            differ = [(alone.step(i), together.step(i)) for i in steps]
        except (AttributeError, NotImplementedError, TypeError, ValueError, RuntimeError):
            return False
        tolerance = 1e-4 if self.precision == "float32" else 0.1
        return all(
            float((a - b).abs().max()) <= tolerance * float(a.abs().max()) for a, b in differ
        )

    def _check_sharing(self) -> bool:
        """Whether a forked prefix gives the states of the whole row."""
        ids = self._probe(16)[0].cpu().numpy()
        rows = (ids[9:], ids[9:13])
        none = np.zeros(0, dtype=np.int64)
        whole = self._run(Batch(none, (ids, ids[:13]), (7, 4)), slice(0, 2), None, None)
        try:
            forked = self._forked(Batch(ids[:9], rows, (7, 4)), None)
        except (AttributeError, NotImplementedError, TypeError, ValueError, RuntimeError):
            return False  # recurrent caches cannot be forked, or not in this way
        # bfloat16 rounds differently along the two ways, float32 does not.
        tolerance = 1e-4 if self.precision == "float32" else 0.1
        scale = max(float(w.abs().max()) for w in whole)
        return all(
            float((w - f).abs().max()) <= tolerance * scale
            for w, f in zip(whole, forked, strict=True)
        )

    def generate(
        self, prompt_ids: IntArray, max_tokens: int, sampling: Sampling, rng: np.random.Generator
    ) -> IntArray:
        """Draw a response with transformers' own `generate`; its end token is not included."""
        ids = torch.from_numpy(prompt_ids)[None].to(self._model.device)
        how: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            how = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_k": sampling.top_k,
                "top_p": sampling.top_p,
                "min_p": sampling.min_p or None,
            }
        if sampling.repetition_penalty != 1.0:
            how["repetition_penalty"] = sampling.repetition_penalty
        with torch.inference_mode(), quiet_transformers(), torch.random.fork_rng():
            torch.manual_seed(int(rng.integers(2**31)))
            out = self._model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=max_tokens, **how
            )
        drawn = out[0, ids.shape[1] :].cpu().numpy().astype(np.int64)
        stops = np.flatnonzero(np.isin(drawn, self.end_ids))
        return drawn[: stops[0]] if len(stops) else drawn
