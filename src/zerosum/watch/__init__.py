"""The watch: what a run's events say about its health, since when, how surely, and what to try next."""
