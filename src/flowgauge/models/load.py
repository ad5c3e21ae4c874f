"""`load_model`: a preset, a Hugging Face id or folder, or a .gguf file, behind one protocol."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowgauge.errors import ModelUnavailableError, UnknownModelError, UnsafeModelError
from flowgauge.models.fetch import fetch_gguf
from flowgauge.models.gguf import converted, converted_folder, is_converted
from flowgauge.models.presets import PRESETS, Preset, bundled_folder, cache_folder


def say_on_stderr(text: str) -> None:
    """Progress of the long steps, for people at a terminal."""
    sys.stderr.write(f"flowgauge: {text}\n")


def is_cached(preset: Preset) -> bool:
    """Whether the preset loads without a network."""
    return bundled_folder(preset.name) is not None or is_converted(preset.sha256)


def preset_folder(preset: Preset, say: Callable[[str], None] = say_on_stderr) -> Path:
    """Folder with the preset's safetensors, downloaded and converted the first time.

    Raises:
        ModelUnavailableError: Not cached and not to be downloaded; says what to run.
    """
    bundled = bundled_folder(preset.name)
    if bundled:
        return bundled
    if is_converted(preset.sha256):
        return converted_folder(preset.sha256)
    if preset.terms:
        say(preset.terms)
    file = cache_folder() / "downloads" / f"{preset.name}.gguf"
    if not file.is_file():
        fetch_gguf(preset, file, say)
    folder = converted(file, say, preset.sha256)
    file.unlink(missing_ok=True)  # the converted weights are what is used from here on
    return folder


def load_model(
    name: str | Path,
    *,
    trust_remote_code: bool = False,
    say: Callable[[str], None] = say_on_stderr,
) -> Any:
    """Load a language model; one with a next-token law is checked against its own logits.

    Args:
        name: A preset (`flowgauge models` lists them), a folder in the Hugging Face layout, a
            `.gguf` file, or a Hugging Face id. Weights are read from safetensors only.
        trust_remote_code: Lets a repository run its own Python code; off unless asked.
        say: Told about downloads and conversions.

    Returns:
        A `HuggingFaceModel`; a `MaskedDiffusionModel` for a folder of that type.

    Raises:
        UnknownModelError: Nothing of that name; lists the presets.
        ModelUnavailableError: Known, but not cached and not to be downloaded.
        UnsafeModelError: Only pickle weights, or remote code would have to run.

    Example:
        >>> lm = load_model("stories-260k")
        >>> lm.vocabulary_size, lm.context_length, lm.head_name
        (512, 512, 'plain')
    """
    text = str(name)
    if text in PRESETS:
        return _from_folder(preset_folder(PRESETS[text], say), text, False)
    path = Path(name)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise UnknownModelError(f"there is no file {path}")
        return _from_folder(converted(path.resolve(), say), path.stem, False)
    if text and path.is_dir():
        return _from_folder(path, path.name or text, trust_remote_code)
    if text.count("/") != 1 or text.startswith((".", "/", "~")):
        raise UnknownModelError(
            f"{text!r} is no preset ({', '.join(PRESETS)}), no folder, no .gguf file and no "
            "Hugging Face id (owner/name)"
        )
    return _from_folder(text, text, trust_remote_code)


def _from_folder(source: str | Path, name: str, trust_remote_code: bool) -> Any:
    if isinstance(source, Path) and not (source / "config.json").is_file():
        raise UnknownModelError(
            f"{source} has no config.json: the Hugging Face layout was needed (config.json, "
            "tokenizer.json, *.safetensors)"
        )
    if isinstance(source, Path) and not any(source.glob("*.safetensors")):
        raise UnsafeModelError(
            f"{source} has no .safetensors file; pickle weights are not read. Convert them with "
            "model.save_pretrained(folder)"
        )
    import torch
    import transformers
    from safetensors import SafetensorError

    from flowgauge.models.quiet import quiet_transformers

    _register_own_types()
    with quiet_transformers():
        try:
            config = transformers.AutoConfig.from_pretrained(
                source, trust_remote_code=trust_remote_code
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                source, trust_remote_code=trust_remote_code
            )
            model_class, wrapper = _classes_for(config.model_type)
            model = model_class.from_pretrained(
                source,
                config=config,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
            )
        except SafetensorError as error:
            raise ModelUnavailableError(f"the weights of {name} are damaged: {error}") from error
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise _explained(name, error) from error
    return wrapper(model, tokenizer, name)


def _register_own_types() -> None:
    """Let transformers know the configurations of flowgauge's own models."""
    import transformers

    from flowgauge.architectures.family.causal import register_family
    from flowgauge.architectures.family.diffusion import MaskedDiffusionConfig

    register_family()
    transformers.AutoConfig.register(
        MaskedDiffusionConfig.model_type, MaskedDiffusionConfig, exist_ok=True
    )


def _classes_for(model_type: str) -> tuple[Any, Any]:
    """What loads a model of this type, and what it stands behind."""
    from flowgauge.architectures.family.diffusion import (
        FamilyForMaskedDiffusion,
        MaskedDiffusionConfig,
    )

    if model_type == MaskedDiffusionConfig.model_type:
        from flowgauge.models.masked_diffusion import MaskedDiffusionModel

        return FamilyForMaskedDiffusion, MaskedDiffusionModel
    import transformers

    from flowgauge.models.huggingface import HuggingFaceModel

    return transformers.AutoModelForCausalLM, HuggingFaceModel


def _explained(name: str, error: Exception) -> Exception:
    whole = " ".join(str(error).split())
    text = whole[:300]
    if "trust_remote_code" in whole:
        return UnsafeModelError(
            f"{name} wants to run its own Python code; if you trust it, pass "
            f"trust_remote_code=True (--trust-remote-code)"
        )
    if "safetensors" in text and "not found" not in text.lower():
        return UnsafeModelError(f"{name} offers no safetensors weights: {text}")
    if isinstance(error, OSError):
        return ModelUnavailableError(
            f"{name} could not be had: {text} — without a network only cached models, folders and "
            f"the presets ({', '.join(PRESETS)}) work"
        )
    return UnknownModelError(f"transformers cannot load {name} as a causal language model: {text}")
