"""`report.html`: one self-contained page about a run, finished or not, from nothing but its folder."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from zerosum.errors import UserError, writing
from zerosum.eventlog import number
from zerosum.reporting.charts import figure, legend
from zerosum.reporting.curves import inline
from zerosum.reporting.facts import LOGGED, duration, sentences, tail
from zerosum.reporting.history import History, step_of
from zerosum.reporting.pictures import animation, grid_files, latest_grid, strip
from zerosum.reporting.words import words
from zerosum.runinfo import read_info
from zerosum.shell import typed
from zerosum.types import PathLike

QUIET = 120  # seconds without an event, after which a run without an end counts as cut off
REASONS = ("finished", "stopped", "diverged", "failed")


def read_run(run_folder: PathLike) -> dict[str, Any]:
    """run.json as it stands; empty where it is missing or no JSON object."""
    try:
        return read_info(run_folder)
    except UserError:
        return {}


def write_report(run_folder: PathLike, verdict: Mapping[str, Any] | None = None) -> Path:
    """Write `report.html` into the run folder and give its path.

    verdict: what the watch says, in words: name, meaning, standing, evidence, advice (sentences with commands), alarms,
    and the titles of evidence and advice. Whatever the folder lacks is left out: events, grids, run.json. `UserError`
    where there is no such folder, or none that can be written.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise UserError(f"no run folder {str(folder)!r}; expected one that `zerosum train` made")
    path = folder / "report.html"
    beside = folder / "report.html.new"
    page = _page(folder, verdict)
    with writing(path, "copy the run to a place that has room and may be written, and report on the copy"):
        beside.write_text(page, encoding="utf-8")
        os.replace(beside, path)
    return path


def part(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A mapping inside a mapping; empty where it is missing or something else."""
    value = fields.get(key)
    return value if isinstance(value, dict) else {}


def _page(folder: Path, verdict: Mapping[str, Any] | None) -> str:
    loader = PackageLoader("zerosum", "reporting")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("report.html.j2")
    return template.render(w=words, verdict=verdict, **_context(folder))


def _context(folder: Path) -> dict[str, Any]:
    run, history = read_run(folder), History.read(folder)
    recipe = part(run, "recipe")
    grids = grid_files(folder, history)
    state = _state(folder, history)
    return {
        "name": str(run.get("name") or folder.resolve().name),
        "state": state,
        "note": _note(state, history),
        "about": _about(run, recipe),
        "parent": _parent(run),
        "facts": _facts(history, run, state),
        "grid": latest_grid(grids),
        "frames": strip(grids, recipe),
        "moving": animation(folder, grids[-1][0] if grids else 0),
        "count": len(grids),
        "players": _players(history, recipe),
        "window": words("players.window", count=min(LOGGED, len(history.step))),
        "charts": [
            {"title": chart.title, "legend": legend(chart), "drawing": Markup(drawing)}
            for chart, drawing in inline(history, recipe)
        ],
        "checkpoints": _checkpoints(folder, history),
        "scored": history.score_name and f"{words('checkpoints.score')} ({history.score_name})",
        "stages": list(_stages(history)),
        "warnings": [{"step": step_of(event), "message": event["message"]} for event in history.warnings],
        "tables": _tables(run, recipe),
        "commands": _commands(folder, recipe, state),
        "closing": f"zerosum · {time.strftime('%Y-%m-%d %H:%M')}",
    }


def _state(folder: Path, history: History) -> str:
    reason = (history.end or {}).get("reason")
    if reason in REASONS:
        return str(reason)
    if not len(history.step):
        return "empty"
    age = time.time() - (folder / "events.jsonl").stat().st_mtime
    return "running" if age < QUIET else "cut"


def _note(state: str, history: History) -> str | None:
    if state in ("running", "cut", "empty"):
        return words(f"note.{state}")
    message = (history.end or {}).get("message")
    return message if isinstance(message, str) else None


def _about(run: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[str]:
    data = part(run, "data")
    told = [recipe.get("title"), recipe.get("name"), data.get("source"), _created(run)]
    if run.get("seed") is not None:
        told.append(f"seed {run['seed']}")
    return [str(value) for value in told if value]


def _created(run: Mapping[str, Any]) -> str:
    return str(run.get("created") or "")[:16].replace("T", " ")


def _parent(run: Mapping[str, Any]) -> dict[str, Any] | None:
    parent = part(run, "parent")
    if not parent:
        return None
    step = f"{step_of(parent):,}"
    return {
        "text": words("parent.text", step=step, run=parent.get("run")),
        "changes": list(_flat(part(parent, "changes"))),
    }


def _facts(history: History, run: Mapping[str, Any], state: str) -> list[dict[str, str]]:
    if not len(history.step):
        return []
    end = history.end or {}
    step = max(int(history.step[-1]), step_of(end))
    images = np.nanmax([history.images[-1], number(end.get("images")), 0])
    seconds = np.nanmax([history.seconds[-1], number(end.get("seconds")), 0])
    total = part(run, "horizon").get("steps") or (history.start or {}).get("steps")
    of_total = words("fact.of", total=f"{total:,}") if isinstance(total, int) and total != step else ""
    facts = [
        ("steps", f"{step:,}", of_total),
        ("images", f"{images:,.0f}", _epochs(images, run)),
        ("time", duration(float(seconds)), ""),
    ]
    speed = history.images_per_second[np.isfinite(history.images_per_second)]
    if len(speed):
        facts.append(("speed", figure(float(np.median(speed))), words("fact.speed.note")))
    losses = [tail(column) for player in ("D", "G") if (column := history.loss(player)) is not None]
    if len(losses) == 2:
        note = words("fact.losses.note", count=min(LOGGED, len(history.step)))
        facts.append(("losses", " / ".join(map(figure, losses)), note))
    if history.best:
        note = words("fact.score.note", name=history.score_name, step=f"{history.best[0]:,}")
        facts.append(("score", figure(history.best[1]), note))
    return [{"label": words(f"fact.{key}"), "value": value, "note": note} for key, value, note in facts]


def _epochs(images: float, run: Mapping[str, Any]) -> str:
    """How many times the data was seen; empty where its size is not known."""
    size = number(part(run, "data").get("train"))
    return words("fact.epochs", count=figure(images / size)) if size > 0 else ""


def _players(history: History, recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    told = sentences(history, recipe)
    accuracies = {"real": tail(history.acc_real), "fake": tail(history.acc_fake)}
    meters = [
        {"role": role, "label": words(f"meter.{role}"), "value": min(max(value, 0.0), 1.0)}
        for role, value in accuracies.items()
        if not math.isnan(value)
    ]
    return [
        {"key": key, "sentences": told[key], "meters": meters if key == "D" else []} for key in ("D", "G") if told[key]
    ]


def _checkpoints(folder: Path, history: History) -> list[dict[str, Any]]:
    """Those that are still there, `last` and `best` first, then the latest."""
    scores = dict(zip(history.score_step.tolist(), history.score.tolist(), strict=True))
    rows = []
    for event in history.checkpoints:
        if not (folder / event["path"]).is_dir():
            continue
        step = step_of(event)
        images, score = history.at(step, history.images), scores.get(step, math.nan)
        name = str(event.get("name") or Path(event["path"]).name)
        rows.append(
            {
                "name": name,
                "step": step,
                "images": "" if math.isnan(images) else f"{images:,.0f}",
                "score": "" if math.isnan(score) else figure(score),
                "best": bool(history.best and step == history.best[0]),
                "order": ({"best": 0, "last": 1}.get(name, 2), -step),
            }
        )
    return sorted(rows, key=lambda row: row["order"])


def _stages(history: History) -> Iterator[dict[str, Any]]:
    for event in history.stages:
        changes = ", ".join(f"{key} {value}" for key, value in _flat(part(event, "changes")))
        yield {"stage": event.get("stage"), "step": f"{step_of(event):,}", "changes": changes or "–"}


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names with their values as text."""
    for key, value in fields.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            yield f"{prefix}{key}", " · ".join(value)
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _tables(run: Mapping[str, Any], recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    machine = {**part(run, "device"), **part(run, "versions")}
    tables = [
        ("recipe", recipe, str(recipe.get("source") or "")),
        ("data", part(run, "data"), str(part(run, "data").get("source") or "")),
        ("machine", machine, ""),
    ]
    return [
        {"title": words(f"settings.{key}"), "note": note, "rows": list(_flat(fields))}
        for key, fields, note in tables
        if fields
    ]


def _commands(folder: Path, recipe: Mapping[str, Any], state: str) -> list[dict[str, str]]:
    run = typed(_shown(folder))
    more = " --minutes +5" if state == "finished" else ""  # else a branch has the rest of the run before it
    lr = number(part(part(recipe, "players"), "G").get("lr"))
    draws = recipe.get("inputs", "noise") == "noise"
    texts = {
        "sample": f"zerosum sample {run} -n 64" if draws else "",
        "walk": f"zerosum walk {run}" if draws else "",
        "translate": "" if draws else f"zerosum translate {run} IMAGES --out DIR",
        "resume": f"zerosum resume {run} --minutes +5",
        "branch": f"zerosum resume {run} --lr {lr / 10:.2g}{more}" if lr > 0 else "",
        "report": f"zerosum report {run}",
    }
    usable = any(folder.glob("checkpoints/*/"))  # without a checkpoint there is nothing to go on from
    shown = {key: text for key, text in texts.items() if text and (usable or key == "report")}
    return [{"what": words(f"commands.{key}"), "text": text} for key, text in shown.items()]


def _shown(folder: Path) -> str:
    """The path as a user would type it: relative where it lies below the working directory."""
    if folder.is_absolute() and folder.is_relative_to(Path.cwd()):
        folder = folder.relative_to(Path.cwd())
    return str(folder)
