"""Live requests over real HTTP: a small browser, and the personas that use it."""
