"""A run's support against people's labels: threshold, probability, and where they come from.

`calibrate` joins conformal threshold and isotonic probability. The record it gives can be stored
beside the run (storage.py) and applied to other runs of the same observer and the same support
score, to no others. Imports nothing above math but the text checks behind the labels.
"""

import datetime
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from flowgauge.errors import RecordError, RunError, RunMismatchError, UnreachableError
from flowgauge.records import FloatArray
from flowgauge.support.conformal import ConformalThreshold, conformal_threshold
from flowgauge.support.labels import MOST_SHOWN, Labels, MeasuredRun, SupportLabel
from flowgauge.support.proportion import Proportion, clopper_pearson
from flowgauge.support.reliability import (
    IsotonicProbability,
    Reliability,
    isotonic_probability,
    measure_reliability,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a calibration was made from.

    Attributes:
        run: Name of the run.
        model, fingerprint: The observer.
        score: Laws, template, parts and constants of its support; None for what it does not name.
        labels, labels_sha256: Name and digest of the labels.
        supported, unsupported: Labelled responses of each kind that were used.
        left_out: (id, reason) of labelled responses without a support.
        created: When, UTC.
        versions: Of flowgauge and what it computed with.
    """

    run: str
    model: str
    fingerprint: str
    score: Mapping[str, Any]
    labels: str
    labels_sha256: str
    supported: int
    unsupported: int
    left_out: tuple[tuple[str, str], ...]
    created: str
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedResponse:
    """One response of a run seen through a calibration.

    Attributes:
        id: The record's id.
        support: Its support.
        passes: Whether that reaches the threshold.
        probability: That a person says "supported".
    """

    id: str
    support: float
    passes: bool
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Threshold and probability for the support that one observer gives.

    Neither says that a response is true: both speak of what people would mark as the labellers
    did, for responses that come as the labelled ones came.

    Attributes:
        threshold: The threshold with its guarantee about unsupported responses.
        price: Share of the supported calibration responses that pass it; its interval covers the
            share among all supported ones.
        curve: Probability by support.
        reliability: How far the probabilities agree with people.
        provenance: What it was made from.
    """

    threshold: ConformalThreshold
    price: Proportion
    curve: IsotonicProbability
    reliability: Reliability
    provenance: Provenance

    def passes(self, support: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each support reaches the threshold; see `ConformalThreshold.passes`."""
        return self.threshold.passes(support)

    def probability(self, support: npt.ArrayLike) -> FloatArray:
        """Probability that a person says "supported"; see `IsotonicProbability` [probability]."""
        return self.curve(support)

    @property
    def words(self) -> str:
        """Guarantee and price as sentences."""
        p = self.price
        nothing = (
            " No response can: one that people found unsupported has full support."
            if self.threshold.threshold > 1
            else ""
        )
        return (
            f"{self.threshold.words}{nothing} Its price: {p.count} of the {p.n} responses that "
            f"people found supported reach it too ({100 * p.share:.1f} %, {100 * p.confidence:g} % "
            f"interval {100 * p.lower:.1f} to {100 * p.upper:.1f} %); the others are held back."
        )

    def check(self, run: MeasuredRun) -> None:
        """Whether this calibration speaks of the support in a run.

        Raises:
            RunMismatchError: The run was seen by another model, or with another support score.
        """
        model, own = _model(run), self.provenance
        if model["fingerprint"] != own.fingerprint:
            raise RunMismatchError(
                f"the calibration {own.labels!r} is for {own.model!r} (fingerprint "
                f"{own.fingerprint}), the run {run.name} was seen by {model.get('name')!r} "
                f"({model['fingerprint']}): each model's support has a scale of its own. "
                "Calibrate this run: flowgauge calibrate LABELS.jsonl --run RUN"
            )
        there = _score(run)
        differ = sorted(k for k in {*own.score, *there} if own.score.get(k) != there.get(k))
        if differ:
            shown = "; ".join(
                f"{k}: {json.dumps(own.score.get(k))[:80]} there, "
                f"{json.dumps(there.get(k))[:80]} in the run {run.name}"
                for k in differ
            )
            raise RunMismatchError(
                f"the calibration {own.labels!r} is for another support score ({shown}); "
                "calibrate this run, or measure it again in the same way"
            )

    def apply(self, run: MeasuredRun) -> tuple[CalibratedResponse, ...]:
        """The responses of a run that have a support, in its order.

        Raises:
            RunMismatchError: The run was seen by another model, or with another support score.
            RunError: The run has no support.
        """
        self.check(run)
        support = {i: s for i, s in _supports(run).items() if isinstance(s, float)}
        values = list(support.values())
        return tuple(
            CalibratedResponse(id=i, support=s, passes=bool(ok), probability=float(p))
            for (i, s), ok, p in zip(
                support.items(), self.passes(values), self.probability(values), strict=True
            )
        )


def calibrate(
    run: MeasuredRun,
    labels: Labels,
    *,
    alpha: float = 0.1,
    confidence: float = 0.95,
    future: int | None = None,
    rng: np.random.Generator | None = None,
) -> Calibration:
    """Calibrate a run's support on what people said about its responses [support].

    Args:
        run: A run whose records have a support.
        labels: What people said; from `read_labels`, `parse_labels` or `labels_from_run`.
        alpha: Largest share of unsupported responses that may pass the threshold.
        confidence: Least confidence in that.
        future: The guarantee is about the next so many unsupported responses; None: the long run.
        rng: Deals responses to the folds of the reliability; np.random.default_rng(0) if absent.

    Returns:
        The calibration, stored nowhere yet.

    Raises:
        RunError: The run has no support, or does not name its model.
        SettingsError: alpha, confidence or future out of range.
        UnreachableError: Too few unsupported responses; shows how many are needed.
        InputError: Fewer than 2 supported responses.

    References:
        See `conformal_threshold`, `isotonic_probability`, `measure_reliability`.

    Example:
        >>> import pyarrow as pa
        >>> from flowgauge.store import Run
        >>> from flowgauge.support import parse_labels
        >>> rows = [
        ...     {"id": str(i), "status": "measured", "reason": None, "response": "So.",
        ...      "support": i / 80} for i in range(80)
        ... ]
        >>> manifest = {"model": {"name": "m", "fingerprint": "f"}}
        >>> run = Run("r", manifest, {"records": pa.Table.from_pylist(rows)})
        >>> labels = parse_labels([{"id": str(i), "supported": i >= 40} for i in range(80)], run)
        >>> found = calibrate(run, labels)
        >>> found.threshold.shown, found.price.count, float(found.probability(0.9).round(3))
        ('0.4876', 40, 0.988)
    """
    model = _model(run)
    used, left_out = _joined(_supports(run), labels, run.name)
    support = np.array([s for _, s in used], dtype=np.float64)
    supported = np.array([x.supported for x, _ in used], dtype=np.bool_)
    try:
        threshold = conformal_threshold(
            support[~supported], alpha=alpha, confidence=confidence, future=future
        )
    except UnreachableError as error:
        raise UnreachableError(f"{error}.{_left_out_words(left_out)}") from error
    curve = isotonic_probability(support, supported)
    return Calibration(
        threshold=threshold,
        price=clopper_pearson(
            int(threshold.passes(support[supported]).sum()), int(supported.sum()), confidence
        ),
        curve=curve,
        reliability=measure_reliability(
            support, supported, groups=_groups([x for x, _ in used]), rng=rng
        ),
        provenance=Provenance(
            run=run.name,
            model=str(model.get("name")),
            fingerprint=model["fingerprint"],
            score=_score(run),
            labels=labels.name,
            labels_sha256=labels.sha256,
            supported=int(supported.sum()),
            unsupported=int((~supported).sum()),
            left_out=left_out,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            versions=_versions(),
        ),
    )


def _model(run: MeasuredRun) -> Mapping[str, Any]:
    model = run.manifest.get("model")
    if not isinstance(model, Mapping) or not model.get("fingerprint"):
        raise RunError(
            f"the run {run.name} does not name the model that saw it, so no calibration can be "
            "tied to it; measure again"
        )
    return model


def _score(run: MeasuredRun) -> Mapping[str, Any]:
    """What the support was made of besides the model, as JSON gives it back."""
    support = run.manifest.get("support") or {}
    found = {key: run.manifest.get(key) for key in ("law", "reference", "template")}
    found |= {key: support.get(key) for key in ("parts", "constants")}
    return dict(json.loads(json.dumps(found)))


def _supports(run: MeasuredRun) -> dict[str, float | str]:
    """Support of each record, or why it has none.

    Raises:
        RunError: No record has one.
    """
    table = run.table("records")
    if "support" not in table.column_names or not table.num_rows > table["support"].null_count:
        raise RunError(
            f"the run {run.name} has no support: "
            + (
                f"it is null in all {table.num_rows} records"
                if "support" in table.column_names
                else "its records have no such column"
            )
            + "; measure it again with this version of flowgauge and a model that gives support"
        )
    found: dict[str, float | str] = {}
    for row in table.select(["id", "status", "reason", "support"]).to_pylist():
        value = row["support"]
        if value is not None and np.isfinite(value):
            found[row["id"]] = float(value)
        elif row["status"] != "failed":
            found[row["id"]] = "it was measured but has no support"
        else:  # of two rows with one id the second fails: the first is meant
            found.setdefault(row["id"], f"it could not be measured: {row['reason']}")
    return found


def _joined(
    supports: Mapping[str, float | str], labels: Labels, run: str
) -> tuple[list[tuple[SupportLabel, float]], tuple[tuple[str, str], ...]]:
    """Labels with the support of their responses, and the ids of those without, with reasons."""
    used, left_out = [], []
    for label in labels.rows:
        if label.id not in supports:
            raise RecordError(
                f"the labels {labels.name!r} name the record {label.id!r:.60}, which the run {run} "
                "has not; read them against this run"
            )
        support = supports[label.id]
        if isinstance(support, str):
            left_out.append((label.id, support))
        else:
            used.append((label, support))
    return used, tuple(left_out)


def _left_out_words(left_out: tuple[tuple[str, str], ...]) -> str:
    if not left_out:
        return ""
    some = "; ".join(f"{i!r:.60}: {reason}" for i, reason in left_out[:MOST_SHOWN])
    more = len(left_out) - MOST_SHOWN
    return (
        f" {len(left_out)} labelled response{'' if len(left_out) == 1 else 's'} without a support "
        f"did not count ({some}{f'; and {more} more' if more > 0 else ''})"
    )


def _groups(labels: list[SupportLabel]) -> list[str] | None:
    """Group names for the folds; a response without one is a group of its own."""
    if all(x.group is None for x in labels):
        return None
    return [f"id {x.id}" if x.group is None else f"group {x.group}" for x in labels]


def _versions() -> dict[str, str]:
    names = ("flowgauge", "numpy", "scikit-learn", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
