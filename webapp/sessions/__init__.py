"""Sessions in one table that all servers share. Start reading at handler.py."""
