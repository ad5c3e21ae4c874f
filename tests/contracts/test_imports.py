"""Heavy libraries load when they are needed, not before; each import in a process of its own."""

import subprocess
import sys

import pytest

HEAVY = {
    "torch", "transformers", "pyarrow", "duckdb", "sklearn", "ot", "scipy", "pandas", "tokenizers",
    "accelerate", "gguf", "jinja2", "sentencex", "fastapi", "ray", "typer", "rich",
}  # fmt: skip
TORCH = {"torch", "transformers"}


def loaded_by(statement):
    """Heavy libraries that stand in `sys.modules` after a statement in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()} & HEAVY


def test_flowgauge_loads_nothing():
    assert loaded_by("import flowgauge") == set()


def test_records_and_errors_load_nothing():
    assert loaded_by("import flowgauge.errors; from flowgauge import Record, Flow") == set()


@pytest.mark.parametrize(
    "folder",
    [
        "anytime",
        "bounds",
        "flow",
        "geometry",
        "math",
        "rate",
        "report",
        "store",
        "support",
        "testing",
        "testing.plugin",
        "text",
    ],
)
def test_folders_that_know_no_model_load_no_torch(folder):
    assert loaded_by(f"import flowgauge.{folder}") & TORCH == set()


def test_the_folders_of_models_wait_for_the_first_use():
    folders = ("models", "estimators", "architectures", "live")
    for folder in folders:
        assert loaded_by(f"import flowgauge.{folder}") & TORCH == set(), folder


def test_the_help_loads_only_what_prints_it():
    statement = (
        "import sys; sys.argv = ['flowgauge', '--help']\n"
        "from flowgauge.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert loaded_by(statement) <= {"typer", "rich"}


def test_a_heavy_import_would_be_seen():
    assert "duckdb" in loaded_by("import flowgauge; import duckdb")
    with pytest.raises(AssertionError, match="nonsense"):
        loaded_by("import nonsense")
