"""Generation under two laws: tokens stream with density, drift, variance and what monitors say.

    for step in fg.generate("Once upon a time", lm, monitors=[Grounded(alpha=0.01)]):
        print(step.text, step.density)

The text is drawn from the prompted law under the sampling settings; the reference law reads the
same tokens without the source. Both are two rows of one batch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from flowgauge.errors import ContextLengthError, RecordError, SettingsError
from flowgauge.live.event import Event
from flowgauge.live.monitor import Monitor
from flowgauge.live.sampling_law import SamplingLaw
from flowgauge.live.step import Step
from flowgauge.live.writing import Generated, Prompt, Text, Writing
from flowgauge.models.protocol import LanguageModel
from flowgauge.records import Record, Sampling
from flowgauge.scores import ModelLaw
from flowgauge.text import Omit, Reference, Template, align_prefixes, default_template

#: Texts in one batch of `generate_many`.
BATCH_TEXTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSettings:
    """What is measured while a text is written, and where it must end.

    Args:
        reference: Which law Q is.
        law: `SamplingLaw()`: P and Q are the laws under the sampling settings, so that every
            statement about texts drawn from P is exactly true. `ModelLaw()`: the model's own laws,
            whatever the sampling; exact for plain sampling alone.
        max_tokens: Most tokens of a text.
        template: How a prompt becomes text; the model's chat template or plain text by default.
    """

    reference: Reference = field(default_factory=Omit)
    law: SamplingLaw | ModelLaw = field(default_factory=SamplingLaw)
    max_tokens: int = 256
    template: Template | None = None

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise SettingsError(f"max_tokens is {self.max_tokens}, at least 1 was needed")
        if not isinstance(self.law, SamplingLaw | ModelLaw):
            raise SettingsError(
                f"law is {self.law!r}; SamplingLaw() or ModelLaw() was needed: a text cannot be "
                "drawn from another law"
            )


class Generation:
    """A text while it is written: iterate for its steps.

    Attributes:
        prompt: What it goes on from.
    """

    def __init__(
        self,
        prompt: Prompt,
        lm: LanguageModel,
        sampling: Sampling,
        monitors: Sequence[Monitor],
        seed: int,
        settings: GenerateSettings,
    ) -> None:
        self.prompt = prompt
        self._sampling, self._settings = sampling, settings
        self._text = Text(prompt, lm, monitors, seed)
        self._start = lambda: Writing([self._text], lm, sampling, settings.law, settings.max_tokens)
        self._writing: Writing | None = None

    def __iter__(self) -> Iterator[Step]:
        """The steps to come."""
        return self

    def __next__(self) -> Step:
        """Draw one more token."""
        if self._text.stopped_by:
            raise StopIteration
        if self._writing is None:
            self._writing = self._start()
        return self._writing.advance()[0]

    @property
    def text(self) -> str:
        """What is written so far."""
        return self._text.pieces.text

    @property
    def events(self) -> tuple[Event, ...]:
        """What the monitors have said so far."""
        return tuple(self._text.events)

    @property
    def monitors(self) -> tuple[Monitor, ...]:
        """The monitors at work, for their states."""
        return tuple(self._text.monitors)

    @property
    def stopped_by(self) -> str:
        """Why it ended, in words; "" while it goes on."""
        return self._text.stopped_by

    def stop(self, reason: str = "it was stopped from outside") -> None:
        """End it here."""
        self._text.stopped_by = self._text.stopped_by or reason

    def result(self) -> Generated:
        """What there is now.

        Raises:
            RecordError: No token was drawn yet.
        """
        if not self._text.steps:
            raise RecordError("no token was drawn yet; iterate first, or call finish()")
        return self._text.result(self._sampling, self._settings.law.name)

    def finish(self) -> Generated:
        """Draw to the end."""
        for _ in self:
            pass
        return self.result()


def generate(
    prompt: str | Record,
    lm: LanguageModel,
    *,
    sampling: Sampling | None = None,
    monitors: Sequence[Monitor] = (),
    seed: int = 0,
    settings: GenerateSettings | None = None,
) -> Generation:
    """Write a text and measure it on the way; nothing is drawn before it is iterated.

    The flow says how far the prompt's source moved the law of the tokens; it says nothing about
    truth. Under `SamplingLaw` the text is drawn from the very law P that is measured, so the
    levels of the monitors are exact for it.

    Args:
        prompt: A question or beginning, or a record (its response is not read). A record's source
            is its documents, a string's the whole string.
        lm: The model, from `load_model`.
        sampling: Temperature, top-k, top-p, min-p, repetition penalty; plain by default.
        monitors: Each starts anew for this text.
        seed: Of the random numbers.
        settings: Reference law, law of the columns, most tokens, template.

    Returns:
        A `Generation`: iterate it for `Step`s, or `finish()`.

    Raises:
        ContextLengthError: The prompt leaves no room.
        AlignmentError: A prefix is empty and the model has no law for that.
        SettingsError: The seed is negative.

    References:
        [bai:25] III-D; docs/paper_index.md, section 2.

    Example:
        >>> import numpy as np
        >>> from flowgauge.models import TabularModel
        >>> model = TabularModel(np.array([[0.9, 0.1], [0.1, 0.9]]))
        >>> [step] = generate("0", model, settings=GenerateSettings(max_tokens=1))
        >>> step.text, round(step.drift, 6)
        ('a', 0.368064)
    """
    settings = settings or GenerateSettings()
    if seed < 0:
        raise SettingsError(f"seed is {seed}, 0 or more was needed")
    ready = _prompt(prompt, lm, settings)
    return Generation(ready, lm, sampling or Sampling(), monitors, seed, settings)


def generate_many(
    prompts: Sequence[str | Record],
    lm: LanguageModel,
    *,
    sampling: Sampling | None = None,
    monitors: Sequence[Monitor] = (),
    seeds: Sequence[int] | None = None,
    settings: GenerateSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Generated]:
    """Write many texts, several in one batch, in the order given.

    Args:
        prompts: As for `generate`, one a text; a prompt may come several times.
        lm: The model.
        sampling: How tokens are drawn.
        monitors: Each text has its own.
        seeds: One a text; 0, 1, 2, … by default.
        settings: As for `generate`.
        progress: Told (texts done, texts in all).

    Returns:
        One `Generated` a prompt.

    Raises:
        SettingsError: The seeds are not one a prompt.

    Example:
        >>> from flowgauge.models import TabularModel
        >>> model = TabularModel.random(sources=2, vocabulary=3, length=4, seed=0)
        >>> found = generate_many(["0", "1"], model, settings=GenerateSettings(max_tokens=4))
        >>> [len(g.steps) for g in found]
        [4, 4]
    """
    settings, sampling = settings or GenerateSettings(), sampling or Sampling()
    seeds = range(len(prompts)) if seeds is None else seeds
    if len(seeds) != len(prompts) or any(s < 0 for s in seeds):
        raise SettingsError(
            f"{len(seeds)} seeds came for {len(prompts)} prompts; one a prompt, 0 or more, was "
            "needed"
        )
    ready = [_prompt(p, lm, settings) for p in prompts]
    done: list[Generated] = []
    for start in range(0, len(ready), BATCH_TEXTS):
        here = slice(start, start + BATCH_TEXTS)
        texts = [Text(p, lm, monitors, s) for p, s in zip(ready[here], seeds[here], strict=True)]
        writing = Writing(texts, lm, sampling, settings.law, settings.max_tokens)
        while not writing.is_over:
            writing.advance()
        done += [t.result(sampling, settings.law.name) for t in texts]
        if progress:
            progress(len(done), len(ready))
    return done


def _prompt(given: str | Record, lm: LanguageModel, settings: GenerateSettings) -> Prompt:
    record = given
    if isinstance(record, str):
        record = Record(id="generated", question=record, response="")
    if not isinstance(record, Record):
        raise RecordError(
            f"the prompt is {type(given).__name__}, a string or a flowgauge.Record was needed"
        )
    record = replace(record, response="")
    template = settings.template or default_template(lm)
    composition = template.compose(record, settings.reference)
    tokens = align_prefixes(record.id, composition, lm)
    longest = max(len(tokens.prompt_ids), len(tokens.reference_ids))
    if lm.context_length is not None and longest >= lm.context_length:
        raise ContextLengthError(
            f"the prompt has {longest} tokens and {lm.name} reads at most {lm.context_length}; "
            "nothing is left for a response. Shorten the documents or take a model with a longer "
            "context"
        )
    return Prompt(record=record, composition=composition, tokens=tokens)
