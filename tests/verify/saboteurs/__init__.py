"""Parts that are broken in one way each, so that the harness must turn red. guarantees.py names them."""
