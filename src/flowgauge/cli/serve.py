"""`flowgauge serve`: a local page that measures answers and shows texts while they are written."""

import threading
import webbrowser
from importlib.util import find_spec
from pathlib import Path

import typer

from flowgauge.errors import MissingDependencyError, RunError, SettingsError
from flowgauge.models.load import load_model
from flowgauge.store import open_run


def run_serve(
    run: Path | None,
    *,
    model: str,
    host: str,
    port: int,
    token: str | None,
    runs: Path | None,
    open_browser: bool,
) -> None:
    """Serve until Ctrl-C.

    Args:
        run: A run whose page is opened first; a bare name is looked for under `runs`.
        model: As `load_model` takes it.
        host: Address to listen at.
        port: Port; 0 for any free one.
        token: What requests must carry; needed for another host than the loopback.
        runs: Folder of the runs; by default that of `run`, else `runs/`.
        open_browser: Whether to open the page in a browser.

    Raises:
        MissingDependencyError: The extra `web` is not installed.
        SettingsError: The port is taken, the host needs a token, or the run stands elsewhere.
        RunError: There is no such run.
        ModelError: The model cannot be had.
    """
    check_extra()
    from flowgauge.serve.listen import address_of, bind
    from flowgauge.serve.settings import ServeSettings

    folder, name = places(run, runs)
    settings = ServeSettings(runs=folder, host=host, port=port, token=token)
    sock = bind(settings)  # refused before the long work
    try:
        from flowgauge.serve.server import make_server

        lm = load_model(model)
        address = address_of(settings, sock)
        start = f"{address}/{f'runs/{name}' if name else ''}"

        def ready() -> None:
            typer.echo(f"flowgauge: serving {lm.name} at {start} (runs in {folder}; Ctrl-C ends)")
            if open_browser:
                page = f"{start}?token={token}" if token else start
                # Some browsers run in the terminal and give back control when they are closed.
                threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

        make_server(lm, settings, sock, ready).run(sockets=[sock])
    except KeyboardInterrupt:
        pass
    finally:
        sock.close()
    typer.echo("flowgauge: ended")


def check_extra() -> None:
    """Whether what the server needs is installed.

    Raises:
        MissingDependencyError: It is not; names the extra.
    """
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise MissingDependencyError(
            f"flowgauge serve needs {' and '.join(missing)}; install the extra: "
            "pip install 'flowgauge[web]'"
        )


def places(run: Path | None, runs: Path | None) -> tuple[Path, str | None]:
    """The folder of runs, and the name in it of the run to open first.

    Raises:
        SettingsError: The run stands in another folder than `runs`, or its name cannot stand in
            an address.
        RunError: There is no such run, or it is not finished.
    """
    from flowgauge.serve.names import check_name

    if run is None:
        return runs or Path("runs"), None
    bare = run.name == str(run) and not run.is_dir()
    found = (open_run((runs or Path("runs")) / run if bare else run).path or run).resolve()
    if not (found / "run.json").is_file():
        raise RunError(f"the run {found} is not finished; continue it with measure --resume")
    if runs is not None and found.parent != runs.resolve():
        raise SettingsError(
            f"the run {found} does not stand in {runs}; leave --runs out, or name a run in it"
        )
    return runs or found.parent, check_name(found.name)
