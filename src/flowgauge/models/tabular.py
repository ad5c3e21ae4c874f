"""A language model that is a table: K sources, V tokens, N steps, everything exact.

The oracle of the project's tests, public so that users can test with it too. Its texts are
strings of the letters a, b, c …; a source is a digit in the prompt (the last one counts; letters
before the response are scaffold). Theory §1: the tabular channel is enumerated.
"""

import hashlib
import itertools
import string
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from flowgauge.errors import RecordError, ShapeError
from flowgauge.math.validate import check_distribution
from flowgauge.models.protocol import Batch, Tap
from flowgauge.records import FloatArray, IntArray, Sampling
from flowgauge.text.align import Encoding


class TabularModel:
    """Exact channel from K ≤ 10 sources to texts of N letters over an alphabet of V ≤ 26.

    Args:
        table: (source, vocab, …, vocab) probabilities P(u_1 … u_N | s), each source summing to 1.
        prior: (source,) law of the source; uniform by default.
        memory: (vocab, …, vocab) what the model writes without a source; by default the exact
            marginal Σ_s prior(s) P(u|s), so that the reference law `omit` is exact.

    Raises:
        DistributionError: A table is no probability table; shows the sums.
        ShapeError: The axes do not fit.

    Example:
        >>> model = TabularModel(np.array([[0.9, 0.1], [0.1, 0.9]]))
        >>> round(model.directed_information(), 6)
        0.368064
    """

    bos_id: int | None = None
    adds_bos = False
    has_empty_context_law = True
    has_chat_template = False
    can_share_prefix = True
    context_length: int | None = None
    name = "tabular"
    precision = "float64"
    head_name = "table"

    def __init__(
        self, table: FloatArray, prior: FloatArray | None = None, memory: FloatArray | None = None
    ) -> None:
        table = np.asarray(table, dtype=np.float64)
        sources, *vocab = table.shape
        if not vocab or len(set(vocab)) != 1 or sources > 10 or vocab[0] > 26:
            raise ShapeError(
                f"the table has the shape {table.shape}; (source, vocab, …, vocab) with at most "
                "10 sources and 26 tokens was needed"
            )
        flat = check_distribution(table.reshape(sources, -1), "table", axis=-1)
        self._table = flat.reshape(table.shape)
        self.prior = (
            np.full(sources, 1 / sources) if prior is None else check_distribution(prior, "prior")
        )
        if self.prior.shape != (sources,):
            raise ShapeError(f"{self.prior.shape=} but the table has {sources} sources")
        marginal = np.tensordot(self.prior, self._table, axes=1)
        self._memory = marginal if memory is None else check_distribution(memory, "memory")
        if self._memory.shape != marginal.shape:
            raise ShapeError(f"memory has the shape {self._memory.shape}, {marginal.shape} needed")
        self.steps = len(vocab)

    @classmethod
    def random(
        cls, *, sources: int, vocabulary: int, length: int, seed: int, concentration: float = 0.5
    ) -> "TabularModel":
        """A random table: every conditional law is drawn from a symmetric Dirichlet law."""
        rng = np.random.default_rng(seed)
        table = np.ones((sources,) + (1,) * length)
        for step in range(length):
            laws = rng.dirichlet(
                np.full(vocabulary, concentration), size=(sources, *(vocabulary,) * step)
            )
            # Floors keep every text possible, so that no log-ratio is infinite.
            laws = (laws + 1e-4) / (laws + 1e-4).sum(-1, keepdims=True)
            table = table.reshape((sources,) + (vocabulary,) * step + (1,)) * laws
        return cls(table)

    # -- exact answers -------------------------------------------------------------------------

    @property
    def sources(self) -> int:
        """Number of sources."""
        return len(self.prior)

    @property
    def joint(self) -> FloatArray:
        """(source, vocab, …, vocab) P(s) P(u|s)."""
        return self.prior.reshape((-1,) + (1,) * self.steps) * self._table

    def directed_information(self) -> float:
        """I(S→U) = I(S;U) for a source known before the first token [nats]."""
        joint = self.joint
        marginal = joint.sum(0, keepdims=True)
        possible = joint > 0
        ratio = np.where(possible, self._table, 1.0) / np.where(possible, marginal, 1.0)
        return float(np.sum(joint * np.log(ratio)))

    def texts(self) -> Iterator[tuple[int, str, float]]:
        """Every (source, text, P(s) P(u|s)) of positive probability."""
        joint = self.joint
        for source in range(self.sources):
            for ids in itertools.product(range(self.vocabulary_size), repeat=self.steps):
                p = float(joint[(source, *ids)])
                if p > 0:
                    yield source, "".join(string.ascii_lowercase[i] for i in ids), p

    def law(self, source: int | None, written: Sequence[int] | IntArray) -> FloatArray:
        """(vocab,) next-token law after `written`; `source=None` is the model's memory."""
        table = self._memory if source is None else self._table[source]
        if len(written) >= self.steps:
            raise RecordError(
                f"the response has more than {self.steps} tokens, the length of this table"
            )
        mass = table[tuple(int(i) for i in written)]
        mass = mass.reshape(mass.shape[0], -1).sum(-1)
        total = mass.sum()
        # After a text of probability 0 any law will do; the uniform one keeps numbers finite.
        return mass / total if total > 0 else np.full(len(mass), 1 / len(mass))

    # -- the protocol --------------------------------------------------------------------------

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the tables."""
        parts = (self._table, self._memory, self.prior)
        return hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()[:32]

    @property
    def tokenizer_fingerprint(self) -> str:
        """Letters and digits."""
        return f"letters-{self.vocabulary_size}-digits-{self.sources}"

    @property
    def vocabulary_size(self) -> int:
        """Number of letters."""
        return self._memory.shape[0]

    @property
    def state_width(self) -> int:
        """A state is a log-law."""
        return self.vocabulary_size

    def tokenize(self, text: str) -> Encoding:
        """One token a known letter or digit; other characters are scaffold and give none."""
        known = string.ascii_lowercase[: self.vocabulary_size] + string.digits[: self.sources]
        places = [i for i, c in enumerate(text) if c in known]
        ids = np.array([known.index(text[i]) for i in places], dtype=np.int64)
        offsets = np.array([(i, i + 1) for i in places], dtype=np.int64).reshape(-1, 2)
        return Encoding(ids, offsets)

    def fast(self) -> None:
        """A table has no faster form."""
        return

    def chat(self, messages: list[dict[str, str]]) -> str:
        """There is no chat template."""
        raise RecordError(f"a table has no chat template; got {len(messages)} messages")

    def token_text(self, ids: Sequence[int]) -> list[str]:
        """Letters, and digits for sources."""
        known = string.ascii_lowercase[: self.vocabulary_size] + string.digits[: self.sources]
        return [known[int(i)] for i in ids]

    @property
    def end_ids(self) -> tuple[int, ...]:
        """A text ends with the table, not with a token."""
        return ()

    def detokenize(self, ids: Sequence[int]) -> str:
        """Letters."""
        return "".join(self.token_text(ids))

    def decoder(self, prefixes: Sequence[IntArray]) -> "_Rows":
        """Texts written side by side; a row at the end of its table has the uniform law."""
        return _Rows(self, prefixes)

    def states(self, batch: Batch, tap: Tap | None = None) -> list[torch.Tensor]:
        """Log-laws (keep, vocab) of the last `keep` positions of each row, float64.

        There is nothing inside a table for `tap` to look at.
        """
        out = []
        for row, keep in zip(batch.rows, batch.keep, strict=True):
            ids = np.concatenate((batch.shared, row)).astype(np.int64)
            prefix, written = ids[: len(ids) - keep + 1], ids[len(ids) - keep + 1 :]
            digits = prefix[prefix >= self.vocabulary_size]
            source = int(digits[-1]) - self.vocabulary_size if len(digits) else None
            laws = np.array([self.law(source, written[:t]) for t in range(keep)])
            with np.errstate(divide="ignore"):
                out.append(torch.from_numpy(np.log(laws)))
        return out

    def logits(self, states: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """The states are log-laws already."""
        return states

    def generate(
        self, prompt_ids: IntArray, max_tokens: int, sampling: Sampling, rng: np.random.Generator
    ) -> IntArray:
        """Draw a text from the table; only plain sampling is offered."""
        if not sampling.is_plain:
            raise RecordError(f"a table is sampled plainly, {sampling} was asked")
        digits = prompt_ids[prompt_ids >= self.vocabulary_size]
        source = int(digits[-1]) - self.vocabulary_size if len(digits) else None
        written: list[int] = []
        for _ in range(min(max_tokens, self.steps)):
            law = self.law(source, written)
            written.append(int(rng.choice(len(law), p=law)))
        return np.array(written, dtype=np.int64)


class _Rows:
    """Texts of a table at work; a state is a log-law."""

    def __init__(self, model: TabularModel, prefixes: Sequence[IntArray]) -> None:
        self._model = model
        digits = [p[p >= model.vocabulary_size] for p in prefixes]
        self._sources = [int(d[-1]) - model.vocabulary_size if len(d) else None for d in digits]
        self._written: list[tuple[int, ...]] = [() for _ in prefixes]

    @property
    def states(self) -> torch.Tensor:
        """(row, vocab) log-laws of the next letters, float64."""
        uniform = np.full(self._model.vocabulary_size, 1 / self._model.vocabulary_size)
        laws = [
            uniform if len(w) >= self._model.steps else self._model.law(s, w)
            for s, w in zip(self._sources, self._written, strict=True)
        ]
        with np.errstate(divide="ignore"):
            return torch.from_numpy(np.log(np.array(laws)))

    def step(self, ids: IntArray) -> torch.Tensor:
        """Append one letter to each row."""
        pairs = zip(self._written, ids.tolist(), strict=True)
        self._written = [(*w, i) for w, i in pairs]
        return self.states

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._sources = [self._sources[i] for i in rows]
        self._written = [self._written[i] for i in rows]
