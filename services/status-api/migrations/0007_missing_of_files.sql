-- How many slots that were asked of a file it has no row for; of files that were read before, 0.
ALTER TABLE files ADD COLUMN slots_missing bigint NOT NULL DEFAULT 0;
CREATE INDEX files_of_series ON files (archive, exchange, symbol, timeframe);
