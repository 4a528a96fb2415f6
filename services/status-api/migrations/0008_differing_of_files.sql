-- In how many slots the files of days say something else than that of their month; of files that were
-- read before, 0.
ALTER TABLE files ADD COLUMN slots_differing bigint NOT NULL DEFAULT 0;
