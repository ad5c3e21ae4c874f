"""architectures/family/diffusion.py: the loss by enumeration, saving, the Trainer."""

import itertools

import numpy as np
import pytest
import torch
import transformers

from flowgauge.architectures.family.diffusion import (
    FamilyForMaskedDiffusion,
    MaskedDiffusionConfig,
    shares,
)
from flowgauge.bounds import ContinuousTime, masked_diffusion_elbo
from flowgauge.errors import SettingsError, ShapeError

SIZES = {"vocab_size": 12, "width": 16, "mixers": ["attention"] * 2, "heads": 4, "kv_heads": 2}


def model(seed=0, **more):
    torch.manual_seed(seed)
    found = FamilyForMaskedDiffusion(MaskedDiffusionConfig(**{**SIZES, **more}))
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.4)
    return found.double().eval()


def test_laws_are_proper_over_the_real_vocabulary():
    logits = model()(torch.tensor([[1, 11, 11, 4]])).logits
    assert logits.shape == (1, 4, 12)
    assert bool((logits[..., 11] == -torch.inf).all())
    # softmax in float64
    torch.testing.assert_close(logits[..., :11].softmax(-1), logits.softmax(-1)[..., :11])
    assert bool((logits[..., :11] > -torch.inf).all())


def test_the_training_loss_is_the_bound_in_continuous_time():
    net, ids = model(), torch.tensor([[3, 7, 1, 5, 2]])
    labels = torch.tensor([[-100, -100, 1, 5, 2]])

    def predict(mask):
        noisy = ids.clone()
        noisy[0, 2:][torch.from_numpy(mask)] = 11
        laws = net(noisy).logits[0, 2:].log_softmax(-1)
        return laws.gather(1, ids[0, 2:, None])[:, 0].detach().numpy()

    exact = masked_diffusion_elbo(predict, 3, ContinuousTime()).value
    torch.manual_seed(1)
    many, its = ids.expand(100, 5), labels.expand(100, 5)
    with torch.no_grad():
        draws = np.array([float(net(many, labels=its).loss) for _ in range(200)])
    error = draws.std() / 200**0.5
    # 4 standard errors; the loss is per token of the response
    assert abs(draws.mean() + exact / 3) < 4 * error
    assert error < 0.02 * draws.mean()


def test_prompt_tokens_are_never_masked_and_never_learned():
    net, seen = model(), []
    hook = net.model.embed_tokens.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    ids = torch.randint(0, 11, (4, 6), generator=torch.Generator().manual_seed(0))
    labels = ids.clone()
    labels[:, :3] = -100
    torch.manual_seed(0)
    for _ in range(50):
        net(ids, labels=labels)
    hook.remove()
    rows = torch.stack(seen)
    assert torch.equal(rows[:, :, :3], ids[None, :, :3].expand(50, 4, 3))
    masked = rows[:, :, 3:] == 11
    assert torch.equal(rows[:, :, 3:][~masked], ids[None, :, 3:].expand(50, 4, 3)[~masked])
    assert 0.35 < float(masked.double().mean()) < 0.65  # E t = 1/2; 600 tokens


def test_shares_are_uniform_and_spread():
    torch.manual_seed(0)
    t = torch.stack([shares(4) for _ in range(2000)])
    assert bool(((t > 0) & (t <= 1)).all())
    for row in range(4):
        counts = torch.histc(t[:, row], bins=10, min=0, max=1)
        # chi-square with 9 degrees of freedom exceeds 27.9 with probability 0.001
        assert float(((counts - 200) ** 2 / 200).sum()) < 27.9
    # float32: sums of quarters and one random number
    torch.testing.assert_close(t.sort(1).values.diff(dim=1), torch.full((2000, 3), 0.25))


def test_padding_on_either_side_changes_no_law():
    net, ids = model(), torch.tensor([[5, 11, 3, 11]])
    alone = net(ids).logits
    padded = torch.tensor([[0, 0, 5, 11, 3, 11, 0]])
    present = torch.tensor([[0, 0, 1, 1, 1, 1, 0]])
    found = net(padded, attention_mask=present).logits[:, 2:6]
    # float64; rotary positions know distances alone
    torch.testing.assert_close(found, alone, rtol=0, atol=1e-12)


def test_order_matters_and_both_sides_are_seen():
    net = model().requires_grad_(False)
    ids = torch.tensor([[5, 11, 3]])
    law = net(ids).logits[0, 1]
    for at, token in itertools.product((0, 2), (1, 7)):
        other = ids.clone()
        other[0, at] = token
        assert float((net(other).logits[0, 1, :11] - law[:11]).abs().max()) > 1e-4
    assert float((net(ids.flip(1)).logits[0, 1, :11] - law[:11]).abs().max()) > 1e-4


def test_saved_and_loaded_as_safetensors(tmp_path):
    net = model().float()
    net.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    again = FamilyForMaskedDiffusion.from_pretrained(tmp_path).eval()
    assert again.config.mask_token_id == 11
    ids = torch.tensor([[1, 11, 2]])
    assert torch.equal(again(ids).logits, net(ids).logits)
    assert again.lm_head.weight is again.model.embed_tokens.weight


def test_the_trainer_lowers_the_loss(tmp_path):
    rng = np.random.default_rng(0)
    # b follows a: the second half repeats the first
    halves = rng.integers(0, 11, (256, 4))
    rows = [
        {"input_ids": [*h, *h], "labels": [-100] * 4 + [*h], "attention_mask": [1] * 8}
        for h in halves.tolist()
    ]
    torch.manual_seed(0)
    net = FamilyForMaskedDiffusion(MaskedDiffusionConfig(**SIZES))
    how = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=150, per_device_train_batch_size=64,
        learning_rate=1e-2, report_to=[], logging_steps=10, save_strategy="no",
        disable_tqdm=True, use_cpu=True, seed=0,
    )  # fmt: skip
    trainer = transformers.Trainer(model=net, args=how, train_dataset=rows, eval_dataset=rows[:64])
    before = trainer.evaluate()["eval_loss"]
    trainer.train()
    after = trainer.evaluate()["eval_loss"]
    # log 11 = 2.4 nats at first; a copy costs nothing
    assert before > 2.0
    assert after < 0.5 * before


def test_bad_settings_are_refused_in_words():
    with pytest.raises(SettingsError, match=r"mixers is \['mamba'\]; masked diffusion has no"):
        MaskedDiffusionConfig(mixers=["mamba"])
    with pytest.raises(SettingsError, match="window is 4; masked diffusion needs None"):
        MaskedDiffusionConfig(window=4)
    with pytest.raises(SettingsError, match="mask_token_id is 3 with vocab_size 12; the last id"):
        MaskedDiffusionConfig(vocab_size=12, mask_token_id=3)
    ids = torch.zeros(1, 3, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"labels have shape \(1, 3\) and 0 tokens to learn"):
        model()(ids, labels=torch.full((1, 3), -100))
    with pytest.raises(ShapeError, match=r"labels have shape \(1, 2\)"):
        model()(ids, labels=ids[:, :2])
