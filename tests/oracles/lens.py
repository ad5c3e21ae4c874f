"""The lens from its definitions, slow and obvious: whole attention, scans by steps, autograd."""

import functools
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
import transformers
from oracles.pointers import eager_attention
from oracles.tiny_models import _BASE, FAMILIES, tokenizer

from flowgauge.models import HuggingFaceModel

_MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
_WIDE = {k: v for k, v in _BASE.items() if k != "head_dim"}
MORE = {
    **FAMILIES,
    "granite": (
        FAMILIES["granite"][0],
        {**FAMILIES["granite"][1], "residual_multiplier": 0.4},
    ),
    "llama-biases": (transformers.LlamaConfig, {**_BASE, "attention_bias": True}),
    "mixtral": (transformers.MixtralConfig, {**_BASE, "num_local_experts": 4}),
    "mistral": (transformers.MistralConfig, {**_BASE, "sliding_window": 16}),
    "qwen2": (transformers.Qwen2Config, _WIDE),
    "qwen2-moe": (
        transformers.Qwen2MoeConfig,
        {**_WIDE, **_MOE, "shared_expert_intermediate_size": 32},
    ),
    "qwen3": (transformers.Qwen3Config, _BASE),
    "gemma": (transformers.GemmaConfig, _BASE),
    "olmo2": (transformers.Olmo2Config, _WIDE),
    "smollm3": (transformers.SmolLM3Config, _WIDE),
    "mamba-biases": (FAMILIES["mamba"][0], {**FAMILIES["mamba"][1], "use_bias": True}),
    "mamba2-groups": (
        FAMILIES["mamba2"][0],
        {**FAMILIES["mamba2"][1], "n_groups": 2, "use_bias": True, "time_step_limit": (0.6, 0.8)},
    ),
}
ATTENTION = tuple(name for name in MORE if not name.startswith("mamba"))
SCANS = tuple(name for name in MORE if name.startswith("mamba"))


@functools.cache
def stirred(family):
    """A tiny model with no parameter left at 0 or 1: biases and norms are drawn too."""
    config_class, values = MORE[family]
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config_class(**values))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "A_log" in name or "dt_" in name:
                continue
            if parameter.ndim == 2:
                parameter.normal_(0, 0.25)
            else:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return HuggingFaceModel(model, tokenizer(), family)


def layers_of(model):
    return next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList))


def mixer_of(layer):
    return next(getattr(layer, n) for n in ("self_attn", "attn", "mixer") if hasattr(layer, n))


@contextmanager
def recorded(modules, inputs, outputs):
    """Within it, what modules are given and put out is written down in two dictionaries."""

    def hook(name):
        def look(module, args, kwargs, output):
            given = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            inputs[name] = given[0].double()
            outputs[name] = (output[0] if isinstance(output, tuple) else output)[0].double()

        return look

    with ExitStack() as stack:
        for name, module in modules.items():
            handle = module.register_forward_hook(hook(name), with_kwargs=True)
            stack.callback(handle.remove)
        yield


def seen_in_pass(lm, ids, modules):
    """Inputs and outputs (time, width) of modules in one pass, double."""
    inputs, outputs = {}, {}
    with torch.no_grad(), recorded(modules, inputs, outputs):
        lm._model(input_ids=torch.from_numpy(ids)[None], use_cache=False)
    return inputs, outputs


def mixer_vectors(lm, ids, layer, position):
    """(source, width) contributions to what the mixer puts out, and that output, double."""
    mixer = mixer_of(layers_of(lm._model)[layer])
    inputs, outputs = seen_in_pass(lm, ids, {"mixer": mixer})
    x, out = inputs["mixer"].numpy(), outputs["mixer"][position].numpy()
    with torch.no_grad():
        if hasattr(mixer, "A_log"):
            return _scan_vectors(mixer, x, position), out
        attention = eager_attention(lm._model, ids)[layer, :, position]
    return _attention_vectors(mixer, x, attention), out


def _numbers(parameter):
    return parameter.detach().double().numpy()


def _attention_vectors(mixer, x, attention):
    if hasattr(mixer, "c_attn"):
        width = mixer.embed_dim
        v = x @ _numbers(mixer.c_attn.weight)[:, 2 * width :]
        out = _numbers(mixer.c_proj.weight).T
    else:
        v = x @ _numbers(mixer.v_proj.weight).T
        out = _numbers(mixer.o_proj.weight)
    heads = len(attention)
    size = out.shape[1] // heads
    found = np.zeros((len(x), out.shape[0]))
    for head in range(heads):
        value_head = head * (v.shape[1] // size) // heads
        for j in range(len(x)):
            value = v[j, value_head * size : (value_head + 1) * size]
            found[j] += attention[head, j] * (out[:, head * size : (head + 1) * size] @ value)
    return found


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _scan_vectors(mixer, x, position):
    """Each token alone through the recurrence, coefficients as the whole text made them."""
    p = {name: _numbers(value) for name, value in mixer.named_parameters()}
    fused = x @ p["in_proj.weight"].T + p.get("in_proj.bias", 0)
    is_second = "dt_bias" in p
    inner = p["out_proj.weight"].shape[1]
    if is_second:
        z, held = fused[:, :inner], fused[:, inner : inner + mixer.conv_dim]
        dt = np.logaddexp(0, fused[:, inner + mixer.conv_dim :] + p["dt_bias"])
        dt = dt.clip(*mixer.time_step_limit)
    else:
        held, z = fused[:, :inner], fused[:, inner:]
    kernel = p["conv1d.weight"][:, 0]
    lags = kernel.shape[1]
    sums = np.zeros_like(held)
    for j in range(len(x)):
        sums[j] = p["conv1d.bias"]
        for lag in range(min(lags, j + 1)):
            sums[j] += kernel[:, lags - 1 - lag] * held[j - lag]
    gain = _sigmoid(sums)
    u = sums * gain
    a, b, c, dt, skip = _coefficients(mixer, p, u, dt if is_second else None)

    def scanned(entering):
        state = np.zeros_like(a)
        out = np.zeros((len(x), inner))
        for i in range(position + 1):
            state = np.exp(a * dt[i][:, None]) * state
            state = state + (dt[i] * entering[i])[:, None] * b[i]
            out[i] = (state * c[i]).sum(-1) + skip * entering[i]
        return out[position]

    gate = z[position] * _sigmoid(z[position])
    if is_second:
        whole = (scanned(u[:, :inner]) * gate).reshape(mixer.n_groups, -1)
        scale = np.sqrt((whole**2).mean(-1, keepdims=True) + mixer.norm.variance_epsilon)
        gate = gate * p["norm.weight"] / np.broadcast_to(scale, whole.shape).ravel()
    found = np.zeros((len(x), len(p["out_proj.weight"])))
    for t in range(position + 1):
        entering = np.zeros((len(x), inner))
        for lag in range(lags):
            if t + lag < len(x):
                part = gain[t + lag] * kernel[:, lags - 1 - lag] * held[t]
                entering[t + lag] = part[:inner]
        found[t] = p["out_proj.weight"] @ (gate * scanned(entering))
    return found


def _coefficients(mixer, p, u, dt):
    """a (channel, state), b and c (time, channel, state), dt (time, channel), skip (channel,)."""
    inner, n = p["out_proj.weight"].shape[1], mixer.ssm_state_size
    if dt is None:
        low, b, c = np.split(u @ p["x_proj.weight"].T, np.cumsum([mixer.time_step_rank, n]), axis=1)
        dt = np.logaddexp(0, low @ p["dt_proj.weight"].T + p["dt_proj.bias"])
        shape = (len(u), inner, n)
        b, c = (np.broadcast_to(part[:, None], shape) for part in (b, c))
        return -np.exp(p["A_log"]), b, c, dt, p["D"]
    size, groups = mixer.head_dim, mixer.n_groups
    b, c = (
        np.repeat(part.reshape(len(u), groups, n), inner // groups, axis=1)
        for part in np.split(u[:, inner:], 2, axis=1)
    )
    a = np.repeat(-np.exp(p["A_log"]), size)[:, None] * np.ones((1, n))
    return a, b, c, np.repeat(dt, size, axis=1), np.repeat(p["D"], size)


def final_parts(lm):
    """The final norm's module, and log P of every token as a function of the state before it."""
    model = lm._model
    body = model.base_model
    norm = next(getattr(body, n) for n in ("norm", "ln_f", "norm_f") if hasattr(body, n))
    config = model.config

    def log_law(before):
        logits = model.get_output_embeddings()(norm(before))
        cap = getattr(config, "final_logit_softcapping", None)
        if cap:
            logits = cap * torch.tanh(logits / cap)
        logits = logits * (getattr(config, "logit_scale", None) or 1)
        logits = logits / (getattr(config, "logits_scaling", None) or 1)
        return torch.log_softmax(logits, -1)

    return norm, log_law


def gradients(lm, tokens):
    """(time, width) gradient of log P of each response token at the state before the norm."""
    ids = np.concatenate((tokens.prompt_ids, tokens.response_ids[:-1]))
    norm, log_law = final_parts(lm)
    inputs, _ = seen_in_pass(lm, ids, {"norm": norm})
    time = len(tokens.response_ids)
    before = inputs["norm"][-time:].float().requires_grad_()
    written = log_law(before)[torch.arange(time), torch.from_numpy(tokens.response_ids)]
    (found,) = torch.autograd.grad(written.sum(), before)
    return found.double().numpy(), before.detach()


def joined(lm, layer, vectors, output):
    """Contributions to a mixer's output as contributions to the residual stream."""
    block = layers_of(lm._model)[layer]
    if hasattr(block, "post_feedforward_layernorm"):
        with torch.no_grad():
            after = block.post_attention_layernorm(torch.from_numpy(output).float()[None])[0]
        # A norm without a bias multiplies each number by its own factor.
        vectors = vectors * (after.double().numpy() / output)
    return vectors * getattr(block, "residual_multiplier", 1.0)


def effects_of(lm, tokens):
    """(layer, source, response) effects, one inner product at a time."""
    ids = np.concatenate((tokens.prompt_ids, tokens.response_ids[:-1]))
    toward, _ = gradients(lm, tokens)
    depth, time = len(layers_of(lm._model)), len(tokens.response_ids)
    out = np.zeros((depth, len(ids), time))
    for layer in range(depth):
        for i in range(time):
            position = len(tokens.prompt_ids) - 1 + i
            vectors, output = mixer_vectors(lm, ids, layer, position)
            vectors = joined(lm, layer, vectors, output)
            for j in range(len(ids)):
                out[layer, j, i] = vectors[j] @ toward[i]
    return out
