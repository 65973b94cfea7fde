"""Events as a run emits them, for the watch's tests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

Event = dict[str, Any]
RECIPE: dict[str, Any] = {
    "name": "dcgan-digits",
    "data": "mnist",
    "ema": 0,
    "players": {name: {"lr": 2e-4, "betas": [0.5, 0.999], "optimizer": "adam", "frozen": False} for name in ("G", "D")},
    "game": {"kind": "adversarial", "loss": "non-saturating", "d_scale": 0.5, "n_critic": 1, "d_every": 1},
}


def step_event(step: int, **changes: Any) -> Event:
    """A step of a calm run, batch 64, ten steps a second."""
    told: Event = {
        "event": "step",
        "step": step,
        "images": 64 * step,
        "seconds": step / 10,
        "images_per_second": 640.0,
        "losses": {"D/adv": 0.6, "G/adv": 0.9},
        "d_real": 0.6,
        "d_fake_before": 0.4,
        "d_fake_after": 0.4,
        "acc_real": 0.7,
        "acc_fake": 0.7,
        "margin": 0.8,
        "separation": 0.9,
        "grad_norm": {"D": 1.0, "G": 1.0},
        "lr": {"D": 2e-4, "G": 2e-4},
    }
    return told | changes


def exam_event(step: int, **changes: Any) -> Event:
    told: Event = {"event": "exam", "step": step, "images": 64 * step, "samples": 128}
    told |= {"spread": 0.95, "nearest": 0.9, "coverage": 0.7, "reach": 1.0, "gap": 0.1, "label_gap": None, "probes": {}}
    return told | changes


def score_event(step: int, value: float, name: str = "fid") -> Event:
    return {"event": "score", "step": step, "name": name, "value": value, "levels": {}, "best": False}


@pytest.fixture
def story() -> Callable[..., list[Event]]:
    """A run of 4,000 steps: `steps`, `exams` change the events' fields, `scores` are its scores, evenly spaced."""

    def tell(
        *, steps: Event | None = None, exams: Event | None = None, scores: tuple[float, ...] = (), upto: int = 4000
    ) -> list[Event]:
        told: list[Event] = []
        at = {round((index + 1) * upto / len(scores)): value for index, value in enumerate(scores)}
        for step in range(1, upto + 1):
            if step == 1 or step % 50 == 0:
                told.append(step_event(step, **(steps or {})))
            if step % 125 == 0:
                told.append(exam_event(step, **(exams or {})))
            if step in at:
                told.append(score_event(step, at[step]))
        return told

    return tell


@pytest.fixture
def step_at() -> Callable[..., Event]:
    """A step event by its number."""
    return step_event


@pytest.fixture
def recipe() -> Event:
    """A recipe as run.json has it, to be changed."""
    return copy.deepcopy(RECIPE)
