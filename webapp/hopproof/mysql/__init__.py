"""The handler on MySQL 8.4 or newer, and on MariaDB 10.11 or newer. schema/ holds the table."""

try:
    import pymysql  # noqa: F401
except ImportError as error:
    raise ImportError(
        "hopproof.mysql needs PyMySQL; "
        "try: pip install 'hopproof[mysql]' (for a copy: pip install PyMySQL cryptography)"
    ) from error

from .database import Database
from .handler import MySQLHandler

__all__ = ["Database", "MySQLHandler"]
