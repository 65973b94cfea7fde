"""How fast zerosum is on this machine, beside what a reader of the tutorials would run instead."""
