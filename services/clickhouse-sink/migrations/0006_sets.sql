-- The tables of candles of one kind are a set: candles, candle_revisions, coverage. A column that
-- stores nothing marks the set a table belongs to. Who writes names the mark of the set he means, so
-- an insert that a table of another set would get, because two were exchanged meanwhile, is refused.
ALTER TABLE candles ADD COLUMN IF NOT EXISTS set_0 UInt8 EPHEMERAL;
ALTER TABLE candle_revisions ADD COLUMN IF NOT EXISTS set_0 UInt8 EPHEMERAL;
ALTER TABLE coverage ADD COLUMN IF NOT EXISTS set_0 UInt8 EPHEMERAL;
