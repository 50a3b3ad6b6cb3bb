-- The one table that all servers share. The same text runs on MySQL 8.4 / 9.x and MariaDB >= 10.11.
-- Times are whole seconds since the epoch on the database's clock, because the servers' clocks differ.
CREATE TABLE sessions (
  id          BINARY(32)    NOT NULL PRIMARY KEY,  -- SHA-256 of the cookie's value; binary, so never case-folded
  data        JSON              NULL,              -- NULL is a tombstone: the session under this id was ended
  version     INT UNSIGNED  NOT NULL,              -- rises by one with every change; a touch leaves it alone
  `user`      VARBINARY(64)     NULL,              -- UTF-8, compared byte by byte; NULL: without a login
  created_at  BIGINT        NOT NULL,
  expires_at  BIGINT        NOT NULL,              -- idle timeout: moved on by changes and touches
  absolute_at BIGINT        NOT NULL,              -- expires_at never passes this
  KEY (expires_at),                                -- for clean
  KEY (`user`)                                     -- for "log out everywhere"
) ENGINE=InnoDB;
