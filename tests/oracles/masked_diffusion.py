"""Masked diffusion by enumeration: bidirectional attention in loops, every path of a sampler."""

import itertools
import math

import numpy as np
import torch
from oracles.architectures import attention_loops

from flowgauge.records import Tokens


def bidirectional_loops(member, u, present=None):
    """Softmax attention over all present positions: π and outputs, numpy."""
    return attention_loops(
        member,
        u,
        lambda b, _: [j for j in range(u.shape[1]) if present is None or bool(present[b, j])],
    )


class RandomLaws:
    """Laws that belong to no joint law: one drawn for every prefix, visible part and position."""

    bos_id, adds_bos, has_empty_context_law = None, False, True
    has_chat_template, context_length, name, fingerprint = False, None, "random laws", "x"

    def __init__(self, vocabulary, length, seed):
        self.vocabulary_size, self.length, self.seed = vocabulary, length, seed
        self.mask_id = vocabulary
        self.passes = 0
        self._laws = {}

    def law(self, prefix, text, place):
        """(vocab,) law of the token at `place` given prefix and visible text."""
        key = (*prefix, -1, *text, -1, place)
        if key not in self._laws:
            rng = np.random.default_rng([self.seed, *(k + 1 for k in key)])
            law = rng.dirichlet(np.full(self.vocabulary_size, 0.7)) + 0.02
            self._laws[key] = law / law.sum()
        return self._laws[key]

    def logits(self, ids, keep):
        self.passes += 1
        start = ids.shape[1] - self.length
        laws = [
            self.law(row[:start].tolist(), row[start:].tolist(), int(place) - start)
            for row, wanted in zip(ids, keep, strict=True)
            for place in np.flatnonzero(wanted)
        ]
        return torch.from_numpy(np.log(np.array(laws)))


def tokens_of(prompt, reference, response):
    """A record as ids, without text."""
    prompt, reference, response = (
        np.array(ids, dtype=np.int64) for ids in (prompt, reference, response)
    )
    return Tokens(
        record_id="1",
        prompt_ids=prompt,
        reference_ids=reference,
        response_ids=response,
        offsets=np.zeros((len(response), 2), dtype=np.int64),
        prompt_part=np.full(len(prompt), -1),
        prompt_offsets=np.zeros((len(prompt), 2), dtype=np.int64),
    )


def probabilities(lm, prefix, state, places):
    """(places, vocab) laws of hidden positions given the visible part of `state` (None: hidden)."""
    text = [lm.mask_id if token is None else token for token in state]
    ids = np.array([[*prefix, *text]], dtype=np.int64)
    keep = np.zeros(ids.shape, dtype=bool)
    keep[0, [len(prefix) + p for p in places]] = True
    return lm.logits(ids, keep).exp().numpy()


def outcomes(laws, kind, per_step):
    """Every (probability, places shown, their tokens) of one step of a sampler."""
    hidden, vocab = range(len(laws)), range(laws.shape[1])
    size = min(per_step, len(laws))
    if kind == "low-confidence remasking":
        for tokens in itertools.product(vocab, repeat=len(laws)):
            own = [laws[i][t] for i, t in enumerate(tokens)]
            shown = sorted(sorted(hidden, key=lambda i: (-own[i], i))[:size])
            yield math.prod(own), tuple(shown), tuple(tokens[i] for i in shown)
        return
    choices = {
        "at random": list(itertools.combinations(hidden, size)),
        "left to right": [tuple(hidden[:size])],
        "least entropy": [_first(hidden, size, lambda i: sum(p * math.log(p) for p in laws[i]))],
        "largest probability": [_first(hidden, size, lambda i: max(laws[i]))],
    }[kind]
    for shown in choices:
        for tokens in itertools.product(vocab, repeat=size):
            chance = math.prod(laws[i][t] for i, t in zip(shown, tokens, strict=True))
            yield chance / len(choices), shown, tokens


def _first(hidden, size, value):
    return tuple(sorted(sorted(hidden, key=lambda i: (-value(i), i))[:size]))


def paths(lm, prefix, length, kind, per_step=1):
    """Every way in which a sampler writes a text: (probability, tokens, steps)."""

    def go(state, steps, chance):
        places = [i for i, token in enumerate(state) if token is None]
        if not places:
            yield chance, state, steps
            return
        found = {}
        for p, shown, tokens in outcomes(probabilities(lm, prefix, state, places), kind, per_step):
            found[shown, tokens] = found.get((shown, tokens), 0.0) + p
        for (shown, tokens), p in found.items():
            new = list(state)
            for i, token in zip(shown, tokens, strict=True):
                new[places[i]] = token
            step = np.array([places[i] for i in shown])
            yield from go(tuple(new), [*steps, step], chance * p)

    yield from go((None,) * length, [], 1.0)


def text_law(lm, prefix, length, kind, per_step=1):
    """(vocab, …, vocab) law of the texts of a sampler, state by state."""
    now = {(None,) * length: 1.0}
    law = np.zeros((lm.vocabulary_size,) * length)
    while now:
        after = {}
        for state, chance in now.items():
            places = [i for i, token in enumerate(state) if token is None]
            if not places:
                law[state] += chance
                continue
            for p, shown, tokens in outcomes(
                probabilities(lm, prefix, state, places), kind, per_step
            ):
                new = list(state)
                for i, token in zip(shown, tokens, strict=True):
                    new[places[i]] = token
                after[tuple(new)] = after.get(tuple(new), 0.0) + chance * p
        now = after
    return law
