"""zerosum trains generative adversarial networks, shows whether the training works, and keeps the best of it."""

from __future__ import annotations

__version__ = "0.1.0"
