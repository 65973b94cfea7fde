"""Two minutes of training, a look at the result, and a branch with another learning rate."""

import zerosum

run = zerosum.train("quick", data="digits", minutes=2)
images = run.sample(64, seed=0)  # uint8 (64, 28, 28, 1)
zerosum.sample(run.path, 64, seed=0, out="digits.png")

branch = zerosum.resume(run.path, minutes=2, settings={"lr": 1e-5})  # `run` stays as it is
table = zerosum.compare([run.path, branch.path], out="compare.png")
print(images.shape, [row["images"] for row in table])
