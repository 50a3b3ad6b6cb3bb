"""One pure function per guarantee: a run in, the violations of the guarantee out.

A checker asks nothing of the deployment, so unit tests run it on histories made by hand, mostly bad ones.
"""
