"""Parts that are broken in one way each, to see the harness notice. The names are those of guarantees.py."""
