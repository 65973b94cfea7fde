"""Both languages say everything, with the same numbers in it, and no verdict, evidence or advice lacks its words."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path
from typing import get_args

import pytest

from zerosum.errors import UserError
from zerosum.watch import advice, rules, verdict
from zerosum.watch.catalogue import Words, languages, spoken
from zerosum.watch.catalogue.en import TEXTS as EN
from zerosum.watch.catalogue.vi import TEXTS as VI


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_languages_have_the_same_keys_and_placeholders() -> None:
    assert languages() == ["en", "vi"]
    assert list(EN) == list(VI)
    for key, text in EN.items():
        assert placeholders(text) == placeholders(VI[key]), key


def test_every_verdict_has_a_name_and_a_meaning() -> None:
    for name in get_args(verdict.Name):
        assert f"verdict.{name}" in EN
        assert f"meaning.{name}" in EN


@pytest.mark.parametrize(("module", "call", "group"), [(rules, "Evidence", "evidence"), (advice, "Advice", "advice")])
def test_the_keys_in_the_code_are_those_of_the_catalogue(module: object, call: str, group: str) -> None:
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))  # type: ignore[attr-defined]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == call]
    used = {ast.literal_eval(node.args[0]) for node in calls}
    assert used == {key.removeprefix(f"{group}.") for key in EN if key.startswith(f"{group}.")}


def test_vietnamese_is_vietnamese() -> None:
    accented = re.compile("[àáảãạăắằẳẵặâấầẩẫậđèéẻẽẹêếềểễệìíỉĩịòóỏõọôốồổỗộơớờởỡợùúủũụưứừửữựỳýỷỹỵ]", re.IGNORECASE)
    plain = [key for key, text in VI.items() if not accented.search(text)]
    assert plain == ["verdict.mode collapse"]  # the tutorials leave it in English


def test_the_language_is_the_wanted_one_else_that_of_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "vi_VN.UTF-8")
    assert spoken() == "vi"
    assert spoken("en") == "en"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert spoken() == "en"
    with pytest.raises(UserError, match="no language 'fr'"):
        spoken("fr")


def test_a_number_that_json_lost_is_still_a_sentence() -> None:
    words = Words("en")
    text = words.evidence({"key": "variety", "values": {"spread": None, "nearest": 0.5, "coverage": 0.25}})
    assert "nan" in text
    assert "50%" in text
    assert words.evidence({"key": "from the future", "values": {}}) == "evidence.from the future"
