-- How many of the batches of a chunk have their features.
ALTER TABLE chunks ADD COLUMN parts_featurized int NOT NULL DEFAULT 0;
