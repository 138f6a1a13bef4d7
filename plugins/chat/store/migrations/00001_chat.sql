-- One schema for both databases. {{id}} is what they write differently: a number that is never given
-- out twice and stays below 2^31, as clients keep it in 32 bits. Dates are milliseconds since 1970.

-- +goose Up
CREATE TABLE users (
  id       {{id}},
  login    VARCHAR(22)  NOT NULL UNIQUE,
  password VARCHAR(200), -- argon2id of what the client sent; NULL: nobody can log in
  name     TEXT         NOT NULL,
  about    TEXT         NOT NULL,
  date     BIGINT       NOT NULL
);

-- Who an auth backend knows, and the account that is theirs.
CREATE TABLE subjects (
  realm   TEXT   NOT NULL, -- the backend
  subject TEXT   NOT NULL, -- the user's id there
  user_id BIGINT NOT NULL REFERENCES users (id),
  PRIMARY KEY (realm, subject)
);

CREATE TABLE tokens (
  hash    VARCHAR(64)  NOT NULL PRIMARY KEY, -- SHA-256 of the token
  user_id BIGINT       NOT NULL REFERENCES users (id),
  event   TEXT         NOT NULL UNIQUE, -- which made it
  expires BIGINT       NOT NULL
);
CREATE INDEX tokens_user ON tokens (user_id, expires);
CREATE INDEX tokens_expires ON tokens (expires);

CREATE TABLE rooms (
  id        {{id}},
  name      TEXT     NOT NULL,
  search    BYTEA    NOT NULL, -- the name with its ASCII letters lowered; bytes compare alike in both
  about     TEXT     NOT NULL,
  type      SMALLINT NOT NULL,
  user_id   BIGINT   NOT NULL REFERENCES users (id),
  date      BIGINT   NOT NULL UNIQUE,
  power     BIGINT   NOT NULL DEFAULT 0,
  seq       BIGINT   NOT NULL DEFAULT 0, -- of the last broadcast
  last_date BIGINT   NOT NULL DEFAULT 0, -- of the last message
  cleared   BIGINT   NOT NULL DEFAULT 0  -- messages up to this date are deleted
);
CREATE INDEX rooms_search ON rooms (search);

CREATE TABLE members (
  room_id    BIGINT   NOT NULL REFERENCES rooms (id),
  user_id    BIGINT   NOT NULL REFERENCES users (id),
  permission SMALLINT NOT NULL,
  date       BIGINT   NOT NULL,
  PRIMARY KEY (room_id, user_id)
);
CREATE INDEX members_user ON members (user_id);

CREATE TABLE messages (
  id      {{id}},
  room_id BIGINT   NOT NULL, -- no reference: see emptied
  user_id BIGINT   NOT NULL REFERENCES users (id),
  date    BIGINT   NOT NULL,
  text    TEXT     NOT NULL,
  search  TEXT     NOT NULL, -- the text with its ASCII letters lowered
  type    SMALLINT NOT NULL,
  status  SMALLINT NOT NULL DEFAULT 0, -- 1: edited
  power   BIGINT   NOT NULL,
  file_id VARCHAR(32),
  UNIQUE (room_id, date)
);

-- What may be too much to delete while everybody waits: a room's messages up to a date.
CREATE TABLE emptied (
  room_id BIGINT NOT NULL,
  up_to   BIGINT NOT NULL,
  PRIMARY KEY (room_id, up_to)
);

CREATE TABLE files (
  id         VARCHAR(32) NOT NULL PRIMARY KEY,
  room_id    BIGINT      NOT NULL, -- no reference: the row outlives the room until its bytes are gone
  user_id    BIGINT      NOT NULL REFERENCES users (id),
  event      TEXT        NOT NULL UNIQUE, -- which began it
  name       TEXT        NOT NULL,
  size       BIGINT      NOT NULL,
  date       BIGINT      NOT NULL,
  status     SMALLINT    NOT NULL -- 0: being uploaded, 1: of a message, 2: gone
);
CREATE INDEX files_room ON files (room_id);
CREATE INDEX files_open ON files (date) WHERE status = 0;
CREATE INDEX files_gone ON files (id) WHERE status = 2;

-- What each event wrote: the answer to its redelivery, and what a room's members are to be told.
CREATE TABLE events (
  event     TEXT     NOT NULL PRIMARY KEY,
  room_id   BIGINT   NOT NULL,
  seq       BIGINT   NOT NULL,
  date      BIGINT   NOT NULL,
  published SMALLINT NOT NULL,
  body      TEXT     NOT NULL
);
CREATE INDEX events_date ON events (date);
CREATE INDEX events_unpublished ON events (room_id, seq) WHERE published = 0;
