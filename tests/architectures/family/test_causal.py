"""`FamilyForCausalLM` as a model of transformers: first weights, files, loss, training."""

import math

import pytest
import torch
import transformers
from oracles.architectures import error, filled
from oracles.family import STACKS, config_of, model_of, tokens
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from flowgauge.architectures import router_load
from flowgauge.architectures.family import (
    FamilyConfig,
    FamilyForCausalLM,
    FamilyModel,
    register_family,
)
from flowgauge.errors import SettingsError
from flowgauge.models.quiet import quiet_transformers


@pytest.mark.parametrize("stack", STACKS)
def test_what_is_saved_is_what_is_loaded(stack, tmp_path):
    model, ids = model_of(stack), tokens(2, 9)
    with quiet_transformers():
        model.save_pretrained(tmp_path)
        again = FamilyForCausalLM.from_pretrained(tmp_path)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}
    assert torch.equal(again(ids).logits, model(ids).logits)
    weights = load_file(tmp_path / "model.safetensors")
    assert ("lm_head.weight" in weights) != ("model.embed_tokens.weight" in weights)
    assert again.lm_head.weight is again.model.embed_tokens.weight
    assert not again.training


def test_an_untied_output_matrix_is_its_own(tmp_path):
    model = model_of("mamba2", tie_word_embeddings=False)
    with quiet_transformers():
        model.save_pretrained(tmp_path)
        again = FamilyForCausalLM.from_pretrained(tmp_path)
    assert {"lm_head.weight", "model.embed_tokens.weight"} <= set(
        load_file(tmp_path / "model.safetensors")
    )
    assert not torch.equal(again.lm_head.weight, again.model.embed_tokens.weight)
    assert torch.equal(again(tokens(1, 5)).logits, model(tokens(1, 5)).logits)


def test_auto_classes_know_the_family_once_it_is_registered(tmp_path):
    register_family()
    register_family()
    model = model_of("hybrid")
    with quiet_transformers():
        model.save_pretrained(tmp_path)
        config = transformers.AutoConfig.from_pretrained(tmp_path)
        again = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(config) is FamilyConfig
    assert type(again) is FamilyForCausalLM
    assert torch.equal(again(tokens(1, 5)).logits, model(tokens(1, 5)).logits)


def test_first_weights_are_those_that_are_promised():
    torch.manual_seed(0)
    config = config_of("hybrid", width=64, feed_forward=256, mixers=["mamba2", "attention"] * 2)
    model = FamilyForCausalLM(config)
    maps = {name: parameter.detach() for name, parameter in model.named_parameters()}
    for name, length, back in (
        ("model.layers.1.mixer.q_proj.weight", 64, 1),
        ("model.layers.1.mixer.o_proj.weight", 64, 8),
        ("model.layers.0.mixer.in_proj.weight", 64, 1),
        ("model.layers.0.mixer.out_proj.weight", 128, 8),
        ("model.layers.0.feed_forward.up_proj.weight", 64, 1),
        ("model.layers.0.feed_forward.down_proj.weight", 256, 8),
    ):
        # 10 %: at least 4,096 draws each, a standard error of about 1 %.
        assert float(maps[name].std()) == pytest.approx((length * back) ** -0.5, rel=0.1), name
    assert float(maps["model.embed_tokens.weight"].std()) == pytest.approx(0.02, rel=0.05)
    mixer = model.model.layers[0].mixer
    assert torch.equal(mixer.A_log, torch.arange(1.0, 17).log())  # 16 heads
    steps = torch.nn.functional.softplus(mixer.dt_bias.detach())
    assert 0.9e-3 < float(steps.min()) < float(steps.max()) < 0.11
    assert (model.model.norm.weight == 1).all()
    ids = tokens(4, 50)
    # Embeddings of 0.02 give logits of 0.02 · √64 = 0.16: the first law is nearly uniform.
    assert _loss_of(model, ids, labels=ids) == pytest.approx(math.log(512), abs=0.1)


def test_mamba_starts_with_the_steps_and_rates_of_its_source():
    torch.manual_seed(0)
    mixer = FamilyForCausalLM(config_of("mamba")).model.layers[1].mixer
    steps = torch.nn.functional.softplus(mixer.dt_proj.bias.detach())
    assert 0.9e-3 < float(steps.min()) < float(steps.max()) < 0.11
    assert torch.equal(mixer.A_log, torch.arange(1.0, 7).log().expand(64, 6))
    assert float(mixer.dt_proj.weight.detach().abs().max()) <= mixer.rank**-0.5
    assert (mixer.D == 1).all()


@torch.no_grad()
def _loss_of(model, *args, **kwargs):
    return float(model(*args, **kwargs).loss)


@pytest.mark.parametrize("stack", ["attention", "experts"])
@torch.no_grad()
def test_the_loss_is_the_mean_surprisal_of_the_labels(stack):
    model, ids = model_of(stack), tokens(3, 12)
    labels = ids.clone()
    labels[1, :7] = -100
    out = model(ids, labels=labels)
    nats = cross_entropy(out.logits[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    kept = labels[:, 1:] != -100
    # 1e-5: float32 means over 27 tokens.
    assert float(out.loss) == pytest.approx(float(nats[kept].mean()), rel=1e-5)
    summed = model(ids, labels=labels, num_items_in_batch=torch.tensor(54)).loss
    assert float(summed) == pytest.approx(float(out.loss) / 2, rel=1e-5)
    tuple_out = model(ids, labels=labels, return_dict=False)
    assert torch.equal(tuple_out[0], out.loss)
    assert torch.equal(tuple_out[1], out.logits)
    model.config.return_dict = False
    assert torch.equal(model(ids, labels=labels)[0], out.loss)


def test_in_training_the_balance_of_the_experts_counts_too():
    model, ids = model_of("experts"), tokens(3, 12)
    with torch.no_grad():
        evaluated = model(ids, labels=ids, output_load=True)
    assert len(evaluated.loads) == 2
    balance = sum(float(load.balance_loss) for load in evaluated.loads) / 2
    assert balance > 2.0  # two experts of three for each position; 2 when balanced
    trained = model.train()(ids, labels=ids)
    assert trained.loads is None
    added = float(trained.loss.detach() - evaluated.loss)
    assert added == pytest.approx(0.01 * balance, rel=1e-3)
    trained.loss.backward()
    gate = model.model.layers[0].feed_forward.gate.weight
    assert float(gate.grad.abs().max()) > 0
    model.config.balance_weight = 5.0
    added = _loss_of(model, ids, labels=ids) - float(evaluated.loss)
    assert added == pytest.approx(5 * balance, rel=1e-4)


@torch.no_grad()
def test_loads_are_those_of_the_positions_that_exist():
    model, ids = model_of("experts"), tokens(2, 10)
    mask = torch.ones_like(ids)
    mask[0, :6] = 0
    seen = []
    mixture = model.model.layers[1].feed_forward
    handle = mixture.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    load = model(ids, attention_mask=mask, output_load=True).loads[1]
    handle.remove()
    expected = router_load(mixture.router_law(seen[0][mask.bool()]), 2)
    torch.testing.assert_close(load.share, expected.share)
    assert float(load.share.sum()) == pytest.approx(2)
    assert model_of("attention")(ids, output_load=True).loads == ()


def test_states_of_all_layers_on_request():
    model, ids = model_of("hybrid"), tokens(2, 7)
    out = model(ids, output_hidden_states=True)
    assert [tuple(h.shape) for h in out.hidden_states] == [(2, 7, 32)] * 3
    assert torch.equal(out.hidden_states[0], model.model.embed_tokens(ids))
    assert torch.equal(model.lm_head(out.hidden_states[2]), out.logits)
    assert torch.equal(model.model.layers[0](out.hidden_states[0]), out.hidden_states[1])
    assert model(ids).hidden_states is None


def test_only_wanted_positions_get_logits():
    model, ids = model_of("mamba2"), tokens(2, 7)
    whole = model(ids).logits
    assert torch.equal(model(ids, logits_to_keep=2).logits, whole[:, -2:])
    assert torch.equal(model(ids, logits_to_keep=torch.tensor([1, 4])).logits, whole[:, [1, 4]])


def test_bad_calls_are_refused():
    model = model_of("attention")
    with pytest.raises(SettingsError, match="exactly one of input_ids and inputs_embeds"):
        model()
    u = model.model.embed_tokens(tokens(1, 4))
    with pytest.raises(SettingsError, match="exactly one"):
        model(tokens(1, 4), inputs_embeds=u)
    assert torch.equal(model(inputs_embeds=u).logits, model(tokens(1, 4)).logits)
    with pytest.raises(TypeError, match="past_key_values"):
        model(tokens(1, 4), past_key_values=None)


@pytest.mark.parametrize("stack", STACKS)
def test_gradients_do_not_depend_on_padding(stack):
    ids, rows = tokens(1, 8), []
    for padding in (0, 5):
        model = model_of(stack, torch.float64).train()
        row = torch.cat([tokens(1, padding, seed=9), ids], dim=1)
        labels = torch.cat([torch.full((1, padding), -100), ids], dim=1)
        mask = (torch.arange(8 + padding) >= padding).long()[None]
        if padding:
            labels[0, padding] = -100  # alone, the first token is not predicted either
        model(row, attention_mask=mask, labels=labels).loss.backward()
        rows.append({n: p.grad for n, p in model.named_parameters()})
    for name, gradient in rows[0].items():
        assert error(rows[1][name] + 1, gradient + 1) <= 1e-9, name


def test_the_library_trains_it(tmp_path):
    """A Trainer of transformers, a cycle of 16 tokens: the loss falls from log 512."""
    torch.manual_seed(0)
    model = FamilyForCausalLM(config_of("hybrid"))
    cycle = torch.arange(3, 19)
    rows = [{"input_ids": row, "labels": row} for row in (cycle.roll(k) for k in range(16))]
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path), max_steps=30, per_device_train_batch_size=8, learning_rate=3e-3,
        report_to=[], save_strategy="no", logging_steps=30, disable_tqdm=True, use_cpu=True, seed=0,
        lr_scheduler_type="constant", dataloader_pin_memory=False,
    )  # fmt: skip
    with quiet_transformers():
        trainer = transformers.Trainer(
            model=model, args=arguments, train_dataset=rows, eval_dataset=rows
        )
        before = trainer.evaluate()["eval_loss"]
        trainer.train()
        after = trainer.evaluate()["eval_loss"]
        trainer.save_model(tmp_path / "mine")
    assert before == pytest.approx(math.log(512), abs=0.2)
    assert after < 0.5 * before
    again = FamilyForCausalLM.from_pretrained(tmp_path / "mine")
    ids = torch.stack([row["input_ids"] for row in rows])
    assert _loss_of(again, ids, labels=ids) == pytest.approx(after, rel=1e-4)


def test_the_body_stands_alone_and_takes_a_filled_member():
    body = FamilyModel(config_of("mamba2")).eval()
    filled(body.layers[0].mixer, 3, torch.float32)
    assert body(tokens(1, 4)).last_hidden_state.shape == (1, 4, 32)
    first = body(tokens(1, 4), return_dict=False)
    assert torch.equal(first[0], body(tokens(1, 4)).last_hidden_state)
