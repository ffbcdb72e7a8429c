"""Probes: smallest models on either side of a limit, what oracles say of them, and whether the tables agree."""
