"""`__all__` is sorted, complete and importable, in flowgauge and in each of its folders."""

import pkgutil
from importlib import import_module

import pytest

import flowgauge

FOLDERS = [m.name for m in pkgutil.iter_modules(flowgauge.__path__) if m.ispkg and m.name != "cli"]


def problems(module):
    """What is wrong with the public names of a module."""
    names = list(getattr(module, "__all__", ()))
    found = [f"{name} does not exist" for name in names if not hasattr(module, name)]
    if names != sorted(names, key=order):
        found.append("__all__ is not sorted")
    if len(set(names)) != len(names):
        found.append("a name stands twice in __all__")
    found += [f"{name} has no docstring" for name in names if needs_words(module, name)]
    return found


def order(name):
    """CONSTANTS, then Classes, then functions, each by name: the order the formatter keeps."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def needs_words(module, name):
    value = getattr(module, name, None)
    return callable(value) and not (value.__doc__ or "").strip()


def test_flowgauge():
    assert problems(flowgauge) == []
    assert len(flowgauge.__all__) <= 25
    assert set(dir(flowgauge)) == {*flowgauge.__all__, "__version__"}
    assert set(flowgauge._HOME) == set(flowgauge.__all__)


@pytest.mark.parametrize("folder", FOLDERS)
def test_folders(folder):
    assert problems(import_module(f"flowgauge.{folder}")) == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'flowgauge' has no attribute 'nope'"):
        _ = flowgauge.nope
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        _ = import_module("flowgauge.models").nope


def test_a_lazy_name_is_the_very_object():
    from flowgauge.records import Record

    assert flowgauge.Record is Record
    assert flowgauge.Record is flowgauge.Record


def test_every_error_is_a_flowgauge_error_with_words():
    from flowgauge import errors

    tree = errors.__doc__
    for name, value in vars(errors).items():
        if isinstance(value, type):
            assert issubclass(value, errors.FlowgaugeError), name
            assert value.__doc__, name
            assert name in tree, f"{name} is missing from the tree at the top of errors.py"


class Faulty:
    """A planted fault of each kind."""

    __all__ = ("b", "a", "a", "gone")
    b = staticmethod(lambda: None)

    @staticmethod
    def a():
        """Has words."""


def test_a_fault_is_found():
    assert problems(Faulty) == [
        "gone does not exist",
        "__all__ is not sorted",
        "a name stands twice in __all__",
        "b has no docstring",
    ]
