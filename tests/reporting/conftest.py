"""A run folder as training leaves it, made of events with known numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zerosum.engine.events import check_event
from zerosum.engine.listeners import EventLog
from zerosum.games.rules import AdversarialRules
from zerosum.spec import Player, Recipe

MakeRun = Callable[..., Path]

RECIPE = Recipe(
    name="small",
    title="A small GAN",
    source="a test",
    players={"G": Player(network="g"), "D": Player(network="d")},
    game=AdversarialRules(d_scale=0.5),
    steps=1000,
)


def step_event(step: int, **fields: Any) -> dict[str, Any]:
    """G's loss falls to log 2, D's rises to it; accuracies fall to 70% and 80%."""
    gap = float(np.exp(-step / 150))
    told = {
        "losses": {"D/adv": 0.693 - 0.6 * gap, "G/adv": 0.693 + 2 * gap},
        "d_real": 0.5 + 0.4 * gap,
        "d_fake_before": 0.5 - 0.4 * gap,
        "d_fake_after": 0.45 - 0.4 * gap,
        "acc_real": 0.7 + 0.3 * gap,
        "acc_fake": 0.8 + 0.2 * gap,
        "margin": gap,
        "separation": gap,
        "grad_norm": {"D": 1.0 + gap, "G": 0.5 + gap},
        "lr": {"D": 2e-4, "G": 2e-4},
    }
    count = {"step": step, "images": 64 * step, "seconds": step / 10, "images_per_second": 640.0}
    return dict(check_event({"event": "step", **count, **told, **fields}))


def start_event(**fields: Any) -> dict[str, Any]:
    told = {"schema": 2, "name": "run", "recipe": "small", "step": 0, "steps": 1000, "minutes": None}
    return {"event": "start", **told, **fields}


def usual_events(steps: int = 1000, end: str | None = "finished") -> Iterable[dict[str, Any]]:
    yield start_event()
    for step in [1, *range(10, steps + 1, 10)]:
        yield step_event(step)
        if step == 1 or step % 100 == 0:
            yield {"event": "grid", "step": step, "path": f"samples/{step:06d}.png"}
        if step % 100 == 0:
            value = 0.1 if step == 700 else 0.2 + 0.5 / step
            score = {"name": "swd", "value": value, "levels": {"28": value}, "best": step == 700}
            yield {"event": "score", "step": step, **score}
            name = f"step-{step:06d}" if step % 500 else "last"
            yield {"event": "checkpoint", "step": step, "name": name, "path": f"checkpoints/{name}"}
            if step == 700:
                yield {"event": "checkpoint", "step": step, "name": "best", "path": "checkpoints/best"}
    if end:
        told = {"images": 64 * steps, "seconds": steps / 10, "message": None}
        yield {"event": "end", "reason": end, "step": steps, **told}


def about(name: str, **fields: Any) -> dict[str, Any]:
    data = {"source": "digits", "fingerprint": "00ff", "train": 9000, "held_out": 1000, "shape": [1, 28, 28]}
    told = {"format": 1, "name": name, "created": "2025-06-02T13:45:10", "recipe": RECIPE.to_dict(), "data": data}
    more = {"seed": 0, "versions": {"torch": "2.13"}, "device": {"name": "cpu"}, "horizon": {"steps": 1000}}
    return {**told, **more, "parent": None, **fields}


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """make_run(events=…, info=…, grids=True): a run folder; info None leaves run.json out."""

    def make(
        name: str = "run",
        events: Iterable[dict[str, Any]] | None = None,
        info: dict[str, Any] | str | None = "usual",
        grids: bool = True,
    ) -> Path:
        folder = tmp_path / name
        (folder / "samples").mkdir(parents=True)
        log = EventLog(folder / "events.jsonl")
        rng = np.random.default_rng(0)
        for event in usual_events() if events is None else events:
            log(check_event(event))
            if event["event"] == "grid" and grids:
                Image.fromarray(rng.integers(0, 256, (224, 224), dtype=np.uint8)).save(folder / event["path"])
            if event["event"] == "checkpoint":
                (folder / event["path"]).mkdir(parents=True, exist_ok=True)
        log.close()
        if info is not None:
            (folder / "run.json").write_text(json.dumps(about(name) if info == "usual" else info))
        return folder

    return make
