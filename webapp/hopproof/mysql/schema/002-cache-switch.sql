-- One row that all servers share: until when no server may serve copies of sessions (memcached/copies.py says why).
-- One statement makes table and row, so that neither is there without the other.
CREATE TABLE cache_switch (
  id        TINYINT       NOT NULL PRIMARY KEY,
  off_until DECIMAL(17,6) NOT NULL  -- seconds since the epoch on the database's clock; 0: on
) ENGINE=InnoDB SELECT 1 AS id, 0 AS off_until;
