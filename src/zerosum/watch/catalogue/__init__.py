"""Every text of the watch, one file a language with the same keys and the same placeholders; a test compares them."""

from __future__ import annotations

import importlib
import locale
import os
from collections.abc import Mapping
from typing import Any

from zerosum.errors import UserError, nearest
from zerosum.registry import modules

__all__ = ["Words", "languages", "spoken"]


def languages() -> list[str]:
    """The codes of the languages that are there: en, vi."""
    return modules("zerosum.watch.catalogue")


def spoken(wanted: str | None = None) -> str:
    """The language to speak: the wanted one, else that of the locale, else English; `UserError` for an unknown one."""
    if wanted is not None:
        if wanted not in languages():
            raise UserError(f"no language {wanted!r}; {nearest(wanted, languages())}")
        return wanted
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), None)
    code = (named or locale.getlocale()[0] or "en")[:2].lower()
    return code if code in languages() else "en"


class Words:
    """The texts of one language: `words("verdict.D winning")`, `words("evidence.gap", gap=1.2)`."""

    def __init__(self, language: str = "en") -> None:
        self.language = spoken(language)
        self._texts: dict[str, str] = importlib.import_module(f"{__name__}.{self.language}").TEXTS

    def __call__(self, key: str, **values: Any) -> str:
        """The text under a key, its placeholders filled; the key itself where it is not known (a newer run's)."""
        text = self._texts.get(key)
        if text is None:
            return key
        try:
            return text.format(**values)
        except (KeyError, ValueError, TypeError):
            return text

    def evidence(self, found: Mapping[str, Any]) -> str:
        """The sentence of one piece of evidence, as a verdict event has it."""
        return self(f"evidence.{found['key']}", **{name: _known(value) for name, value in found["values"].items()})

    def advice(self, tried: Mapping[str, Any]) -> str:
        """The sentence of one thing to try."""
        return self(f"advice.{tried['key']}")


def _known(value: Any) -> Any:
    """A number that is not there (JSON has no NaN) as NaN, so that every placeholder can be filled."""
    return float("nan") if value is None else value
