"""`flowgauge models`: the presets, their licences, what is cached and where."""

import json

import typer
from rich.console import Console
from rich.table import Table

from flowgauge.errors import UnknownModelError
from flowgauge.models.load import is_cached, preset_folder
from flowgauge.models.presets import PRESETS, cache_folder


def show_models(fetch: str | None, *, as_json: bool) -> None:
    """List the presets, after fetching one if asked.

    Raises:
        UnknownModelError: No such preset.
    """
    if fetch is not None:
        if fetch not in PRESETS:
            raise UnknownModelError(f"{fetch!r} is no preset; there are {', '.join(PRESETS)}")
        preset_folder(PRESETS[fetch])
    rows = [
        {
            "name": p.name,
            "about": p.about,
            "licence": p.licence,
            "download_mb": p.megabytes if p.packages else 0,
            "hub": p.hub,
            "cached": is_cached(p),
        }
        for p in PRESETS.values()
    ]
    if as_json:
        typer.echo(json.dumps({"cache": str(cache_folder()), "models": rows}))
        return
    console = Console()
    if not console.is_terminal:
        for row in rows:
            typer.echo("\t".join(str(v) for v in row.values()))
        return
    table = Table(caption=f"cache: {cache_folder()}", caption_justify="left")
    for head in ("model", "what", "licence", "download", "cached"):
        table.add_column(head)
    for row in rows:
        size = f"{row['download_mb']} MB" if row["download_mb"] else "none"
        table.add_row(
            str(row["name"]), str(row["about"]), str(row["licence"]), size,
            "yes" if row["cached"] else f"no: flowgauge models --fetch {row['name']}",
        )  # fmt: skip
    console.print(table)
