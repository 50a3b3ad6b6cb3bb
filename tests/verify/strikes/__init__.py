"""How each fault strikes: a context manager that strikes on entering, yields its proof, and heals on leaving.

Which faults there are, and what each excuses, is the table in verify/faults.py.
"""
