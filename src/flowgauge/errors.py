"""All errors of flowgauge.

    FlowgaugeError
    ├── InputError (ValueError)          something you passed in
    │   ├── DistributionError            probabilities that are none
    │   ├── ShapeError                   arrays that do not fit each other
    │   ├── SettingsError                a setting outside its range
    │   ├── UnreachableError             a target no solution can meet
    │   └── RecordError                  a row of input
    │       ├── ContextLengthError       longer than the model can read
    │       └── AlignmentError           tokens and characters do not match
    ├── ConvergenceError                 a solver stopped before its tolerance
    ├── MissingDependencyError           an optional library is absent
    ├── ModelError                       a model
    │   ├── UnknownModelError            no such preset, folder or file
    │   ├── ModelUnavailableError        its weights could not be had
    │   └── UnsafeModelError             pickle weights or remote code
    └── RunError                         a folder of results
        ├── RunExistsError               it is already there
        ├── RunMismatchError             it was made from something else
        └── RunLockedError               somebody else writes to it

Every message says what came, what was needed and what to do. Imports nothing.
"""


class FlowgaugeError(Exception):
    """Base of everything flowgauge raises on purpose."""


class InputError(FlowgaugeError, ValueError):
    """Something that was passed in cannot be used."""


class DistributionError(InputError):
    """Probabilities or log-probabilities that are none."""


class ShapeError(InputError):
    """Arrays whose shapes do not fit each other."""


class SettingsError(InputError):
    """A setting outside its range."""


class UnreachableError(InputError):
    """A target (reward, distortion, rate) that no solution can meet."""


class RecordError(InputError):
    """A row of input that cannot be measured."""


class ContextLengthError(RecordError):
    """Prompt and response together are longer than the model can read."""


class AlignmentError(RecordError):
    """Tokens and characters do not match."""


class ConvergenceError(FlowgaugeError):
    """A solver stopped before it reached its tolerance."""


class MissingDependencyError(FlowgaugeError, ImportError):
    """An optional library is not installed; the message names the extra that brings it."""


class ModelError(FlowgaugeError):
    """A model cannot be used."""


class UnknownModelError(ModelError):
    """The name is no preset, folder, file or Hugging Face id."""


class ModelUnavailableError(ModelError):
    """The model is known but its weights could not be had."""


class UnsafeModelError(ModelError):
    """The model would need pickle weights or remote code."""


class RunError(FlowgaugeError):
    """A folder of results cannot be used."""


class RunExistsError(RunError):
    """The folder of results is already there."""


class RunMismatchError(RunError):
    """The folder was made from another input, model or settings."""


class RunLockedError(RunError):
    """Another process writes to the folder."""
