-- Chunks of the route archive are read from a file, as it was when the job was planned.
ALTER TABLE ranges ADD COLUMN file_path text, ADD COLUMN file_version text;
ALTER TABLE chunks ADD COLUMN file_path text, ADD COLUMN file_version text;

-- What may just have been stored, and whose features are still to come, by whatever route.
DROP INDEX chunks_awaiting_features;
CREATE INDEX chunks_awaiting_features ON chunks (exchange)
    WHERE route <> 'features' AND awaits_features;
