"""Session stores that people use today, behind the same balancer and database.

`make compare` judges them, `make bench` times them. No test of the suite starts them, because that would add
their packages and minutes to every run. Their versions are pinned, and `make compare` ends with an error when
a store does not come up or a check can no longer be made.
"""
