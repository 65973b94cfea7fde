"""The report is one page that stands alone, is well formed, and says what the run's folder says."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zerosum.errors import UserError
from zerosum.reporting.facts import duration, sentences
from zerosum.reporting.history import History
from zerosum.reporting.report import write_report

from .conftest import about, step_event, usual_events

MakeRun = Callable[..., Path]
VOID = {"meta", "link", "img", "source", "br", "hr", "input"}


class Page(HTMLParser):
    """A page with its tags checked to be nested, its text, its headings and its attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open and self.open[-1] not in ("style", "script"):
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(make_run: MakeRun) -> Page:
    return Page(write_report(make_run("first")))


class TestThePage:
    def test_asks_nothing_of_the_network(self, page: Page) -> None:
        for tag, attributes in page.tags:
            for key in ("src", "href", "srcset", "xlink:href", "action", "data"):
                value = attributes.get(key)
                assert value is None or value.startswith("data:"), (tag, key)
        assert not re.search(r"@import|url\(|//[a-z]+\.[a-z]", page.source)

    def test_has_one_title_headings_in_order_and_a_language(self, page: Page) -> None:
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert page.all("html")[0]["lang"] == "en"
        assert "width=device-width" in str(page.all("meta"))

    def test_describes_every_picture(self, page: Page) -> None:
        assert len(page.all("img")) >= 6
        assert all(image["alt"] for image in page.all("img"))
        charts = page.all("svg")
        assert len(charts) == 6
        assert all(chart["role"] == "img" and "last" in str(chart["aria-label"]) for chart in charts)

    def test_has_a_light_and_a_dark_theme_with_the_same_colours_named(self, page: Page) -> None:
        light, dark = re.findall(r":root \{(.*?)\}", page.source, re.DOTALL)
        named = [set(re.findall(r"--([\w-]+):", theme)) for theme in (light, dark)]
        assert named[0] == named[1] >= {"page", "card", "ink", "soft", "D", "G", "real", "fake"}

    def test_can_be_read_in_both_themes(self, page: Page) -> None:
        for theme in re.findall(r":root \{(.*?)\}", page.source, re.DOTALL):
            colour = dict(re.findall(r"--([\w-]+): (#\w{6})", theme))
            for ink in ("ink", "soft"):
                assert min(contrast(colour[ink], colour[ground]) for ground in ("page", "card")) >= 4.5
            for line in ("D", "G", "real", "fake", "other"):
                assert contrast(colour[line], colour["card"]) >= 3
            for state in ("good", "busy", "bad", "calm"):
                assert contrast(colour[state], colour[f"{state}-bg"]) >= 4.5

    def test_holds_the_latest_grid_and_a_strip_from_first_to_last(self, page: Page) -> None:
        images = [image for image in page.all("img") if str(image["alt"]).startswith(("Grid", "Samples"))]
        assert images[0]["alt"] == "Grid of samples that the generator drew at step 1,000"
        shown = [str(image["alt"]).rpartition(" ")[2] for image in images[1:]]
        assert shown == ["1", "200", "400", "600", "1,000"]
        kind, _, data = str(images[0]["src"]).partition(",")
        assert kind == "data:image/png;base64"
        assert Image.open(io.BytesIO(base64.b64decode(data))).size == (224, 224)

    def test_says_the_headline_numbers(self, page: Page) -> None:
        for text in ("first", "finished", "A small GAN", "1,000", "64,000", "1:40", "640", "0.1", "swd at step 700"):
            assert text in page.texts or text in page.text, text

    def test_lists_the_checkpoints_with_their_scores_best_first(self, page: Page) -> None:
        rows = page.text[page.text.index("Checkpoints and scores") :]
        assert re.search(r"best 700 44,800 0\.1 last 1,000 64,000 0\.2[\d]* step-000900 900", rows)

    def test_gives_the_settings_and_the_commands(self, page: Page) -> None:
        assert "d_scale" in page.text
        assert len(page.all("details")) == 3
        commands = [button["data-copy"] for button in page.all("button")]
        assert [str(command).split()[1] for command in commands] == ["sample", "walk", "resume", "resume", "report"]
        assert str(commands[3]).endswith("--lr 2e-05 --minutes +5")  # a finished run has nothing left to branch into


def contrast(one: str, other: str) -> float:
    """WCAG 2's contrast ratio of two colours #rrggbb."""

    def light(colour: str) -> float:
        parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    bright, dark = sorted((light(one), light(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


class TestRunsOfAllKinds:
    def test_still_going(self, make_run: MakeRun) -> None:
        page = Page(write_report(make_run(events=usual_events(300, end=None))))
        assert "still going" in page.text
        assert "of 1,000" in page.text

    def test_cut_off_in_the_middle_of_a_line(self, make_run: MakeRun) -> None:
        folder = make_run(events=usual_events(300, end=None))
        with (folder / "events.jsonl").open("ab") as file:
            file.write(b'{"event": "step", "step": 301, "los')
        os.utime(folder / "events.jsonl", (1e9, 1e9))
        page = Page(write_report(folder))
        assert "cut off" in page.text
        assert "300" in page.texts

    @pytest.mark.parametrize("reason", ["stopped", "diverged", "failed"])
    def test_ended_otherwise(self, make_run: MakeRun, reason: str) -> None:
        events = list(usual_events(100, end=reason))
        events[-1]["message"] = "G/adv is nan at step 100: try a smaller lr"
        page = Page(write_report(make_run(events=events)))
        assert reason in page.texts
        commands = [str(button["data-copy"]) for button in page.all("button")]
        assert commands[3].endswith("--lr 2e-05")  # the rest of the run is left
        assert "G/adv is nan at step 100: try a smaller lr" in page.text

    @pytest.mark.parametrize("info", [None, [], {}, {"recipe": None, "data": 3, "parent": "x", "horizon": []}])
    def test_without_a_usable_run_json(self, make_run: MakeRun, info: object) -> None:
        page = Page(write_report(make_run("nameless", info=info)))
        assert "nameless" in page.texts
        assert "settings are not known" in page.text

    def test_empty_folder(self, tmp_path: Path) -> None:
        page = Page(write_report(tmp_path))
        assert "no steps yet" in page.text
        assert [str(button["data-copy"]).split()[1] for button in page.all("button")] == ["report"]

    def test_no_such_folder_is_an_error_of_one_line(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="no run folder"):
            write_report(tmp_path / "none")

    def test_a_page_that_can_not_be_written_is_an_error_of_one_line(self, make_run: MakeRun) -> None:
        folder = make_run()
        (folder / "report.html.new").mkdir()
        with pytest.raises(
            UserError, match=r"report\.html can't be written \(Is a directory\): copy the run to a place"
        ):
            write_report(folder)

    def test_grids_of_a_run_without_events_go_by_their_number(self, make_run: MakeRun) -> None:
        folder = make_run(events=[step_event(1)])
        for name in ("1000000", "999999", "500000"):
            Image.new("L", (8, 8)).save(folder / "samples" / f"{name}.png")
        assert "Grid of samples that the generator drew at step 1,000,000" in str(Page(write_report(folder)).all("img"))

    def test_without_grids_or_with_broken_ones(self, make_run: MakeRun) -> None:
        folder = make_run(grids=False)
        assert Page(write_report(folder)).all("img") == []
        for name in ("000001", "000100"):
            (folder / "samples" / f"{name}.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
        assert "No samples were drawn yet" in Page(write_report(folder)).text

    def test_a_grid_outside_the_folder_is_not_shown(self, make_run: MakeRun, tmp_path: Path) -> None:
        Image.new("L", (8, 8)).save(tmp_path / "secret.png")
        folder = make_run(grids=False, events=[step_event(1), {"event": "grid", "step": 1, "path": "../secret.png"}])
        assert Page(write_report(folder)).all("img") == []

    def test_points_are_shown_whole(self, make_run: MakeRun) -> None:
        recipe = {**about("x")["recipe"], "kind": "points"}
        page = Page(write_report(make_run(info=about("toy", recipe=recipe))))
        frames = [image for image in page.all("img") if str(image["alt"]).startswith("Samples")]
        assert {frame["width"] for frame in frames} == {"224"}

    def test_of_a_large_grid_the_strip_shows_four_by_four(self, page: Page) -> None:
        frames = [image for image in page.all("img") if str(image["alt"]).startswith("Samples")]
        assert {frame["width"] for frame in frames} == {"112"}

    def test_a_grid_with_a_row_for_each_class_is_shown_whole(self, make_run: MakeRun) -> None:
        folder = make_run()
        for path in (folder / "samples").glob("*.png"):
            Image.new("L", (160, 280)).save(path)
        images = [image for image in Page(write_report(folder)).all("img") if "Samples" in str(image["alt"])]
        assert {(image["width"], image["height"]) for image in images} == {("146", "256")}

    def test_of_few_grids_the_strip_shows_all(self, make_run: MakeRun) -> None:
        page = Page(write_report(make_run(events=usual_events(400))))
        assert [image["alt"] for image in page.all("img")][1:] == [
            f"Samples at step {step}" for step in (1, 100, 200, 300, 400)
        ]

    def test_an_animation_is_inside_unless_it_is_heavy(self, make_run: MakeRun) -> None:
        folder = make_run()
        frames = [Image.fromarray(np.full((16, 16), 40 * index, dtype=np.uint8)) for index in range(4)]
        path = folder / "samples" / "evolution.webp"
        frames[0].save(path, save_all=True, append_images=frames[1:])
        page = Page(write_report(folder))
        assert len(page.all("picture")) == 1
        assert "prefers-reduced-motion" in str(page.all("source"))
        path.write_bytes(path.read_bytes() + bytes(3_000_000))
        assert Page(write_report(folder)).all("picture") == []

    def test_a_branch_names_its_parent_and_what_changed(self, make_run: MakeRun) -> None:
        parent = {"run": "older", "step": 1200, "changes": {"G.lr": 1e-5, "n_critic": 5}}
        page = Page(write_report(make_run(info=about("branch", parent=parent))))
        assert "This run went on from step 1,200 of older with other settings." in page.texts
        assert re.search(r"G\.lr 1e-05 n_critic 5", page.text)

    def test_stages_and_warnings_are_told(self, make_run: MakeRun) -> None:
        stage = {"event": "stage", "step": 10, "stage": 2, "stages": 4, "changes": {"lr": 1e-4, "betas": [0.3, 0.9]}}
        events = [step_event(1), stage, {"event": "warning", "step": 10, "message": "the disk is nearly full"}]
        page = Page(write_report(make_run(events=events)))
        assert "lr 0.0001, betas [0.3, 0.9]" in page.texts
        assert "the disk is nearly full" in page.text

    def test_text_from_the_run_is_never_markup(self, make_run: MakeRun) -> None:
        nasty = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
        events = [
            step_event(1, losses={f"D/{nasty}": 1.0, nasty: 2.0}, grad_norm={nasty: 1.0}),
            {"event": "warning", "step": 1, "message": nasty},
            {"event": "score", "step": 1, "name": nasty, "value": 1.0, "levels": {}, "best": True},
            {"event": "end", "reason": "failed", "step": 1, "images": 1, "seconds": 1, "message": nasty},
        ]
        info = about(nasty, parent={"run": nasty, "step": 1, "changes": {nasty: nasty}}, seed=nasty)
        folder = make_run("plain", events=events, info=info)
        page = Page(write_report(folder))
        assert len(page.all("script")) == 1
        assert page.all("img") == []
        assert page.text.count("alert(1)") > 5

    def test_the_page_is_replaced_as_a_whole(self, make_run: MakeRun) -> None:
        folder = make_run()
        assert write_report(folder) == write_report(folder) == folder / "report.html"
        assert not list(folder.glob("*.new"))


class TestPlainWords:
    def said(self, tmp_path: Path, loss: str = "non-saturating", **fields: object) -> dict[str, list[str]]:
        (tmp_path / "events.jsonl").write_text(json.dumps(step_event(1, **fields)) + "\n")
        return sentences(History.read(tmp_path), {"game": {"loss": loss, "d_scale": 0.5}})

    @pytest.mark.parametrize(("value", "place"), [(0.70, "close to"), (0.1, "below"), (2.0, "above")])
    def test_a_loss_is_set_beside_log_2(self, tmp_path: Path, value: float, place: str) -> None:
        said = self.said(tmp_path, losses={"D/adv": value, "G/adv": value})
        for player in ("D", "G"):
            assert said[player][0].startswith(f"{player}'s loss is {value:.3g}. That is {place} log 2 ≈ 0.693")

    def test_no_equilibrium_is_claimed_for_a_critic(self, tmp_path: Path) -> None:
        said = self.said(tmp_path, "wasserstein", losses={"D/adv": -3.0, "G/adv": 1.0})
        assert said["D"][0] == "D's loss is −3."
        assert not any("surely" in sentence for sentence in said["G"])

    @pytest.mark.parametrize(
        ("real", "fake", "words"),
        [(0.98, 1.0, "nearly all"), (0.9, 0.1, "no better than guessing"), (0.7, 0.77, "guessing would be 50%")],
    )
    def test_accuracies_are_set_beside_guessing(self, tmp_path: Path, real: float, fake: float, words: str) -> None:
        assert words in self.said(tmp_path, acc_real=real, acc_fake=fake)["D"][1]

    @pytest.mark.parametrize("loss", ["relativistic", "wasserstein"])
    def test_the_accuracy_is_told_under_losses_that_compare_too(self, make_run: MakeRun, loss: str) -> None:
        recipe = about("x")["recipe"]
        info = about("run", recipe={**recipe, "game": {**recipe["game"], "loss": loss}})
        page = Page(write_report(make_run(info=info)))
        assert "D's accuracy" in page.text

    def test_a_gradient_of_zero_is_said(self, tmp_path: Path) -> None:
        said = self.said(tmp_path, grad_norm={"D": 0.0, "G": 0.5})
        assert "Its gradient is zero: it learns nothing." in said["D"]
        assert "The norm of its gradient is 0.5." in said["G"]

    def test_nothing_is_said_about_what_is_not_known(self, tmp_path: Path) -> None:
        nothing = {"losses": {}, "grad_norm": {}, "d_fake_before": None, "acc_real": None}
        assert self.said(tmp_path, **nothing) == {"D": [], "G": []}

    @pytest.mark.parametrize(
        ("seconds", "text"), [(0, "0:00"), (7.9, "0:07"), (760, "12:40"), (11_109, "3:05:09"), (float("nan"), "0:00")]
    )
    def test_times_are_as_on_a_watch(self, seconds: float, text: str) -> None:
        assert duration(seconds) == text
