-- Replays of candles: how far each part of the rebuild is (`{"log/3": [done, total]}`), whether readers
-- see what was rebuilt, and whether the shadow is dropped.
CREATE TABLE shadows (
    job_id uuid PRIMARY KEY,
    parts jsonb NOT NULL,
    switched boolean NOT NULL,
    closed boolean NOT NULL
);
