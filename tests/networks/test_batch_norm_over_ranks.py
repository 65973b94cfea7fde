"""Batch norm in two gloo processes is the one of a single process: outputs, statistics, gradients of both orders.

The file runs itself as the two ranks: `python test_batch_norm_over_ranks.py RANK FOLDER`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn

from zerosum.networks.dcgan import DcganDiscriminator
from zerosum.networks.layers.norms import BatchNorm
from zerosum.types import Domain

PARTS = (slice(0, 5), slice(5, 8))  # unequal on purpose
Results = dict[str, Tensor]


def networks() -> dict[str, tuple[nn.Module, Tensor]]:
    """A convolutional and a fully connected network with batch norm, each with the whole batch."""
    torch.manual_seed(0)
    domain = Domain(shape=(2, 28, 28))
    flat = nn.Sequential(nn.Linear(3, 4), BatchNorm(4, eps=1e-3, momentum=0.01), nn.Tanh(), nn.Linear(4, 1))
    return {
        "conv": (DcganDiscriminator(domain, width=4).double(), torch.randn(8, 2, 28, 28, dtype=torch.float64)),
        "flat": (flat.double(), torch.randn(8, 3, dtype=torch.float64)),
    }


def learn(network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Outputs, their gradient in x, and the parameters' gradients of a loss that contains that gradient's norm."""
    x = x.clone().requires_grad_()
    out = network(x).flatten()
    (slope,) = torch.autograd.grad(out.pow(3).sum(), x, create_graph=True)
    loss = nn.functional.softplus(-out).sum() + (slope.flatten(1).norm(2, dim=1) - 1).square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = {name: value.grad for name, value in network.named_parameters() if value.grad is not None}
    return out.detach(), slope.detach(), gradients


def run_rank(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    results: Results = {}
    for name, (network, x) in networks().items():
        out, slope, gradients = learn(network, x[PARTS[rank]])
        for gradient in gradients.values():
            dist.all_reduce(gradient)
        results |= {f"{name}/out": out, f"{name}/slope": slope}
        results |= {f"{name}/grad/{key}": value for key, value in gradients.items()}
        results |= {f"{name}/buffer/{key}": value for key, value in network.named_buffers()}
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_ranks_equal_one_process_to_both_orders(tmp_path: Path) -> None:
    ranks = [subprocess.Popen([sys.executable, __file__, str(rank), str(tmp_path)]) for rank in range(2)]
    try:
        assert [process.wait(timeout=100) for process in ranks] == [0, 0]
    finally:
        for process in ranks:
            process.kill()
    results: list[Results] = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)]

    def close(ours: Tensor, single: Tensor) -> None:
        torch.testing.assert_close(ours, single, rtol=1e-10, atol=1e-10)

    compared = 0
    for name, (network, x) in networks().items():
        out, slope, gradients = learn(network, x)
        close(torch.cat([result[f"{name}/out"] for result in results]), out)
        close(torch.cat([result[f"{name}/slope"] for result in results]), slope)
        for result in results:
            for key, gradient in gradients.items():
                close(result[f"{name}/grad/{key}"], gradient)
                compared += 1
            for key, buffer in network.named_buffers():
                close(result[f"{name}/buffer/{key}"], buffer)
    assert compared == 2 * (5 + 6)  # conv: three kernels and one norm's two; flat: three times two


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_rank(int(sys.argv[1]), Path(sys.argv[2]))
