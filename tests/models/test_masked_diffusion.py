import functools

import numpy as np
import pytest
import torch
from oracles.tiny_models import tokenizer

import flowgauge as fg
from flowgauge.architectures.family.diffusion import (
    FamilyForMaskedDiffusion,
    MaskedDiffusionConfig,
)
from flowgauge.errors import ModelError
from flowgauge.models.masked_diffusion import MaskedDiffusionModel
from flowgauge.records import Record
from flowgauge.text import Omit, PlainTemplate, align


def net(vocabulary=513, seed=0):
    torch.manual_seed(seed)
    config = MaskedDiffusionConfig(vocab_size=vocabulary, width=16, heads=4, mixers=["attention"])
    model = FamilyForMaskedDiffusion(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.3)
    return model


@functools.cache
def lm():
    return MaskedDiffusionModel(net(), tokenizer(), "tiny")


def test_logits_are_the_models_own_at_the_kept_positions():
    ids = np.array([[1, 512, 7, 512], [5, 6, 512, 512]])
    keep = np.array([[0, 1, 0, 0], [0, 0, 1, 1]], dtype=bool)
    found = lm().logits(ids, keep)
    with torch.no_grad():
        whole = net()(torch.from_numpy(ids)).logits[..., :512]
    # float32, one row more or less in a product
    torch.testing.assert_close(found, whole[torch.from_numpy(keep)], rtol=1e-5, atol=1e-5)
    assert found.shape == (3, 512)


def test_what_it_is():
    assert (lm().name, lm().vocabulary_size, lm().mask_id) == ("tiny", 512, 512)
    assert (lm().precision, lm().bos_id, lm().context_length) == ("float32", 1, None)
    again = MaskedDiffusionModel(net(), tokenizer(), "x")
    other = MaskedDiffusionModel(net(seed=1), tokenizer(), "x")
    assert again.fingerprint == lm().fingerprint != other.fingerprint
    assert again.tokenizer_fingerprint == lm().tokenizer_fingerprint


def test_text_aligns_as_for_a_next_token_model():
    record = Record(id="1", question="Tom had a cat.", response=" The cat sat.")
    composition = PlainTemplate().compose(record, Omit())
    tokens = align("1", composition, record.response, lm())
    assert lm().detokenize(tokens.response_ids) == "The cat sat."
    assert tokens.left_out == 0  # with everything hidden there is a law of the first token
    assert lm().token_text(tokens.response_ids[:1]) == [lm().detokenize(tokens.response_ids[:1])]


def test_a_model_that_does_not_fit_is_refused_in_words():
    with pytest.raises(ModelError, match="has 512 tokens, the model 511 besides its mask; train"):
        MaskedDiffusionModel(net(512), tokenizer(), "small")
    broken = net()
    with torch.no_grad():
        broken.lm_head.weight[3] = torch.nan
    with pytest.raises(ModelError, match="broken gives logits that are not finite on a row of 3"):
        MaskedDiffusionModel(broken, tokenizer(), "broken")
    with pytest.raises(ModelError, match="the tokenizer of slow is object"):
        MaskedDiffusionModel(net(), object(), "slow")


@pytest.mark.parametrize(
    "door",
    [
        lambda record: fg.measure([record], lm()),
        lambda record: next(iter(fg.generate(record, lm()))),
        lambda record: fg.lens_of(record, lm()),
    ],
    ids=["measure", "generate", "lens"],
)
def test_doors_for_next_token_models_say_which_are_its_own(door):
    record = Record(id="1", documents=("Tom ran.",), response="Tom ran.")
    with pytest.raises(ModelError, match=r"tiny is a masked-diffusion model.*unmasking_flow"):
        door(record)
