"""Optional: memcached in front of the table (copies.py) or alone (alone.py). The rest works without it."""

try:
    import pymemcache  # noqa: F401
except ImportError as error:
    raise ImportError(
        "hopproof.memcached needs pymemcache; "
        "try: pip install 'hopproof[memcached]' (for a copy: pip install pymemcache)"
    ) from error
