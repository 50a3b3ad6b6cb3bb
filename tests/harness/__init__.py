"""Visitors, deployments, faults and verdicts: what proves the guarantees."""
