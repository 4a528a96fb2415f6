-- The number of a chunk's newest release; `release` is that of the one whose word counts, and may be older.
ALTER TABLE chunks ADD COLUMN last_release integer;
UPDATE chunks SET last_release = release;
ALTER TABLE chunks ALTER COLUMN last_release SET NOT NULL;
