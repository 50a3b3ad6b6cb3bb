"""Flask-Session on Flask-SQLAlchemy, as its documentation configures it.

With SQLAlchemy's own advice for databases that come and go (pool_pre_ping).
"""

from __future__ import annotations

from flask_sqlalchemy import SQLAlchemy

from rivals.flask_site import site
from rivals.probe import sqlalchemy_url

db = SQLAlchemy()
# Also creates the table.
application = site(
    db,
    SQLALCHEMY_DATABASE_URI=sqlalchemy_url(),
    SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True},
    SESSION_TYPE="sqlalchemy",
    SESSION_SQLALCHEMY=db,
)
