"""What trackmate costs, beside its peers: `python -m benchmarks`."""
