"""What may be asked, as the body of a request: every field checked, none unknown."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from flowgauge.records import Record, Sampling

#: More than anybody needs; keeps one request from making thousands of objects.
MOST_DOCUMENTS = 1000
MOST_MONITORS = 16


class _Ask(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _About(_Ask):
    """What a response is given."""

    question: str
    documents: Annotated[list[str], Field(max_length=MOST_DOCUMENTS)] | None = None
    instruction: str = ""

    def record(self, response: str = "") -> Record:
        """The record that is measured or gone on from."""
        return Record(
            id="response",
            question=self.question,
            documents=None if self.documents is None else tuple(self.documents),
            instruction=self.instruction,
            response=response,
        )


class MeasureAsk(_About):
    """`POST /api/measure`."""

    response: str
    name: str | None = None


class SamplingAsk(_Ask):
    """How tokens are drawn; the ranges are checked by `Sampling`."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def sampling(self) -> Sampling:
        """The settings, checked."""
        return Sampling(**self.model_dump())


class MonitorAsk(_Ask):
    """A monitor by name, its settings beside it, and what it does when it speaks."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str
    action: Literal["note", "stop"] = "note"

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but name and action."""
        return dict(self.model_extra or {})


class GenerateAsk(_About):
    """`POST /api/generate`."""

    sampling: SamplingAsk = SamplingAsk()
    max_tokens: Annotated[int, Field(ge=1)] = 256
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    monitors: Annotated[list[MonitorAsk], Field(max_length=MOST_MONITORS)] = []
    law: Literal["sampling", "model"] = "sampling"
    name: str | None = None
