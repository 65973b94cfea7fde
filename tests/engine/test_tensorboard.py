"""Events as TensorBoard shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zerosum.engine.events import Event, check_event
from zerosum.engine.listeners import TensorBoardLog


def step(number: int, d_real: float = 0.75) -> Event:
    told: dict[str, Any] = {
        "losses": {"D/adv": 1.25, "G/adv": 0.5},
        "lr": {"D": 1e-4, "G": 2e-4},
        "grad_norm": {"D": 2.0, "G": None},
        "d_real": d_real,
        "d_fake_before": 0.25,
        "d_fake_after": 0.125,
        "acc_real": 1.0,
        "acc_fake": None,
        "margin": 1.5,
        "separation": 2.5,
        "seconds": 0.5,
        "images": 64 * number,
        "images_per_second": 512.0,
    }
    return check_event({"event": "step", "step": number, **told})


class TestTensorBoard:
    @pytest.fixture
    def board(self, tmp_path: Path) -> TensorBoardLog:
        return TensorBoardLog(tmp_path / "tensorboard")

    @staticmethod
    def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(folder))
        found.Reload()
        return {tag: [(at.step, at.value) for at in found.Scalars(tag)] for tag in found.Tags()["scalars"]}

    def test_numbers_stand_under_their_names_and_absent_ones_are_left_out(self, board: TensorBoardLog) -> None:
        board(step(1))
        board(step(50))
        score = {"name": "swd", "value": 0.5, "levels": {"28": 0.25, "14": None}, "best": True}
        board(check_event({"event": "score", "step": 50, **score}))
        board.close()
        found = self.scalars(board.folder)
        assert found["losses/D/adv"] == [(1, 1.25), (50, 1.25)]
        assert {tag: points[-1][1] for tag, points in found.items()} == pytest.approx(
            {
                "losses/D/adv": 1.25,
                "losses/G/adv": 0.5,
                "grad_norm/D": 2.0,
                "lr/D": 1e-4,
                "lr/G": 2e-4,
                "output/D(x)": 0.75,
                "output/D(G(z)) before": 0.25,
                "output/D(G(z)) after": 0.125,
                "accuracy/real": 1.0,
                "logits/margin": 1.5,
                "logits/separation": 2.5,
                "speed/images_per_second": 512.0,
                "score/swd": 0.5,
                "score/swd/28": 0.25,
            }
        )

    def test_a_grid_is_shown_pixel_by_pixel(self, board: TensorBoardLog) -> None:
        import io

        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        pixels = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
        (board.folder.parent / "samples").mkdir()
        Image.fromarray(pixels).save(board.folder.parent / "samples" / "000050.png")
        board(check_event({"event": "grid", "step": 50, "path": "samples/000050.png"}))
        board(check_event({"event": "grid", "step": 60, "path": "samples/gone.png"}))
        board.close()
        found = EventAccumulator(str(board.folder))
        found.Reload()
        (shown,) = found.Images("samples")
        assert shown.step == 50
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.encoded_image_string))), pixels)

    def test_after_a_resume_the_steps_that_came_again_are_there_once(self, board: TensorBoardLog) -> None:
        for number in (1, 2, 3, 4):
            board(step(number, d_real=0.125))
        board.close()
        again = TensorBoardLog(board.folder, purge_step=3)
        for number in (3, 4, 5):
            again(step(number, d_real=0.25))
        again.close()
        assert self.scalars(board.folder)["output/D(x)"] == [
            *((1, 0.125), (2, 0.125)),
            *((3, 0.25), (4, 0.25), (5, 0.25)),
        ]
