-- What was asked of a file before it was replaced: but for what was read of it since, to be read again.
ALTER TABLE files ADD COLUMN stale_from timestamptz, ADD COLUMN stale_until timestamptz;
