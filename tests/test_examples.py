"""Every example runs, shortened where it would train for minutes; every Python block in the docs is in an example."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHORTER = (("minutes=2", "steps=3"), ("steps=1000", "steps=3"), ('{"steps": 1000,', '{"steps": 3,'))


def shortened(text: str) -> str:
    for long, short in SHORTER:
        text = text.replace(long, short)
    return text


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = []
    if "sys.argv" in path.read_text(encoding="utf-8"):
        import zerosum

        arguments = [str(zerosum.train("dcgan-digits", data="digits", steps=2, settings={"width": 8}).path)]
    script = tmp_path / path.name
    script.write_text(shortened(path.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setattr("sys.argv", [str(script), *arguments])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip()
    assert list(tmp_path.glob("runs/*/checkpoints/last"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_in_the_docs_comes_from_an_example(page: Path) -> None:
    examples = "\n".join(path.read_text(encoding="utf-8") for path in EXAMPLES)
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    strays = [block for block in blocks if block.strip() not in examples]
    assert not strays
