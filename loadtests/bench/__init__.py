"""The benchmark side by side: every session store on the same machine, database and work, in turn.

It says how fast each is beside the others here and now. Requests/s of another machine or another hour are
other numbers; the ratios of one run are what it is for.
"""
