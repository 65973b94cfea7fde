"""The average of G, by hand."""

from __future__ import annotations

from torch import nn

from zerosum.engine.ema import Ema


def test_weights_are_averaged_and_batch_norms_averages_taken_as_they_are() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    norm = network[1]
    network[0].weight.data.fill_(1.0)
    average = Ema(network, 0.75)
    network[0].weight.data.fill_(5.0)
    norm.running_mean.fill_(8.0)
    norm.running_var.fill_(3.0)
    norm.num_batches_tracked.fill_(7)
    average.update(1)
    found = average.network.state_dict()
    assert found["0.weight"].item() == 2.0  # 0.75 * 1 + 0.25 * 5
    assert found["1.running_mean"].item() == 8.0
    assert found["1.running_var"].item() == 3.0
    assert found["1.num_batches_tracked"].item() == 7
    assert network[0].weight.item() == 5.0


def test_a_ramp_forgets_the_start_soon() -> None:
    network = nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(0.0)
    average = Ema(network, 0.999, ramp=True)
    network.weight.data.fill_(11.0)
    average.update(1)  # a decay of 2 / 11
    assert abs(average.network.weight.item() - 9.0) < 1e-5
