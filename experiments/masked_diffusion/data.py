"""Stories as windows of tokens: a prompt and the response that follows it.

A training row holds prompt and response, or a response alone, so that one model learns both the
law P of a response given its prompt and the law Q of one without. Held-out stories are not read.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flowgauge.models.presets import bundled_folder
from flowgauge.records import IntArray, Tokens

ASSETS = Path(__file__).resolve().parents[3] / "shared" / "assets" / "data"
FILE = Path("tinystories") / "tinystories_sample.txt"
END = "<|endoftext|>"
#: Tokens of a prompt, and of a response.
PROMPT = RESPONSE = 48
HELD_OUT = 300
BOS = 1
NOT_LEARNED = -100


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch: the tokens and what is to be learned of them."""

    ids: torch.Tensor
    labels: torch.Tensor


def tokenizer() -> Any:
    """The bundled tokenizer of 512 tokens."""
    import transformers

    return transformers.AutoTokenizer.from_pretrained(bundled_folder("stories-260k"))


def stories(assets: Path) -> list[IntArray]:
    """Every story long enough for one window, as tokens.

    Raises:
        SystemExit: There is no such file; says where it was looked for.
    """
    file = assets / FILE
    if not file.is_file():
        raise SystemExit(f"{file} is missing; name the folder of data sets with --assets")
    texts = [t.strip() for t in file.read_text(encoding="utf-8").split(END)]
    encoded = tokenizer()([t for t in texts if t], add_special_tokens=False, verbose=False)
    return [np.array(ids) for ids in encoded.input_ids if len(ids) >= PROMPT + RESPONSE]


def split(all_stories: list[IntArray]) -> tuple[list[IntArray], list[IntArray]]:
    """Stories to train on, and the held-out ones."""
    return all_stories[:-HELD_OUT], all_stories[-HELD_OUT:]


def batch(train: list[IntArray], rows: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Rows with a prompt, and as many rows of a response alone, from windows anywhere."""
    lengths = np.array([len(s) for s in train])
    with_prompt = _windows(train, lengths, rows, PROMPT + RESPONSE, rng)
    alone = _windows(train, lengths, rows, RESPONSE, rng)
    return _rows(with_prompt, PROMPT), _rows(alone, 0)


def records(held_out: list[IntArray], *, another: bool = False) -> list[Tokens]:
    """Beginning of each held-out story and what follows; with `another`, of the story after it."""
    prompts = [s[:PROMPT] for s in held_out]
    if another:
        prompts = [*prompts[1:], prompts[0]]
    bos = np.array([BOS])
    return [
        tokens(str(i), np.concatenate((bos, prompt)), story[PROMPT : PROMPT + RESPONSE])
        for i, (prompt, story) in enumerate(zip(prompts, held_out, strict=True))
    ]


def tokens(name: str, prompt: IntArray, response: IntArray) -> Tokens:
    """A prompt and a response as ids; the reference is the mark that begins a text."""
    return Tokens(
        record_id=name,
        prompt_ids=prompt,
        reference_ids=np.array([BOS]),
        response_ids=response,
        offsets=np.zeros((len(response), 2), dtype=np.int64),
        prompt_part=np.full(len(prompt), -1),
        prompt_offsets=np.zeros((len(prompt), 2), dtype=np.int64),
    )


def _windows(
    train: list[IntArray], lengths: IntArray, rows: int, size: int, rng: np.random.Generator
) -> IntArray:
    """Windows of `size` tokens, each equally likely."""
    room = lengths - size + 1
    chosen = rng.choice(len(train), size=rows, p=room / room.sum())
    starts = rng.integers(0, room[chosen])
    return np.stack([train[s][a : a + size] for s, a in zip(chosen, starts, strict=True)])


def _rows(windows: IntArray, prompt: int) -> Rows:
    ids = torch.from_numpy(np.pad(windows, ((0, 0), (1, 0)), constant_values=BOS))
    labels = ids.clone()
    labels[:, : 1 + prompt] = NOT_LEARNED
    return Rows(ids, labels)
