-- Replays: which build of features a task computes, and which one it is compared with:
-- {"feature_set": …, "version": …, "build": …, "old_version": …, "old_build": …}; null otherwise.
ALTER TABLE tasks ADD COLUMN replay jsonb;
