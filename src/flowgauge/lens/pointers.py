"""Source pointers: where in the prompt the copy heads look while they read a response.

At the position that predicts token j, a copy head pays its attention to the earlier position that
holds the token about to be written. The mass it pays to prompt positions holding *that very token*
is the pointer of token j (the largest over the copy heads), and the position with most of it says
which token it stands on. Tokens are compared by their text, stripped and in lower case. The
question counts as given, like the documents: an answer that repeats it claims nothing new.

Only the chosen heads' rows at the response's positions are computed, a few at a time.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from flowgauge.lens.induction import CopyHeads
from flowgauge.models.protocol import LanguageModel, Pass
from flowgauge.records import Pointers, Tokens
from flowgauge.scores.probe import PointerTap

#: Rows of attention that exist at a time: 64 × 4,000 source tokens are 1 MB.
ROWS = 64


class SourcePointers:
    """A probe for `score`: the pointers of these copy heads.

    Args:
        heads: From `copy_heads(lm)`; must not be empty.
    """

    def __init__(self, heads: CopyHeads) -> None:
        self._by_layer: dict[int, list[tuple[int, int]]] = {}
        for place, (layer, head) in enumerate(heads.heads):
            self._by_layer.setdefault(layer, []).append((place, head))
        self._count = len(heads.heads)
        self._texts: dict[int, str] = {}

    def tap(self, tokens: Sequence[Tokens], lm: LanguageModel) -> PointerTap:
        """A tap for these records."""
        known = self._texts
        needed = {int(i) for t in tokens for ids in (t.prompt_ids, t.response_ids) for i in ids}
        new = sorted(needed - known.keys())
        for token, text in zip(new, lm.token_text(new), strict=True):
            known[token] = _key(token, text)
        return _Watch([_matches(t, known) for t in tokens], self._by_layer, self._count)


def _key(token: int, text: str) -> str:
    """What a token is compared by; parts of a character and white space only by themselves."""
    bare = text.strip().lower()
    return bare if bare and "\ufffd" not in bare else f"\0{token}"


def _matches(tokens: Tokens, text: dict[int, str]) -> Any:
    """(time, prompt): 1 where a prompt token holds the text of a response token, packed by bits."""
    number: dict[str, int] = {}
    prompt = [number.setdefault(text[int(i)], len(number)) for i in tokens.prompt_ids]
    written = [number.get(text[int(i)], -1) for i in tokens.response_ids]
    same = np.array(written, dtype=np.int64)[:, None] == np.array(prompt, dtype=np.int64)[None, :]
    return np.packbits(same, axis=1)


class _Watch:
    """The tap of one group of records."""

    def __init__(
        self, matches: list[Any], by_layer: dict[int, list[tuple[int, int]]], heads: int
    ) -> None:
        self._matches = matches
        self._by_layer = by_layer
        shape = [(len(m), heads) for m in matches]
        self.mass = [np.zeros(s) for s in shape]
        self.position = [np.full(s, -1, dtype=np.int64) for s in shape]

    @contextmanager
    def watch(self, model: Any, here: Pass) -> Iterator[None]:
        """Look at the layers with copy heads during one pass."""
        from flowgauge.models.attention import Seen, watched_attention

        if not here.keep:  # the shared prefix: its keys come back with every row
            yield
            return

        def look(seen: Seen) -> None:
            for place, head in self._by_layer.get(seen.layer, ()):
                for row, record in enumerate(here.rows):
                    if record < len(self._matches):
                        self._take(seen, here, row, record, head, place)

        with watched_attention(model, look):
            yield

    def _take(self, seen: Any, here: Pass, row: int, record: int, head: int, place: int) -> None:
        end, time = here.lengths[row], here.keep[row]
        # A sliding window's cache holds the last keys only; positions count from the text's start.
        first = here.past + seen.query.shape[2] - seen.key.shape[2]
        for start in range(0, time, ROWS):
            stop = min(start + ROWS, time)
            times = slice(end - time + start, end - time + stop)
            weights = seen.weights(row, head, times).cpu().numpy()
            same = np.unpackbits(self._matches[record][start:stop], axis=1)[:, first:]
            on = weights[:, : same.shape[1]] * same[:, : weights.shape[1]]
            if not on.shape[1]:
                continue
            self.mass[record][start:stop, place] = on.sum(axis=1)
            best = on.argmax(axis=1)
            held = on[np.arange(len(on)), best] > 0
            self.position[record][start:stop, place] = np.where(held, best + first, -1)

    def pointers(self, record: int) -> Pointers:
        """The head with most mass decides at each token."""
        mass, position = self.mass[record], self.position[record]
        if not mass.size:
            return Pointers(mass=np.zeros(len(mass)), position=np.full(len(mass), -1, np.int64))
        head = mass.argmax(axis=1)
        rows = np.arange(len(mass))
        return Pointers(mass=np.minimum(mass[rows, head], 1.0), position=position[rows, head])
