-- A chunk may come in several parts: how many of them are stored, in order.
ALTER TABLE chunks ADD COLUMN parts integer NOT NULL DEFAULT 0;
