"""How a word is told where a command is."""

from __future__ import annotations

import shlex
from types import SimpleNamespace

import pytest

from zerosum.shell import typed


@pytest.mark.parametrize("word", ["runs/a", "folder:my photos", "it's", "$HOME"])
def test_a_shell_reads_the_word_again(word: str) -> None:
    assert shlex.split(typed(word)) == [word]


@pytest.mark.parametrize(("word", "told"), [("runs\\a", "runs\\a"), ("folder:C:\\My Photos", '"folder:C:\\My Photos"')])
def test_windows_has_double_quotes_and_paths_as_they_are(word: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """cmd.exe takes single quotes for part of the word."""
    monkeypatch.setattr("zerosum.shell.os", SimpleNamespace(name="nt"))
    assert typed(word) == told
