"""The sessions table for operators: look at it, end sessions, clean. Start reading at table.py."""
