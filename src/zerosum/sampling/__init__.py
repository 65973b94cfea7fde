"""Pictures, files and animations from a generator or from data."""
