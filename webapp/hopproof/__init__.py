"""Sessions in one store that all servers share. Start reading at README.md, then handler.py."""
