"""How each fault strikes: a context manager that strikes on entering, yields its proof, and heals on leaving.

The table in verify/faults.py lists the faults, and the answers that each excuses.
"""
