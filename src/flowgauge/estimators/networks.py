"""The only torch of this folder: small networks and the one loop that fits them.

Imported inside functions, so that `import flowgauge.estimators` stays light. Everything is float64
on the CPU and drawn
from a local generator: the global random state is neither read nor moved.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from flowgauge.errors import ConvergenceError
from flowgauge.estimators.training import Training
from flowgauge.records import FloatArray

#: Rows of one piece when a split is looked at as a whole; bounds the memory of score matrices.
PIECE = 1024

#: A loss per batch: the network and rows of each array.
Loss = Callable[[nn.Module, Sequence[Tensor]], Tensor]


class Mlp(nn.Module):
    """Perceptron beside a linear map, so that hidden layers need not learn what is linear."""

    def __init__(
        self,
        inputs: int,
        hidden: tuple[int, ...],
        outputs: int,
        *,
        last_scale: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        widths = (inputs, *hidden)
        self.weights = nn.ParameterList(
            _normal((a, b), 1.0, generator) for a, b in zip(widths, hidden, strict=False)
        )
        self.biases = nn.ParameterList(_normal((b,), 0.3, generator, fan_in=1) for b in hidden)
        self.last = _normal((hidden[-1], outputs), last_scale, generator)
        self.skip = _normal((inputs, outputs), last_scale, generator)
        self.constant = nn.Parameter(torch.zeros(outputs, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """(sample, inputs) to (sample, outputs)."""
        h = x
        for weight, bias in zip(self.weights, self.biases, strict=True):
            h = nn.functional.silu(h @ weight + bias)
        return h @ self.last + x @ self.skip + self.constant


class Critic(nn.Module):
    """T(x, y) = f(x)·g(y)/√E + a(x) + b(y), held in ±ceiling by tanh.

    All pairs of a batch cost one matrix product. The ceiling keeps one stray pair from ruling
    E'[e^T]; at log n it takes away only what n pairs could not certify.
    """

    def __init__(
        self,
        inputs: tuple[int, int],
        hidden: tuple[int, ...],
        *,
        ceiling: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.width, self.ceiling = 32, ceiling
        # one side starts at 0: so does T, yet its gradient does not, and where x and y are
        # independent the best fit is that of no step
        self.x_side = Mlp(inputs[0], hidden, self.width + 1, last_scale=0.0, generator=generator)
        self.y_side = Mlp(inputs[1], hidden, self.width, last_scale=1.0, generator=generator)
        self.y_alone = Mlp(inputs[1], hidden, 1, last_scale=0.0, generator=generator)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, dim_x) and (n, dim_y) to the scores (n, n) of all pairs."""
        f, g = self.x_side(x), self.y_side(y)
        product: Tensor = f[:, :-1] @ g.T / math.sqrt(self.width)
        scores = product + f[:, -1:] + self.y_alone(y)[:, 0]
        return self.ceiling * torch.tanh(scores / self.ceiling)


class Density(nn.Module):
    """A law of y that learns from more and more columns of the features.

    Each stage, a linear map or a network on the first columns, is added at 0: a richer law begins
        as the poorer one and leaves it only where that helps on held-out rows.
    """

    def __init__(self, parameters: Tensor, linear_outputs: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(parameters)
        self.linear_outputs = linear_outputs
        self.linears = nn.ParameterList()
        self.networks = nn.ModuleList()
        self.network_inputs: list[int] = []

    def add_linear(self, inputs: int) -> None:
        """A linear dependence on the first `inputs` columns, of few parameters."""
        zeros = torch.zeros((inputs, self.linear_outputs), dtype=torch.float64)
        self.linears.append(nn.Parameter(zeros))

    def add_network(self, inputs: int, hidden: tuple[int, ...], generator: torch.Generator) -> None:
        """A network from the first `inputs` columns to all parameters."""
        self.network_inputs.append(inputs)
        outputs = len(self.constant)
        self.networks.append(Mlp(inputs, hidden, outputs, last_scale=0.0, generator=generator))

    def linear_at(self, features: Tensor) -> Tensor:
        """(sample, linear output) the sum of the linear maps."""
        total = torch.zeros((len(features), self.linear_outputs), dtype=torch.float64)
        for matrix in self.linears:
            total = total + features[:, : len(matrix)] @ matrix
        return total

    def parameters_at(self, features: Tensor) -> Tensor:
        """(sample, parameter) the constant and the networks."""
        total = self.constant.expand(len(features), -1)
        for network, inputs in zip(self.networks, self.network_inputs, strict=True):
            total = total + network(features[:, :inputs])
        return total


class SoftmaxDensity(Density):
    """A law on symbols 0..K−1; the linear maps act on its logits."""

    def __init__(self, n_symbols: int) -> None:
        super().__init__(torch.zeros(n_symbols, dtype=torch.float64), n_symbols)

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """(sample,) log-probability of the symbols y (sample,)."""
        logits = self.parameters_at(features) + self.linear_at(features)
        log_p = torch.log_softmax(logits, dim=1)
        return log_p.gather(1, y[:, None])[:, 0]


class MixtureDensity(Density):
    """A mixture of Gaussians with full precision matrices; the linear maps shift it whole."""

    def __init__(self, dim: int, components: int, generator: torch.Generator) -> None:
        self.dim, self.components = dim, components
        self.rows, self.columns = torch.tril_indices(dim, dim, offset=-1)
        means = torch.randn((components, dim), generator=generator, dtype=torch.float64)
        rest = torch.zeros((components, 1 + dim + len(self.rows)), dtype=torch.float64)
        super().__init__(torch.cat([0.5 * means, rest], dim=1).reshape(-1), dim)

    def forward(self, features: Tensor, y: Tensor) -> Tensor:
        """(sample,) log-density at y (sample, dim)."""
        dim = self.dim
        raw = self.parameters_at(features).reshape(len(features), self.components, -1)
        means, log_weights = raw[..., :dim], torch.log_softmax(raw[..., dim], dim=1)
        log_diagonal, below = raw[..., dim + 1 : 2 * dim + 1], raw[..., 2 * dim + 1 :]
        factor = torch.diag_embed(torch.exp(log_diagonal))
        factor[..., self.rows, self.columns] = below
        shifted = (y - self.linear_at(features))[:, None, :]
        white = (factor @ (shifted - means)[..., None])[..., 0]
        log_normal = log_diagonal.sum(-1) - 0.5 * (white**2).sum(-1)
        constant = -0.5 * dim * math.log(2 * math.pi)
        return torch.logsumexp(log_weights + log_normal, dim=1) + constant


def generator_from(rng: np.random.Generator) -> torch.Generator:
    """A local torch generator seeded by the caller's."""
    return torch.Generator().manual_seed(int(rng.integers(2**63 - 1)))


def fit(
    network: nn.Module,
    loss: Loss,
    arrays: Sequence[Tensor],
    training: Training,
    generator: torch.Generator,
) -> tuple[int, bool]:
    """Adam until the validation loss stops falling; the best state is put back.

    Returns:
        Steps taken, and whether the fit stopped by itself.

    Raises:
        ConvergenceError: The loss is not finite even before the first step.
    """
    n_fit, n_validation, _ = training.split_sizes(len(arrays[0]))
    fit_rows = [a[:n_fit] for a in arrays]
    validation = [a[n_fit : n_fit + n_validation] for a in arrays]
    optimiser = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    best, best_state, waited = _mean_loss(network, loss, validation), _state(network), 0
    if not math.isfinite(best):
        raise ConvergenceError(f"the loss is {best} before the first step: rescale the data")
    batches = _batches(fit_rows, training.batch_size, generator)
    for step in range(1, training.max_steps + 1):
        optimiser.zero_grad()
        loss(network, next(batches)).backward()
        # one heavy-tailed batch must not throw the fit away
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % training.check_every:
            continue
        now = _mean_loss(network, loss, validation)
        best, best_state, waited = (
            (now, _state(network), 0) if now < best else (best, best_state, waited + 1)
        )
        if waited >= training.patience or not math.isfinite(now):
            network.load_state_dict(best_state)
            return step, True
    network.load_state_dict(best_state)
    return training.max_steps, False


def evaluate_pieces(
    function: Callable[[Sequence[Tensor]], Tensor], arrays: Sequence[Tensor], size: int
) -> list[FloatArray]:
    """The function on pieces of at most `size` rows, as numpy, without gradients."""
    with torch.no_grad():
        return [function(piece).numpy() for piece in _pieces(arrays, size)]


def _pieces(arrays: Sequence[Tensor], size: int) -> list[list[Tensor]]:
    """Nearly equal pieces of at most `size` rows."""
    count = -(-len(arrays[0]) // size)
    return [list(piece) for piece in zip(*(a.tensor_split(count) for a in arrays), strict=True)]


def _mean_loss(network: nn.Module, loss: Loss, arrays: Sequence[Tensor]) -> float:
    """The loss of a whole split, piece by piece."""
    with torch.no_grad():
        pieces = [(float(loss(network, p)), len(p[0])) for p in _pieces(arrays, PIECE)]
    return sum(value * rows for value, rows in pieces) / len(arrays[0])


def _batches(
    arrays: Sequence[Tensor], size: int, generator: torch.Generator
) -> Iterator[list[Tensor]]:
    """Batches without replacement, epoch after epoch, for ever."""
    n = len(arrays[0])
    size = min(size, n)
    while True:
        order = torch.randperm(n, generator=generator)
        for start in range(0, n - size + 1, size):
            yield [a[order[start : start + size]] for a in arrays]


def _state(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def _normal(
    shape: tuple[int, ...], scale: float, generator: torch.Generator, fan_in: int | None = None
) -> nn.Parameter:
    """Normal entries of standard deviation scale/√fan_in."""
    spread = scale / math.sqrt(max(shape[0] if fan_in is None else fan_in, 1))
    return nn.Parameter(spread * torch.randn(shape, generator=generator, dtype=torch.float64))
