"""Every guarantee under every fault: what `make verify` runs. README.md says how it works."""
