"""The sampling settings in a `GenerationConfig` of transformers, or why they are none of ours."""

from typing import Any

from flowgauge.errors import SettingsError
from flowgauge.records import Sampling

#: What `generate` takes where neither the call nor the model's file says anything.
_DEFAULTS = {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "repetition_penalty": 1.0}
#: Settings that `Sampling` cannot say, each with the values that leave the law alone.
_ALWAYS: dict[str, tuple[Any, ...]] = {
    "num_beams": (1,), "num_beam_groups": (1,), "penalty_alpha": (0,), "dola_layers": (),
    "constraints": (), "force_words_ids": (), "use_mtp": (False,), "prompt_lookup_num_tokens": (),
    "assistant_early_exit": (), "guidance_scale": (1,), "sequence_bias": (),
    "encoder_repetition_penalty": (1,), "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,), "bad_words_ids": (), "min_length": (0,),
    "min_new_tokens": (0,), "forced_bos_token_id": (), "forced_eos_token_id": (),
    "exponential_decay_length_penalty": (), "suppress_tokens": (), "begin_suppress_tokens": (),
    "watermarking_config": (),
}  # fmt: skip
_IN_SAMPLING: dict[str, tuple[Any, ...]] = {
    "top_h": (), "typical_p": (1,), "epsilon_cutoff": (0, 1), "eta_cutoff": (0, 1),
}  # fmt: skip


def sampling_of(generation_config: Any, model_config: Any = None) -> Sampling:
    """The sampling settings in a `GenerationConfig`, as `generate` would read them.

    What it leaves open is taken from the model's, then from transformers' defaults: greedy, and 50
    for top_k where it samples.

    Args:
        generation_config: What `generate` is called with.
        model_config: `model.generation_config`, where that is not the first already.

    Raises:
        SettingsError: A setting changes the law in a way that `Sampling` cannot say; names each.

    Example:
        >>> from transformers import GenerationConfig
        >>> sampling_of(GenerationConfig(do_sample=True, temperature=0.5, top_k=0))
        Sampling(temperature=0.5, top_k=0, top_p=1.0, min_p=0.0, repetition_penalty=1.0)
    """

    def value(name: str) -> Any:
        said = [getattr(c, name, None) for c in (generation_config, model_config)]
        return next((x for x in said if x is not None), _DEFAULTS.get(name))

    does_sample = value("do_sample") is True
    neutral = {**_ALWAYS, **(_IN_SAMPLING if does_sample else {})}
    others = {n: value(n) for n, ok in neutral.items() if value(n) not in (None, *ok)}
    if others:
        raise SettingsError(
            f"{', '.join(f'{n}={v!r}' for n, v in others.items())} came; the sampling law covers "
            "temperature, top_k, top_p, min_p and repetition_penalty alone. Leave the others out"
        )
    penalty = float(value("repetition_penalty"))
    if not does_sample:
        return Sampling(temperature=0.0, repetition_penalty=penalty)
    return Sampling(
        temperature=float(value("temperature")),
        top_k=int(value("top_k")),
        top_p=float(value("top_p")),
        min_p=float(value("min_p") or 0.0),
        repetition_penalty=penalty,
    )
