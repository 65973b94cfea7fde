"""Hear what a run says while it trains: one listener prints the losses, another keeps the scores."""

import zerosum


class Losses:
    def __call__(self, event):
        if event["event"] == "step":
            print(event["step"], event["losses"])

    def close(self):
        pass


class Scores:
    """Keeps (step, score); training never waits for a listener, nor fails because of one."""

    def __init__(self):
        self.seen = []

    def __call__(self, event):
        if event["event"] == "score":
            self.seen.append((event["step"], event["value"]))

    def close(self):
        print(f"{len(self.seen)} scores")


scores = Scores()
run = zerosum.train("dcgan-digits", data="digits", steps=1000, listeners=[Losses(), scores])
print(scores.seen)
