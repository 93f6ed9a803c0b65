"""Where activities go: the backends and the one in force."""
