"""GGUF files: dequantized once by transformers, kept in the user's cache as safetensors."""

import json
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any

from filelock import FileLock

from flowgauge.errors import MissingDependencyError, UnknownModelError
from flowgauge.models.fetch import Say, sha256_of
from flowgauge.models.presets import cache_folder

#: Raise it when the conversion itself changes, so that old folders are made anew.
CONVERSION = 1


def converted_folder(sha256: str) -> Path:
    """Where the file with this sum is kept once converted."""
    return cache_folder() / "models" / f"{sha256[:16]}-v{CONVERSION}"


def is_converted(sha256: str) -> bool:
    """Whether a whole conversion of the file with this sum is in the cache."""
    return (converted_folder(sha256) / "flowgauge.json").is_file()


def converted(path: Path, say: Say, sha256: str | None = None) -> Path:
    """Folder with safetensors, tokenizer and `flowgauge.json` for a GGUF file, converted once.

    Two processes wait for each other; an interrupted conversion leaves nothing behind but a
    temporary folder that the next one removes.

    Args:
        path: The file.
        say: Told before the long step.
        sha256: Its sum, when known.

    Raises:
        MissingDependencyError: gguf or accelerate is not installed.
        UnknownModelError: transformers cannot read the file.
    """
    sha256 = sha256 or sha256_of(path)
    folder = converted_folder(sha256)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if is_converted(sha256):
            return folder
        half = f"{folder.name}-half-"
        for stale in (*folder.parent.glob(f"{half}*"), folder):  # what a kill left, unfinished
            shutil.rmtree(stale, ignore_errors=True)
        say(f"converting {path.name} to safetensors, once (20 to 90 seconds)")
        with tempfile.TemporaryDirectory(
            dir=folder.parent, prefix=half, ignore_cleanup_errors=True
        ) as work:
            made = Path(work) / "model"
            _convert(path, made)
            (made / "flowgauge.json").write_text(
                json.dumps({"gguf_sha256": sha256, "gguf_name": path.name}), encoding="utf-8"
            )
            made.rename(folder)
    return folder


def _convert(path: Path, target: Path) -> None:
    try:
        import accelerate  # noqa: F401
        import gguf  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(
            f"reading {path.name} needs the package {error.name}: pip install 'flowgauge[demo]'"
        ) from error
    import torch
    import transformers

    from flowgauge.models.quiet import quiet_transformers

    with quiet_transformers():
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                path.parent, gguf_file=path.name, trust_remote_code=False
            )
            model: Any = transformers.AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=torch.float32, trust_remote_code=False
            )
        except (
            ArithmeticError,
            LookupError,
            NotImplementedError,
            OSError,
            ValueError,
            struct.error,
        ) as error:
            raise UnknownModelError(
                f"transformers {transformers.__version__} cannot read {path}: {error}"
            ) from error
        # Dequantized weights still carry the mark of the format and could not be saved.
        model.hf_quantizer = None
        model.is_quantized = False
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(target)
        tokenizer.save_pretrained(target)
