"""Agreement with ablation: scipy's ranks, planted agreement and its absence, resampled records."""

import numpy as np
import pytest
from oracles.lens import stirred
from scipy.stats import spearmanr

from flowgauge.errors import InputError, SettingsError, ShapeError
from flowgauge.lens.ablation import BootstrapSettings, compare_with_ablation, sentence_falls
from flowgauge.models import TabularModel
from flowgauge.records import Record
from flowgauge.scores import log_likelihood
from flowgauge.scores.plan import Context
from flowgauge.text import Omit, PlainTemplate, align, sentence_spans

FEW = BootstrapSettings(draws=200)


def arrays(rng, n=12, noise=0.0):
    lens = [rng.normal(size=(3, rng.integers(1, 5))) for _ in range(n)]
    return lens, [x + noise * rng.normal(size=x.shape) for x in lens]


def test_correlations_are_those_of_scipy(rng):
    lens, ablation = arrays(rng, noise=1.0)
    found = compare_with_ablation(lens, ablation, FEW)
    x, y = (np.concatenate([a.ravel() for a in side]) for side in (lens, ablation))
    assert found.overall.rho == pytest.approx(spearmanr(x, y).statistic)
    x, y = (np.concatenate([a.sum(1) for a in side]) for side in (lens, ablation))
    assert found.documents.rho == pytest.approx(spearmanr(x, y).statistic)
    assert found.n == 12


def test_within_is_the_mean_over_sentences_where_all_have_as_many_documents(rng):
    lens, ablation = arrays(rng, noise=1.0)
    each = [
        spearmanr(x[:, s], y[:, s]).statistic
        for x, y in zip(lens, ablation, strict=True)
        for s in range(x.shape[1])
    ]
    found = compare_with_ablation(lens, ablation, FEW)
    assert found.within.rho == pytest.approx(np.mean(each))


def test_agreement_of_records_alone_is_not_agreement_within(rng):
    """Some records have large effects on both sides; inside a record there is no relation."""
    sizes = np.linspace(0, 50, 40)
    lens, ablation = ([s + rng.normal(size=(3, 2)) for s in sizes] for _ in range(2))
    found = compare_with_ablation(lens, ablation, FEW)
    assert found.overall.rho > 0.9
    assert abs(found.within.rho) < 0.3
    assert found.within.low < 0 < found.within.high


def test_pairs_are_kept_with_their_places(rng):
    lens, ablation = arrays(rng, noise=1.0)
    found = compare_with_ablation(lens, ablation, FEW)
    places = zip(found.record, found.document, found.sentence, strict=True)
    for at, (r, d, s) in enumerate(places):
        assert found.lens[at] == lens[r][d, s]
        assert found.ablation[at] == ablation[r][d, s]
    assert len(found.lens) == sum(x.size for x in lens)


def test_same_values_agree_wholly_and_opposite_ones_not_at_all(rng):
    lens, _ = arrays(rng)
    same = compare_with_ablation(lens, lens, FEW)
    opposite = compare_with_ablation(lens, [-x for x in lens], FEW)
    for part in ("overall", "documents", "within"):
        found = getattr(same, part)
        assert (found.rho, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))
        assert getattr(opposite, part).rho == pytest.approx(-1.0)


def test_the_interval_resamples_whole_records(rng):
    lens, ablation = arrays(rng, noise=2.0)
    found = compare_with_ablation(lens, ablation, BootstrapSettings(draws=150, seed=3)).overall
    draw = np.random.default_rng(3)
    rhos = []
    for _ in range(150):
        rows = draw.choice(12, 12)
        x, y = (np.concatenate([side[r].ravel() for r in rows]) for side in (lens, ablation))
        rhos.append(spearmanr(x, y).statistic)
    np.testing.assert_allclose((found.low, found.high), np.quantile(rhos, [0.025, 0.975]))
    assert found.low < found.rho < found.high


def test_what_cannot_be_ranked_is_nan():
    one = compare_with_ablation([np.array([[1.0, 2.0]])], [np.array([[3.0, 4.0]])], FEW)
    assert one.overall.rho == 1.0
    assert np.isnan([one.overall.low, one.documents.rho, one.within.rho]).all()
    flat = compare_with_ablation([np.zeros((2, 2))] * 2, [np.ones((2, 2))] * 2, FEW)
    assert np.isnan([flat.overall.rho, flat.overall.low, flat.overall.high]).all()


def test_what_does_not_fit_says_so():
    with pytest.raises(InputError, match="0 records with direct effects and 0 with ablations"):
        compare_with_ablation([], [])
    with pytest.raises(ShapeError, match=r"record 0 has direct effects \(1, 2\) and ablations"):
        compare_with_ablation([np.zeros((1, 2))], [np.zeros((2, 1))])
    with pytest.raises(SettingsError, match="draws ≥ 1 and 0 < coverage < 1"):
        BootstrapSettings(coverage=1.0)


def test_falls_are_differences_of_log_likelihoods():
    lm = stirred("llama")
    response = "The dog ran. Lily was happy."
    record = Record(id="1", question="Why?", documents=("The dog ran.",), response=response)
    tokens = align("1", PlainTemplate().compose(record, Omit()), response, lm)
    [found] = sentence_falls([tokens], response, lm)
    [(_, cut), _] = sentence_spans(response)
    first = int((tokens.offsets[:, 0] < cut - 1).sum())
    parts = slice(0, first), slice(first, None)
    for k, part in enumerate(parts):
        before = tokens.response_ids[: part.start]
        contexts = [
            Context(np.concatenate((prefix, before)), tokens.response_ids[part])
            for prefix in (tokens.prompt_ids, tokens.reference_ids)
        ]
        p, q = log_likelihood(contexts, lm)
        assert found[k] == pytest.approx(p - q, abs=1e-3)  # float32 passes, two ways
    assert abs(found).max() > 0.01


def test_falls_of_a_table_are_exact():
    world = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    record = Record(id="1", question="", documents=("1",), response="ac")
    tokens = align("1", PlainTemplate().compose(record, Omit()), "ac", world)
    contexts = [Context(x, tokens.response_ids) for x in (tokens.prompt_ids, tokens.reference_ids)]
    p, q = log_likelihood(contexts, world)
    assert sentence_falls([tokens], "ac", world)[0, 0] == pytest.approx(p - q, abs=1e-12)
