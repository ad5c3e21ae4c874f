"""The law sampled from is that of transformers' own `generate`, and P ≪ Q whatever it is."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles.generation import sampled_law
from oracles.tiny_models import tiny

from flowgauge.live import SamplingLaw
from flowgauge.live.sampling_law import Transform
from flowgauge.records import Sampling

WAYS = [
    Sampling(),
    Sampling(temperature=0.7),
    Sampling(temperature=2),
    Sampling(top_k=5),
    Sampling(top_k=1),
    Sampling(top_k=9999),
    Sampling(top_p=0.6),
    Sampling(top_p=1e-9),
    Sampling(top_p=0.999999),
    Sampling(min_p=0.1),
    Sampling(min_p=1),
    Sampling(repetition_penalty=1.3),
    Sampling(repetition_penalty=0.5, top_k=20),
    Sampling(repetition_penalty=2, min_p=0.02),
    Sampling(temperature=1.4, top_k=40, top_p=0.8, min_p=0.05, repetition_penalty=1.2),
]
PROMPTS = ("Once upon a time, there was a little dog.", "Tom", "The sun was hot and the sea")


def generated(lm, text, sampling, steps=5):
    """Ids, the model's own logits and the processed ones, by transformers' `generate`."""
    ids = torch.from_numpy(lm.tokenize(text).ids)[None]
    torch.manual_seed(3)
    out = lm._model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=steps,
        do_sample=sampling.temperature > 0,
        temperature=float(sampling.temperature) or None,
        top_k=sampling.top_k,
        top_p=sampling.top_p,
        min_p=sampling.min_p or None,
        repetition_penalty=float(sampling.repetition_penalty),
        eos_token_id=None,
        output_scores=True,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return out.sequences[0].numpy(), torch.cat(out.logits), torch.cat(out.scores)


@pytest.mark.parametrize("sampling", WAYS, ids=str)
def test_the_law_is_that_of_transformers_own_generate(sampling):
    lm = tiny("llama")
    runs = [generated(lm, text, sampling) for text in PROMPTS]
    transform = Transform(sampling)
    for j in range(5):
        so_far = [ids[: len(ids) - 5 + j] for ids, *_ in runs]
        assert len({len(t) for t in so_far}) == 3  # prompts of different lengths in one batch
        logits = torch.stack([raw[j] for _, raw, _ in runs])
        before = logits.clone()
        found = transform(logits, so_far)
        assert torch.equal(found, torch.stack([processed[j] for *_, processed in runs]))
        assert torch.equal(logits, before)


def test_greedy_takes_the_token_that_greedy_generation_takes():
    lm = tiny("llama")
    for sampling in (Sampling(temperature=0), Sampling(temperature=0, repetition_penalty=3)):
        ids, raw, _ = generated(lm, PROMPTS[0], sampling, steps=8)
        for j in range(8):
            found = Transform(sampling)(raw[j : j + 1], [ids[: len(ids) - 8 + j]])
            assert torch.isfinite(found).sum() == 1
            assert int(found.argmax()) == ids[len(ids) - 8 + j]


LOGITS = arrays(np.float64, st.integers(1, 9), elements=st.floats(-12, 12))
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 1.9]),
    top_k=st.integers(0, 12),
    top_p=st.one_of(st.just(1.0), st.floats(0.01, 1)),
    min_p=st.one_of(st.just(0.0), st.floats(0.0, 1)),
    repetition_penalty=st.sampled_from([1.0, 0.8, 1.7]),
)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(logits=LOGITS, sampling=SAMPLINGS, seed=st.integers(0, 99))
def test_the_law_is_what_its_rules_say(logits, sampling, seed):
    """Against the rules written out one by one, away from their borders."""
    rng = np.random.default_rng(seed)
    law = np.exp(logits - np.logaddexp.reduce(logits))
    text = rng.integers(0, len(law) + 3, rng.integers(0, 6))
    found = Transform(sampling)(torch.log(torch.from_numpy(law))[None], [text])[0]
    p = torch.softmax(found, -1).numpy()
    wanted = sampled_law(law, sampling, text.tolist())
    slightly = Sampling(
        temperature=sampling.temperature,
        top_k=sampling.top_k,
        top_p=min(1.0, sampling.top_p * (1 + 1e-9)),
        min_p=sampling.min_p * (1 - 1e-9),
        repetition_penalty=sampling.repetition_penalty,
    )
    if np.array_equal(wanted > 0, sampled_law(law, slightly, text.tolist()) > 0):
        np.testing.assert_allclose(np.sort(p), np.sort(wanted), atol=1e-12)
        if len(set(law)) == len(law):
            np.testing.assert_allclose(p, wanted, atol=1e-12)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1)


def law_of(p, **how):
    logits = torch.log(torch.tensor([p], dtype=torch.float64))
    return torch.softmax(Transform(Sampling(**how))(logits, [np.array([0])]), -1)[0].tolist()


def test_borders_of_top_p_and_min_p():
    law = [0.5, 0.25, 0.125, 0.125]
    # The smallest set with at least this mass.
    assert law_of(law, top_p=0.5 - 1e-6) == [1, 0, 0, 0]
    assert law_of(law, top_p=0.5 + 1e-6) == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert law_of(law, top_p=0.875 + 1e-6) == pytest.approx(law)
    assert sum(x > 0 for x in law_of(law, top_p=0.8)) == 3  # one of two equal tokens
    assert sum(x > 0 for x in law_of([0.25] * 4, top_p=1e-12)) == 1
    assert law_of(law, min_p=0.5 - 1e-9) == pytest.approx([2 / 3, 1 / 3, 0, 0])
    assert law_of(law, min_p=0.5 + 1e-9) == [1, 0, 0, 0]
    assert law_of(law, min_p=1) == [1, 0, 0, 0]
    # top-p looks at what top-k leaves: 0.5/0.75 is two thirds.
    assert law_of(law, top_k=2, top_p=0.6) == [1, 0, 0, 0]
    assert law_of(law, top_k=3) == pytest.approx(law)  # a tie at the border stays
    assert law_of([1.0, 0.0, 0.0], top_p=0.9, temperature=2) == [1, 0, 0]
    assert law_of([1.0, 0.0, 0.0], repetition_penalty=3) == [1, 0, 0]


def test_greedy_takes_the_first_of_equals_as_generate_does():
    assert law_of([0.2, 0.4, 0.4], temperature=0) == [0, 1, 0]


def test_a_penalty_reads_the_text_alone():
    """Padding, ids that are no next token and repetitions count for nothing."""
    transform = Transform(Sampling(repetition_penalty=2))
    logits = torch.tensor([[1.0, -1.0, 4.0]]).repeat(4, 1)
    texts = [np.array(t, dtype=np.int64) for t in ([], [0], [1, 1, 1, 1, 1], [7, 2, 3, 7])]
    found = transform(logits, texts).tolist()
    assert found == [[1, -1, 4], [0.5, -1, 4], [1, -2, 4], [1, -1, 2]]


def test_plain_sampling_changes_and_copies_nothing():
    logits = torch.tensor([[1.0, 2.0]])
    transform = Transform(Sampling())
    assert transform(logits, []) is logits
    assert transform.is_plain
    assert not Transform(Sampling(top_k=1)).is_plain
    assert SamplingLaw().reference(logits, Sampling(top_k=1)) is logits
    # Under greedy decoding Q is the model's own law.
    assert SamplingLaw().reference(logits, Sampling(temperature=0)) is logits


@settings(derandomize=True, deadline=None, max_examples=100)
@given(logits=LOGITS, seed=st.integers(0, 99), sampling=SAMPLINGS)
def test_whatever_p_allows_q_allows(logits, seed, sampling):
    other = np.random.default_rng(seed).normal(0, 6, len(logits))
    p = Transform(sampling)(torch.from_numpy(logits)[None], [np.array([0])])
    q = SamplingLaw().reference(torch.from_numpy(other)[None], sampling)
    log_p, log_q = torch.log_softmax(p, -1), torch.log_softmax(q, -1)
    assert torch.isfinite(log_q).all()
    drift = (log_p.exp() * (log_p - log_q).where(log_p.isfinite(), torch.tensor(0.0))).sum()
    assert 0 <= float(drift) + 1e-12 < np.inf
    temperature = sampling.temperature or 1.0
    wanted = torch.log_softmax(torch.from_numpy(other / temperature), -1)
    torch.testing.assert_close(log_q[0], wanted)
