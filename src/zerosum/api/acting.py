"""What the watch may do by itself (`--act`): after a divergence, go on from before it with lower learning rates."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from zerosum.api import resuming
from zerosum.api.fleets import Fleet
from zerosum.api.habits import Care
from zerosum.api.run import Run
from zerosum.engine.engine import Device, Precision
from zerosum.engine.run import RunFolder
from zerosum.errors import DivergedError
from zerosum.spec import lowered, ruined

TRIES = 3
LOWER = 0.25  # times the rates that diverged


def persevere(
    begin: Callable[[], Run | Fleet], care: Care, device: Device | None, precision: Precision | None
) -> Run | Fleet:
    """What `begin` trains; where that diverges and the watch may act, up to three branches with lower rates.

    Each goes on from the last healthy checkpoint of the one before, and names it as its parent, with the changed
    rates: so every attempt is on record. Raises the last `DivergedError` where none holds.
    """
    try:
        return begin()
    except DivergedError as error:
        if not care.act or error.run is None:
            raise
        diverged = error
    for attempt in range(1, TRIES + 1):
        path = Path(str(diverged.run))
        settings = lower_rates(path)
        told = ", ".join(f"{key} {value:g}" for key, value in settings.items())
        logging.getLogger("zerosum").warning("%s; attempt %d of %d goes on with %s", diverged, attempt, TRIES, told)
        source = resuming.START if ruined(RunFolder.open(path).recipe) else "last"
        change = resuming.Change(settings=settings, source=source)
        try:
            return resuming.resume(path, resuming.More(), change, device, precision, care)
        except DivergedError as error:
            diverged = error
    raise diverged


def lower_rates(path: Path) -> dict[str, float]:
    """Settings that lower the rate of every player of the run in that folder."""
    players = RunFolder.open(path).recipe.players
    learning = {name: player for name, player in players.items() if player.lr and not player.frozen}
    return {f"{name}.lr": lowered(player.lr, LOWER, player.optimizer) for name, player in learning.items()}
