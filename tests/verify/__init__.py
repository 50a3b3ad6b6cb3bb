"""The harness behind `make verify`: every guarantee under every fault. README.md says how it works."""
