-- Which slots were asked of a file, in the version that is known; of files that were read before, none.
ALTER TABLE files ADD COLUMN read_from timestamptz, ADD COLUMN read_until timestamptz;
