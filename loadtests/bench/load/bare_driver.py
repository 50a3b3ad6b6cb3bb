"""The limit of the database and its driver, alone: prints requests, seconds and CPU as JSON.

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
    # The whole value, another one each time: MySQL does not write what is equal.
    "UPDATE": "UPDATE bare SET data = %s WHERE id = %s",
}
ROWS = [number.to_bytes(32, "big") for number in range(SPREAD)]
TEXTS = [json.dumps({"cart": CART, "user": USER, "n": number}) for number in (1, 2)]


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
        cursor.executemany("INSERT IGNORE INTO bare VALUES (%s, %s)", [(row, TEXTS[0]) for row in ROWS])


def ask(verb: str, first: int, ends_at: float) -> int:
    asked = 0
    with connect() as connection, connection.cursor() as cursor:
        while time.monotonic() < ends_at:
            row = ROWS[(first + asked) % SPREAD]
            values = (TEXTS[asked // SPREAD % 2], row) if verb == "UPDATE" else (row,)
            cursor.execute(STATEMENTS[verb], values)
            cursor.fetchall()
            asked += 1
    return asked


def main(verb: str, connections: int, seconds: float) -> None:
    create_table()
    began, worked = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(connections) as threads:
        firsts = range(0, SPREAD, SPREAD // connections)
        asked = sum(threads.map(lambda first: ask(verb, first, began + seconds), firsts))
    took = {"seconds": time.monotonic() - began, "cpu_s": time.process_time() - worked}
    print(json.dumps({"requests": asked, **took}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
