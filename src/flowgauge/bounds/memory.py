"""How much of its data a model has memorised, by code length (theory §9; Morris et al. 2025)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError
from flowgauge.math.validate import check_log_probabilities, check_same_shape, is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorisedInformation:
    """Code length that knowing the model saves on each record, beyond what the reference knows.

    Attributes:
        record_nats: (record,) saving, 0 or more [nats].
        total_nats: Sum [nats].
        parameters: Parameters of the model, or None.
    """

    record_nats: FloatArray
    total_nats: float
    parameters: int | None

    @property
    def bits(self) -> float:
        """The total in bits, the unit of the paper."""
        return self.total_nats / float(np.log(2.0))

    @property
    def bits_per_parameter(self) -> float:
        """Bits per parameter; about 3.6 was the ceiling for GPT-style models."""
        if self.parameters is None:
            raise SettingsError("parameters is None: pass parameters=… to memorised_bits")
        return self.bits / self.parameters


def memorised_bits(
    log_p_model: npt.ArrayLike, log_p_reference: npt.ArrayLike, parameters: int | None = None
) -> MemorisedInformation:
    """Information about each record that sits in the model and not in the reference [nats].

    Code length of a record with the reference alone, minus with the better of model and
    reference: max(0, log p_model − log p_reference). For uniformly random data the reference is
    the source itself (−time · log V), and the sum measures capacity. On real text it is an estimate
    relative to the reference: a weak reference makes generalisation look like memory. Named after
    the paper's unit; everything inside is in nats and `.bits` converts.

    Args:
        log_p_model: (record,) log-probability of each training record under the model [nats].
        log_p_reference: (record,) under a reference that cannot have memorised it [nats].
        parameters: Parameters of the model, for bits per parameter.

    Returns:
        `MemorisedInformation`.

    Raises:
        DistributionError: NaN, a value above 0, or a −inf that leaves the saving undefined.
        ShapeError: Lengths that differ.
        SettingsError: parameters below 1.

    References:
        [morris:25].

    Example:
        >>> import numpy as np
        >>> memory = memorised_bits([np.log(0.5), np.log(0.01)], np.log([0.125, 0.02]), 10)
        >>> round(memory.bits, 6), round(memory.bits_per_parameter, 6)
        (2.0, 0.2)
    """
    model = check_log_probabilities(log_p_model, "log_p_model")
    reference = check_log_probabilities(log_p_reference, "log_p_reference")
    check_same_shape(log_p_model=model, log_p_reference=reference)
    if parameters is not None and not is_count(parameters):
        raise SettingsError(f"parameters = {parameters}: a whole number, 1 or more, is needed")
    if np.isinf(reference).any():
        first = int(np.argmax(np.isinf(reference)))
        raise SettingsError(
            f"log_p_reference[{first}] is −inf: a reference that excludes a record makes its "
            "memory infinite; smooth the reference"
        )
    saved = np.maximum(model, reference) - reference
    return MemorisedInformation(
        record_nats=saved, total_nats=float(saved.sum()), parameters=parameters
    )
