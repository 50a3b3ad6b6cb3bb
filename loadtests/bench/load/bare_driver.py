"""The limit of the database and its driver, with nothing around them: prints requests/s as JSON.

`bare_driver.py SELECT|UPDATE CONNECTIONS SECONDS`: one row by its primary key, 64 rows in turn. Run under
`python -m gevent.monkey`, which makes a greenlet of each thread: one process, as in the web servers.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pymysql
from visit import CART, SPREAD, USER

STATEMENTS = {
    "SELECT": "SELECT data FROM bare WHERE id = %s",
    "UPDATE": "UPDATE bare SET data = JSON_SET(data, '$.n', JSON_EXTRACT(data, '$.n') + 1) WHERE id = %s",
}
ROWS = [number.to_bytes(32, "big") for number in range(SPREAD)]


def connect() -> pymysql.connections.Connection:
    return pymysql.connect(
        host=os.environ["DB_HOST"],
        user=os.environ["DB_USER"],
        password=Path(os.environ["DB_PASSWORD_FILE"]).read_text().strip(),
        database=os.environ["DB_NAME"],
        autocommit=True,
        ssl_disabled=True,  # as the web servers ask
    )


def create_table() -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bare (id BINARY(32) PRIMARY KEY, data JSON NOT NULL)")
        text = json.dumps({"cart": CART, "user": USER, "n": 1})
        cursor.executemany("INSERT IGNORE INTO bare VALUES (%s, %s)", [(row, text) for row in ROWS])


def ask(statement: str, first: int, ends_at: float) -> int:
    asked = 0
    with connect() as connection, connection.cursor() as cursor:
        while time.monotonic() < ends_at:
            cursor.execute(statement, (ROWS[(first + asked) % SPREAD],))
            cursor.fetchall()
            asked += 1
    return asked


def main(verb: str, connections: int, seconds: float) -> None:
    create_table()
    began = time.monotonic()
    with ThreadPoolExecutor(connections) as threads:
        firsts = range(0, SPREAD, SPREAD // connections)
        asked = sum(threads.map(lambda first: ask(STATEMENTS[verb], first, began + seconds), firsts))
    print(json.dumps({"requests": asked, "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
