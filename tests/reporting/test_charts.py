"""Charts say what is so: where the equilibrium lies, what the axes show, and SVG that any reader can parse."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerosum.losses.equilibrium import equilibrium
from zerosum.reporting.charts import (
    Chart,
    Level,
    Line,
    Mark,
    charts,
    describe,
    figure,
    in_log2,
    legend,
    limits,
    smoothed,
    thousands,
    ticks,
)
from zerosum.reporting.history import History
from zerosum.reporting.svg import HEIGHT, WIDTH, svg

MakeRun = Callable[..., Path]
LOG2 = math.log(2)


def game(loss: str = "non-saturating", **rules: float) -> dict:
    return {"game": {"kind": "adversarial", "loss": loss, **rules}}


class TestEquilibrium:
    @pytest.mark.parametrize(
        ("recipe", "d", "g"),
        [
            (game(), 2 * LOG2, LOG2),
            (game(d_scale=0.5), LOG2, LOG2),
            (game("saturating"), 2 * LOG2, -LOG2),
            (game(target_real=0.9, target_fake=0.1, target_g=0.9), 2 * LOG2, LOG2),
            (game("relativistic", d_scale=3.0), 3 * LOG2, LOG2),  # softplus(0) for each
            # One-sided smoothing: D's best answer is 0.45; two entropies of it, and -log 0.45 for G.
            (game(target_real=0.9), 2 * 0.6881388, 0.7985077),
        ],
    )
    def test_of_cross_entropy_is_the_loss_of_the_mean_target(self, recipe: dict, d: float, g: float) -> None:
        assert equilibrium(recipe) == pytest.approx({"D": d, "G": g})

    def test_counts_both_judges_of_a_cycle_and_what_their_word_weighs(self) -> None:
        cycle = {"game": {"kind": "cycle", "loss": "non-saturating", "d_scale": 0.5}}
        assert equilibrium(cycle) == pytest.approx({"D": 2 * LOG2, "G": 2 * LOG2})
        assert equilibrium(game(adversarial=1e-3)) == pytest.approx({"D": 2 * LOG2, "G": 1e-3 * LOG2})
        assert equilibrium(game(adversarial=0.0)) == pytest.approx({"D": 2 * LOG2})

    @pytest.mark.parametrize("loss", ["wasserstein", "hinge", "least-squares"])
    def test_of_other_losses_is_not_claimed(self, loss: str) -> None:
        assert equilibrium(game(loss)) == {}

    @pytest.mark.parametrize("recipe", [{}, {"game": None}, {"game": {"loss": ["x"]}}, game(target_real=0.0)])
    def test_of_an_unreadable_recipe_is_not_claimed(self, recipe: dict) -> None:
        assert equilibrium(recipe) == {}

    @pytest.mark.parametrize(
        ("value", "text"),
        [(LOG2, "log 2 ≈ 0.693"), (2 * LOG2, "2 log 2 ≈ 1.39"), (-LOG2, "−log 2 ≈ −0.693")],
    )
    def test_is_written_in_multiples_of_log_2(self, value: float, text: str) -> None:
        assert in_log2(value) == text


class TestCharts:
    def test_a_run_has_the_charts_it_has_numbers_for(self, make_run: MakeRun) -> None:
        made = charts(History.read(make_run()), game(d_scale=0.5))
        assert set(made) == {"losses", "outputs", "accuracy", "score", "gradients", "speed"}
        assert [level.value for level in made["losses"].levels] == pytest.approx([LOG2])  # once for both players
        assert [line.label for line in made["losses"].lines] == ["D's loss", "G's loss"]
        assert made["accuracy"].levels[0].value == 0.5
        assert made["score"].marks[0].x == 700

    def test_an_empty_history_has_none(self, tmp_path: Path) -> None:
        assert charts(History.read(tmp_path), game()) == {}

    def test_penalties_stand_apart_and_a_critic_has_no_level(self, tmp_path: Path) -> None:
        lines = [
            {"event": "step", "step": n, "losses": {"D/adv": -9.0, "D/gp": 0.5, "G/adv": 4.0}, "d_real": 7.5}
            for n in (1, 2)
        ]
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        made = charts(History.read(tmp_path), game("wasserstein"))
        assert [line.label for line in made["penalties"].lines] == ["D/gp"]
        assert made["losses"].levels == made["outputs"].levels == ()
        assert made["outputs"].span is None
        low, high = limits(made["losses"])
        assert low < -9
        assert high > 4

    def test_each_part_of_d_in_two_updates_rests_at_its_share(self, tmp_path: Path) -> None:
        line = {"event": "step", "step": 1, "losses": {"D/real": 0.7, "D/fake": 0.6, "G/adv": 0.8}}
        (tmp_path / "events.jsonl").write_text(json.dumps(line) + "\n")
        made = charts(History.read(tmp_path), game())["losses"]
        assert [level.value for level in made.levels] == pytest.approx([LOG2])
        assert len(made.lines) == 3

    def test_a_lone_peak_is_cut_off_and_the_legend_says_so(self) -> None:
        y = np.ones(500) + np.linspace(0, 1, 500)
        y[250] = 1e6
        chart = Chart(key="x", title="x", lines=(Line(label="x", x=np.arange(500.0), y=y),))
        assert limits(chart)[1] < 5
        assert [entry.kind for entry in legend(chart)] == ["note"]

    def test_the_legend_names_lines_levels_and_marks(self) -> None:
        x = np.arange(3.0)
        lines = (Line(label="a", x=x, y=x), Line(label="b", x=x, y=x, dashed=True))
        chart = Chart(
            key="x",
            title="x",
            lines=lines,
            levels=(Level(value=1, label="one"),),
            marks=(Mark(x=1, y=1, label="here"),),
        )
        assert [(entry.kind, entry.label) for entry in legend(chart)] == [
            ("line", "a"),
            ("line", "b"),
            ("level", "one"),
            ("mark", "here"),
        ]

    def test_the_description_holds_the_last_value(self) -> None:
        y = np.array([3.0, np.nan, 0.25])
        chart = Chart(key="x", title="Losses", lines=(Line(label="D's loss", x=np.array([1.0, 2, 1500]), y=y),))
        assert describe(chart) == (
            "Losses over 3 logged steps, up to step 1,500. D's loss: last 0.25, lowest 0.25, highest 3."
        )


class TestSmoothing:
    def test_keeps_a_constant_and_the_middle_of_a_straight_line(self) -> None:
        line = np.arange(100.0)
        assert smoothed(np.full(100, 2.5), 9) == pytest.approx(np.full(100, 2.5))
        assert smoothed(line, 10)[20:80] == pytest.approx(line[20:80], abs=1.0)

    def test_lessens_noise(self) -> None:
        noise = np.random.default_rng(0).normal(size=5000)
        assert smoothed(noise, 100).std() < 0.2 * noise.std()

    def test_leaves_gaps_where_they_were(self) -> None:
        y = np.array([1.0, np.nan, 3.0, 4.0, np.nan] * 20)
        assert np.array_equal(np.isnan(smoothed(y, 8)), np.isnan(y))

    def test_a_huge_peak_spoils_only_its_neighbours(self) -> None:
        y = np.ones(200)
        y[100] = 1e30
        assert smoothed(y, 10)[120:] == pytest.approx(np.ones(80))

    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.integers(1, 80))
    def test_stays_within_the_values(self, values: list[float], window: int) -> None:
        found = smoothed(np.array(values), window)
        assert found.min() >= min(values) - 1e-3
        assert found.max() <= max(values) + 1e-3


class TestTicks:
    @given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
    def test_lie_inside_evenly_and_are_few(self, low: float, width: float) -> None:
        high = low + width
        if high <= low or width < 1e-9 * abs(low):
            return
        found = ticks(low, high)
        assert 2 <= len(found) <= 7
        assert all(low - 1e-6 * width <= value <= high + 1e-6 * width for value in found)

    def test_are_round(self) -> None:
        assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
        assert ticks(0, 4000) == [0, 1000, 2000, 3000, 4000]
        assert ticks(0.05, 250, log=True) == pytest.approx([0.1, 1, 10, 100])

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0, "0"), (500, "500"), (1000, "1k"), (1500, "1.5k"), (1024, "1024"), (20_000, "20k"), (2e6, "2M")],
    )
    def test_of_steps_are_short(self, value: float, text: str) -> None:
        assert thousands(value) == text

    @pytest.mark.parametrize(
        ("value", "text"),
        [(0.0, "0"), (0.69315, "0.693"), (-1.5, "−1.5"), (1234.4, "1,234"), (0.00012, "1.2e-04"), (-250.0, "−250")],
    )
    def test_figures_are_three_digits(self, value: float, text: str) -> None:
        assert figure(value) == text


class TestSvg:
    @staticmethod
    def points(text: str) -> np.ndarray:
        pairs = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", text)
        return np.array(pairs, dtype=float)

    def test_every_chart_of_a_run_is_well_formed_and_inside_its_frame(self, make_run: MakeRun) -> None:
        made = charts(History.read(make_run()), game())
        for chart in made.values():
            root = ElementTree.fromstring(svg(chart))
            assert root.attrib["aria-label"].startswith(chart.title)
            lines = [element for element in root if "line" in element.attrib.get("class", "").split()]
            assert len(lines) == len(chart.lines)
            for line in lines:
                points = self.points(line.attrib["d"])
                assert len(points) >= 10
                assert points.min() >= 0
                assert points[:, 0].max() <= WIDTH
                assert points[:, 1].max() <= HEIGHT

    def test_what_is_lost_on_one_side_of_a_gap_breaks_the_line(self) -> None:
        y = np.array([1.0, 2.0, np.nan, 2.0, 1.0])
        chart = Chart(key="x", title="x", lines=(Line(label="x", x=np.arange(5.0), y=y),))
        path = re.search(r'class="line other" d="([^"]*)"', svg(chart))
        assert path is not None
        assert path[1].count("M") == 2
        assert "nan" not in svg(chart)

    def test_names_are_escaped(self) -> None:
        x = np.arange(3.0)
        chart = Chart(key="x", title='<b>"&', lines=(Line(label="<i>", x=x, y=x),))
        root = ElementTree.fromstring(svg(chart))
        assert '<b>"&' in root.attrib["aria-label"]

    @given(
        st.lists(st.none() | st.floats(-1e38, 1e38), min_size=1, max_size=80).filter(
            lambda y: any(v is not None for v in y)
        ),
        st.booleans(),
    )
    def test_any_numbers_can_be_drawn(self, values: list[float | None], log: bool) -> None:
        y = np.array([np.nan if value is None else value for value in values])
        line = Line(label="x", x=np.arange(1.0, len(y) + 1), y=y)
        text = svg(Chart(key="x", title="x", lines=(line,), log=log))
        ElementTree.fromstring(text)
        assert "nan" not in text
        assert "inf" not in text
