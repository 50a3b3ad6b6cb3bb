-- One row that all servers share: until when nobody may serve copies of sessions. webapp/hopproof/memcached/copies.py says why.
-- Table and row in one statement: it is there with its row, or not at all.
CREATE TABLE cache_switch (
  id        TINYINT       NOT NULL PRIMARY KEY,
  off_until DECIMAL(17,6) NOT NULL  -- seconds since the epoch on the database's clock; 0: on
) ENGINE=InnoDB SELECT 1 AS id, 0 AS off_until;
