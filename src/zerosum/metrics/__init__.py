"""Numbers that say how far the generated samples are from the real ones."""
