"""`flowgauge models`: the presets, their licences, what is cached and what is known of them."""

import json
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Table

from flowgauge.errors import UnknownModelError
from flowgauge.models.load import is_cached, preset_folder
from flowgauge.models.presets import PRESETS, cache_folder
from flowgauge.pipeline.known import KnownModel, constants_of, known_models
from flowgauge.text.printable import printable


def show_models(fetch: str | None, *, as_json: bool) -> None:
    """List the presets and other models that were measured, after fetching one if asked.

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
    known = known_models()
    of_presets = [known.pop(name, _unseen(name)) for name in PRESETS]
    if as_json:
        told = [{**row, **_as_json(m)} for row, m in zip(rows, of_presets, strict=True)]
        others = [{"name": m.name, **_as_json(m)} for m in known.values()]
        typer.echo(json.dumps({"cache": str(cache_folder()), "models": told, "others": others}))
        return
    console = Console()
    if not console.is_terminal:
        for row, model in zip(rows, of_presets, strict=True):
            typer.echo("\t".join([*map(str, row.values()), *_words(model)]))
        for model in known.values():
            typer.echo("\t".join([printable(model.name, 60), "measured here", *_words(model)]))
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
    for model in (*of_presets, *known.values()):
        typer.echo(f"{printable(model.name, 60)}: {'; '.join(_words(model))}")


def _unseen(name: str) -> KnownModel:
    return KnownModel(
        name=name,
        fingerprint="",
        copy_heads=None,
        best_induction_score=None,
        constants=constants_of(name),
    )


def _words(model: KnownModel) -> tuple[str, str]:
    return model.heads_words, model.constants_words


def _as_json(model: KnownModel) -> dict[str, object]:
    keep = ("fingerprint", "copy_heads", "best_induction_score", "constants")
    return {key: asdict(model)[key] for key in keep}
