-- Files' bytes, where they are kept in the database.

-- +goose Up
CREATE TABLE contents (
  file  VARCHAR(32) NOT NULL PRIMARY KEY, -- no reference: bytes may outlive the row
  size  BIGINT      NOT NULL, -- of what came
  date  BIGINT      NOT NULL, -- when that was
  whole SMALLINT    NOT NULL  -- 1: finished
);

CREATE TABLE chunks (
  file VARCHAR(32) NOT NULL REFERENCES contents (file) ON DELETE CASCADE,
  at   BIGINT      NOT NULL, -- offset of the first byte
  data BYTEA       NOT NULL, -- at most 64 KiB, of one multiple of that
  PRIMARY KEY (file, at)
);
