"""zerosum trains generative adversarial networks, shows whether it works, and keeps the best of it."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# What `zerosum.NAME` gives, and the module that it is imported from at the first use: torch is slow to import.
_FACE = {
    **dict.fromkeys(("Fleet", "Generator", "Projected", "Run"), "zerosum.api"),
    **dict.fromkeys(("compare", "load", "open_run", "report", "resume", "sample", "train", "walk"), "zerosum.api"),
    **dict.fromkeys(("directions", "mix", "project", "text", "translate", "upscale"), "zerosum.api"),
    **dict.fromkeys(("Judgement", "evaluate", "rank"), "zerosum.api.judging"),
    **dict.fromkeys(("Player", "Recipe", "Rules", "Stage"), "zerosum.spec"),
    "AdversarialRules": "zerosum.games.rules",
    "ZerosumError": "zerosum.errors",
    "recipe": "zerosum.recipes",
}

__all__ = ["__version__", *sorted(_FACE)]


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_FACE[name]), name)


def __dir__() -> list[str]:
    return __all__
