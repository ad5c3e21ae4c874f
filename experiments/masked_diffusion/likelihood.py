"""How well each member knows the stories: exact nats of the causal one, bounds of the other."""

from typing import Any

import numpy as np

from flowgauge.bounds import ContinuousTime, KMasked, RandomOrder
from flowgauge.models import HuggingFaceModel
from flowgauge.models.masked_diffusion import MaskedDiffusionModel
from flowgauge.pipeline.unmasking import response_elbo
from flowgauge.records import FloatArray, Tokens
from flowgauge.scores import log_likelihood
from flowgauge.scores.plan import Context
from masked_diffusion.plan import Sizes

FORMS = (ContinuousTime(), KMasked(), RandomOrder())


def mean_and_error(values: FloatArray) -> dict[str, float]:
    """Mean over stories and its standard error."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return {"mean": float(values.mean()), "standard_error": float(error)}


def contexts(records: list[Tokens], *, prompted: bool) -> list[Context]:
    """Each response after its prompt, or after nothing."""
    return [Context(r.prompt_ids if prompted else r.reference_ids, r.response_ids) for r in records]


def compared(
    causal: HuggingFaceModel, diffusion: MaskedDiffusionModel, records: list[Tokens], sizes: Sizes
) -> dict[str, Any]:
    """Nats per token of a response, with its prompt and without."""
    out: dict[str, Any] = {}
    for name, prompted in (("prompted", True), ("alone", False)):
        some = contexts(records[: sizes.bound_records], prompted=prompted)
        lengths = np.array([len(c.continuation) for c in some])
        exact = -log_likelihood(some, causal) / lengths
        here: dict[str, Any] = {"causal": mean_and_error(exact)}
        variances = {}
        for form in FORMS:
            # An order takes as many masks as the text has tokens.
            draws = max(2, sizes.draws // 16) if form.name == "random order" else sizes.draws
            rng = np.random.default_rng(sizes.seed)
            found = [response_elbo(c, diffusion, form, draws, rng) for c in some]
            nats = -np.array([f.value for f in found]) / lengths
            errors = np.array([f.standard_error for f in found]) / lengths
            variances[form.name] = float((errors**2 * draws).mean())
            here[form.name] = mean_and_error(nats) | {
                "draws": draws,
                "standard_error_of_draws": float(np.sqrt((errors**2).sum()) / len(errors)),
                "variance_of_a_draw": variances[form.name],
                "above_causal": mean_and_error(nats - exact),
            }
        here["variance_ratio"] = variances["k masked"] / variances["continuous time"]
        out[name] = here
    return out
