"""Two minutes of training; then the samples beside real digits, and what the watch says of how it went."""

import zerosum

run = zerosum.train("quick", data="digits", minutes=2)

judged = zerosum.evaluate(run.path, n=2_000)  # against the run's own data; a folder, zip or npz of images works too
for figure in judged.figures:
    print(f"{figure.name:18} {figure.value:10.4g}   real images: {figure.floor}   {figure.note}")
verdict = run.verdict  # what the watch says of its training
print(verdict.name, [found.key for found in verdict.evidence], [tried.command for tried in verdict.advice])
