"""Multi-head attention with its bilinear form explicit (paper V, Eq. 48–49).

    here                source                           paper
    u                   hidden states (Vaswani 2017, §3.2)   u_j
    bilinear(h, i − j)  W_Qᵀ W_K, turned (Su 2021, §3.4)     B_h (Eq. 48)
    weights             softmax of scores                π^h_ij (Eq. 49)
    coefficients        Σ_h π^h_ij W_O^h W_V^h           A_ij
    kv_heads            1: multi-query; between: grouped (Ainslie 2023)   –
    window              last positions that are seen (Jiang 2023, §2)     –

The score is u_iᵀ B_h u_j / √d, d being the width of a head; position i sees itself and what is
before. No biases, so the form has no constant.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from flowgauge.architectures.rotary import Rotary
from flowgauge.architectures.tvvar import TVVAR, State, check_explicit, check_input, check_mask
from flowgauge.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionConfig:
    """Sizes of an attention.

    Args:
        width: Length of one u_j.
        heads: Query heads.
        kv_heads: Key and value heads; None: as many as query heads, 1: multi-query.
        head_width: d; None: width / heads.
        window: How many positions are seen, one's own included; None: all.
        rotary: Rotary positions; None: no positions at all.

    Raises:
        SettingsError: Sizes that do not divide, or are below 1.

    Example:
        >>> AttentionConfig(width=8, heads=3)
        Traceback (most recent call last):
        flowgauge.errors.SettingsError: width = 8 is no multiple of heads = 3; choose another number
        of heads, or set head_width
    """

    width: int
    heads: int
    kv_heads: int | None = None
    head_width: int | None = None
    window: int | None = None
    rotary: Rotary | None = None

    def __post_init__(self) -> None:
        sizes = (self.width, self.heads, self.kv_heads, self.head_width, self.window)
        if any(size is not None and size < 1 for size in sizes):
            raise SettingsError(f"{self}: every size must be at least 1")
        if self.head_width is None and self.width % self.heads:
            raise SettingsError(
                f"width = {self.width} is no multiple of heads = {self.heads}; choose another "
                "number of heads, or set head_width"
            )
        if self.heads % self.key_heads:
            raise SettingsError(
                f"heads = {self.heads} is no multiple of kv_heads = {self.kv_heads}; each key and "
                "value head must serve the same number of query heads"
            )
        if self.rotary is not None and self.size % 2:
            raise SettingsError(
                f"rotary positions turn pairs, so an even head_width is needed; {self.size} came"
            )

    @property
    def key_heads(self) -> int:
        """Number of key and value heads."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def size(self) -> int:
        """Width of a head, the d of √d."""
        return self.width // self.heads if self.head_width is None else self.head_width


class Attention(TVVAR):
    """Softmax attention: A_ij = Σ_h π^h_ij W_O^h W_V^h.

    Its projections carry the names common in published weights, so that those load as they are.

    Args:
        config: Sizes.

    References:
        [vaswani:17]; [su:21]; [ainslie:23]; [jiang:23]; paper, Eq. 48–49; docs/paper_index.md,
        section 8.

    Example:
        >>> attention = Attention(AttentionConfig(width=4, heads=2))
        >>> u = torch.ones(1, 3, 4)
        >>> attention.weights(u)[0, 0].round(decimals=2).tolist()[1]
        [0.5, 0.5, 0.0]
    """

    #: Whether a position sees itself and what is before alone.
    is_causal = True

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__()
        self.config, self.width = config, config.width
        inner, shared = config.heads * config.size, config.key_heads * config.size
        self.q_proj = nn.Linear(config.width, inner, bias=False)
        self.k_proj = nn.Linear(config.width, shared, bias=False)
        self.v_proj = nn.Linear(config.width, shared, bias=False)
        self.o_proj = nn.Linear(inner, config.width, bias=False)

    def bilinear(self, head: int, distance: int = 0) -> Tensor:
        """B_h between position i and j = i − distance: (width, width), score u_iᵀ B_h u_j / √d.

        Without rotary positions it is W_Qᵀ W_K at every distance. Its rank is at most d.

        Args:
            head: 0 ≤ head < heads.
            distance: i − j, 0 or more where positions have an order.

        Raises:
            SettingsError: No such head, or a position that comes later.
        """
        if not 0 <= head < self.config.heads or (self.is_causal and distance < 0):
            raise SettingsError(
                f"head = {head}, distance = {distance}; a head below {self.config.heads} and a "
                "distance of at least 0 are needed"
            )
        w_q = self.q_proj.weight.unflatten(0, (self.config.heads, -1))[head]
        w_k = self._of_each_head(self.k_proj.weight)[head]
        if self.config.rotary is None:
            return w_q.T @ w_k
        return w_q.T @ self.config.rotary.matrix(distance, w_q.T) @ w_k

    def weights(self, u: Tensor) -> Tensor:
        """π^h_ij: (batch, head, time, time), rows sum to 1. Written out, for looking.

        Raises:
            ShapeError: u is not (batch, time, width).
        """
        _, time, _ = check_input(u, self.width)
        age = torch.arange(time, device=u.device)[:, None] - torch.arange(time, device=u.device)
        return self._weights_among(u, self._seen(age))

    def coefficients(self, u: Tensor) -> Tensor:
        """A_ij = Σ_h π^h_ij W_O^h W_V^h: (batch, time, time, width, width)."""
        check_explicit(u, self.width)
        return self._through_heads(self.weights(u))

    def parallel(self, u: Tensor) -> Tensor:
        """All positions at once; with a window in time and memory of time · window."""
        _, time, _ = check_input(u, self.width)
        return self._out(self._causal(*self.project(u, torch.arange(time, device=u.device))))

    def initial_state(self, batch: int) -> State:
        """Keys and values (batch, kv_heads, 0, d), where each stands, and what comes next.

        Where: (batch, 0) positions, −1 for a key that does not exist. Next: (batch,) positions.
        """
        weight = self.k_proj.weight
        empty = weight.new_zeros(batch, self.config.key_heads, 0, self.config.size)
        places = torch.zeros(batch, 0, dtype=torch.int64, device=weight.device)
        return empty, empty, places, places.new_zeros(batch)

    def step(self, state: State, u_i: Tensor) -> tuple[State, Tensor]:
        """One position; a window bounds the state to as many keys and values, less one."""
        state, out = self.extend(state, u_i[:, None])
        return state, out[:, 0]

    def extend(self, state: State, u: Tensor, mask: Tensor | None = None) -> tuple[State, Tensor]:
        """Several positions at once against the keys in the state and each other."""
        check_input(u, self.width)
        check_mask(mask, u)
        keys, values, places, following = state
        exists = u.new_ones(u.shape[:2], dtype=torch.bool) if mask is None else mask
        own = following[:, None] + exists.cumsum(1) - 1
        q, k, v = self.project(u, own.clamp(min=0))
        own = own.masked_fill(~exists, -1)
        is_first = mask is None and not keys.shape[2]
        places = torch.cat((places, own), dim=1)
        keys, values = torch.cat((keys, k), dim=2), torch.cat((values, v), dim=2)
        out = self._out(self._causal(q, k, v)) if is_first else self.attend(
            (q, keys, values), own, places
        )  # fmt: skip
        following = following + exists.sum(1)
        past = self._first_needed(places, following)
        return (keys[:, :, past:], values[:, :, past:], places[:, past:], following), out

    def project(self, u: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys, values as (batch, head, time, d), turned to their positions.

        Args:
            u: (batch, time, width).
            positions: (time,) or (batch or 1, time), from 0.
        """
        q, k, v = (
            projection(u).unflatten(-1, (-1, self.config.size)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.config.rotary is None:
            return q, k, v
        return self.config.rotary.turn(q, positions), self.config.rotary.turn(k, positions), v

    def attend(self, qkv: tuple[Tensor, Tensor, Tensor], own: Tensor, places: Tensor) -> Tensor:
        """What queries at some positions read from keys at others: (batch, time, width).

        Args:
            qkv: As `project` makes them; keys and values may be more than queries.
            own: (batch or 1, time) position of each query; below 0: any finite answer will do.
            places: (batch or 1, keys) position of each key; below 0: it does not exist.
        """
        seen = self._seen(own[:, :, None] - places[:, None]) & (places >= 0)[:, None]
        seen = seen | (own < 0)[:, :, None]  # a softmax over nothing would be NaN
        mask = None if bool(seen.all()) else seen[:, None]
        return self._out(scaled_dot_product_attention(*qkv, attn_mask=mask, enable_gqa=True))

    def _weights_among(self, u: Tensor, seen: Tensor | None) -> Tensor:
        """π^h_ij over the pairs that are seen, (…, time, time) of bool; None: all pairs."""
        q, k, _ = self.project(u, torch.arange(u.shape[1], device=u.device))
        k = k.repeat_interleave(self.config.heads // self.config.key_heads, dim=1)
        scores = q @ k.transpose(-1, -2) / self.config.size**0.5
        return (scores if seen is None else scores.masked_fill(~seen, -torch.inf)).softmax(-1)

    def _through_heads(self, pi: Tensor) -> Tensor:
        """Σ_h π^h_ij W_O^h W_V^h from the weights (batch, head, time, time)."""
        w_o = self.o_proj.weight.unflatten(1, (self.config.heads, -1))
        through = torch.einsum("vhd,hdw->hvw", w_o, self._of_each_head(self.v_proj.weight))
        return torch.einsum("bhij,hvw->bijvw", pi, through)

    def _causal(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.config.window is None or q.shape[2] <= self.config.window:
            return scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return self._banded(q, k, v, self.config.window)

    def _first_needed(self, places: Tensor, following: Tensor) -> int:
        """Number of first keys that lie outside the window of all that comes."""
        if self.config.window is None:
            return 0
        needed = (places >= 0) & (places > following[:, None] - self.config.window)
        columns = needed.any(0).nonzero()
        return int(columns[0]) if len(columns) else places.shape[1]

    def _banded(self, q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
        """Blocks of `window` queries against their own and the previous block of keys."""
        time, device = q.shape[2], q.device
        q, k, v = (  # (batch, block, head, window, d)
            pad(x, (0, 0, 0, -time % window)).unflatten(2, (-1, window)).transpose(1, 2)
            for x in (q, k, v)
        )
        k, v = (torch.cat((pad(x, (0, 0, 0, 0, 0, 0, 1, 0))[:, :-1], x), dim=3) for x in (k, v))
        key = torch.arange(-window, window, device=device)
        seen = self._seen(torch.arange(window, device=device)[:, None] - key)
        first = torch.arange(q.shape[1], device=device) == 0  # it has no block before it
        seen = seen & ~(first[:, None, None] & (key < 0))
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None], enable_gqa=True)
        return mixed.transpose(1, 2).flatten(2, 3)[:, :, :time]

    def _seen(self, age: Tensor) -> Tensor:
        return (age >= 0) & (age < (self.config.window or torch.inf))

    def _of_each_head(self, weight: Tensor) -> Tensor:
        """Rows of a key or value map as (head, d, width), shared ones repeated."""
        shared = weight.unflatten(0, (self.config.key_heads, -1))
        return shared.repeat_interleave(self.config.heads // self.config.key_heads, dim=0)

    def _out(self, mixed: Tensor) -> Tensor:
        return self.o_proj(mixed.transpose(1, 2).flatten(2))
