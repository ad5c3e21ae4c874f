"""Members of the family by their definitions, one number at a time in float64; shared checks."""

import cmath
import math

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from flowgauge.architectures import apply_coefficients, unroll


def filled(module, seed=0, dtype=torch.float64, scale=1.0):
    """The module with every matrix drawn N(0, scale²/fan-in), so that no law is near uniform."""
    rng = np.random.default_rng(seed)
    module = module.to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            drawn = rng.normal(size=parameter.shape) * scale / math.sqrt(parameter.shape[-1])
            parameter.copy_(torch.from_numpy(drawn))
    return module


def drawn(*shape, seed=0, dtype=torch.float64):
    """Standard normal numbers."""
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).to(dtype)


def error(found, expected):
    """Largest difference over the largest entry expected."""
    found, expected = found.detach(), expected.detach()
    return float((found - expected).abs().max() / expected.abs().max())


def assert_forms_agree(member, u, tolerance):
    """Parallel = recurrent = explicit coefficients (these up to 24 positions)."""
    whole = member.parallel(u)
    assert whole.shape == u.shape
    assert whole.dtype == u.dtype
    assert error(unroll(member, u), whole) <= tolerance
    if u.shape[1] <= 24:
        a = member.coefficients(u)
        assert error(apply_coefficients(a, u) + member.constant(u), whole) <= tolerance
        later = torch.ones(u.shape[1], u.shape[1]).triu(1).bool()
        assert (a[:, later] == 0).all()


def gradients(loss, module, *inputs):
    """name -> gradient of a loss, those of inputs under their index."""
    named = dict(module.named_parameters())
    found = torch.autograd.grad(loss, [*inputs, *named.values()])
    return dict(zip([*range(len(inputs)), *named], found, strict=True))


def assert_gradients_agree(member, u, tolerance):
    """Training in parallel form moves every weight as back-propagation through the steps would."""
    u = u.clone().requires_grad_()
    pull = drawn(*u.shape, seed=99, dtype=u.dtype)
    whole = gradients((member.parallel(u) * pull).sum(), member, u)
    steps = gradients((unroll(member, u) * pull).sum(), member, u)
    for name, gradient in whole.items():
        assert error(steps[name], gradient) <= tolerance, name


def assert_gradcheck(member, u):
    """Gradients of the parallel form against finite differences, for u and every weight."""
    named = dict(member.named_parameters())

    def run(u, *values):
        return torch.func.functional_call(member, dict(zip(named, values, strict=True)), (u,))

    assert torch.autograd.gradcheck(run, (u.requires_grad_(), *named.values()))


def largest_tensor(run):
    """Most numbers in any tensor that an operation of `run` gives, forward only."""
    sizes = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            parts = out if isinstance(out, tuple) else (out,)
            sizes.extend(part.numel() for part in parts if isinstance(part, torch.Tensor))
            return out

    with torch.no_grad(), Watch():
        run()
    return max(sizes)


def turned(x, position, base):
    """RoPE by complex numbers: entry k and k + d/2 are one, multiplied by e^{i m θ_k}."""
    half = len(x) // 2
    out = np.empty(len(x))
    for k in range(half):
        angle = position * base ** (-2 * k / len(x))
        z = complex(x[k], x[k + half]) * cmath.exp(1j * angle)
        out[k], out[k + half] = z.real, z.imag
    return out


def attention_loops(member, u, seen=None):
    """Softmax attention number by number: π (batch, head, time, time) and outputs, numpy.

    seen(b, i) names the positions that i reads; by default those of the causal window.
    """
    config = member.config
    w_q, w_k, w_v, w_o = (
        getattr(member, name).weight.detach().double().numpy()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj")
    )
    u = u.detach().double().numpy()
    d, group = config.size, config.heads // config.key_heads

    def window(_, i):
        return range(0 if config.window is None else max(0, i - config.window + 1), i + 1)

    pi = np.zeros((len(u), config.heads, u.shape[1], u.shape[1]))
    x = np.zeros_like(u)
    for b, h, i in np.ndindex(pi.shape[:3]):
        shared = h // group
        q = w_q[h * d : (h + 1) * d] @ u[b, i]
        places = list((seen or window)(b, i))
        scores = []
        for j in places:
            k = w_k[shared * d : (shared + 1) * d] @ u[b, j]
            if config.rotary is not None:
                k = turned(k, j - i, config.rotary.base)
            scores.append(q @ k / math.sqrt(d))
        powers = np.exp(np.array(scores) - max(scores))
        pi[b, h, i, places] = powers / powers.sum()
        for j in places:
            value = w_v[shared * d : (shared + 1) * d] @ u[b, j]
            x[b, i] += pi[b, h, i, j] * w_o[:, h * d : (h + 1) * d] @ value
    return pi, x


def linear_attention_loops(member, u):
    """Linear attention position by position: π (batch, head, time, time) and outputs, numpy."""
    w_q, w_k, w_v, w_o = (
        getattr(member, name).weight.detach().double().numpy()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj")
    )
    u = u.detach().double().numpy()
    d = member.width // member.config.heads
    pi = np.zeros((len(u), member.config.heads, u.shape[1], u.shape[1]))
    x = np.zeros_like(u)

    def phi(values):
        return np.array([v + 1 if v > 0 else math.exp(v) for v in values])

    for b, h, i in np.ndindex(pi.shape[:3]):
        rows = slice(h * d, (h + 1) * d)
        products = [phi(w_q[rows] @ u[b, i]) @ phi(w_k[rows] @ u[b, j]) for j in range(i + 1)]
        for j in range(i + 1):
            pi[b, h, i, j] = products[j] / sum(products)
            x[b, i] += pi[b, h, i, j] * w_o[:, rows] @ w_v[rows] @ u[b, j]
    return pi, x


def mixture_loops(block, x):
    """Every expert computed for every row, then weighed: p(e | x) and Ψ(x), numpy."""
    w_g = block.gate.weight.detach().double().numpy()
    rows = x.detach().double().numpy().reshape(-1, x.shape[-1])
    law = np.zeros((len(rows), block.config.experts))
    out = np.zeros_like(rows)
    for r, row in enumerate(rows):
        logits = w_g @ row
        chosen = sorted(range(len(logits)), key=lambda e: -logits[e])[: block.config.top_k]
        powers = {e: math.exp(logits[e] - max(logits)) for e in chosen}
        for e in chosen:
            law[r, e] = powers[e] / sum(powers.values())
            w_gate, w_up, w_down = (
                getattr(block.experts[e], name).weight.detach().double().numpy()
                for name in ("gate_proj", "up_proj", "down_proj")
            )
            gate = w_gate @ row
            out[r] += law[r, e] * w_down @ (gate / (1 + np.exp(-gate)) * (w_up @ row))
    return law, out
