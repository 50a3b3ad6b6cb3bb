"""The benchmark side by side: every session store on the same machine, database and work, in turn.

Its results are the ratios of one run. The requests/s hold for this machine at this hour only.
"""
