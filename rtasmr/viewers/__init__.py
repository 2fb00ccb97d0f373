"""Many viewers at once: one process that serves several people who watch the same stimulus."""
