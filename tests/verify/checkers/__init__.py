"""One pure function per guarantee: a run in, what contradicts the guarantee out.

A checker asks nothing of the deployment. So it is tried on histories made by hand, bad ones above all.
"""
