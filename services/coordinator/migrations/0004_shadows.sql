-- Replays of candles: at most one is not closed. `phase`: opening, log, store, rebuilt, closed.
-- `serving`: whether readers see what was rebuilt. `step` is what the sink was asked for last and has
-- not said to be done, by the command `correlation_id`. `spans`: of each series with features, where
-- what is served changes with that step: [exchange, symbol, timeframe, first, last, set, version, build].
CREATE TABLE shadows (
    job_id uuid PRIMARY KEY,
    number bigint NOT NULL,
    phase text NOT NULL,
    status text NOT NULL,
    version int NOT NULL,
    serving boolean NOT NULL DEFAULT false,
    step text,
    correlation_id uuid,
    spans jsonb NOT NULL DEFAULT '[]'
);

CREATE UNIQUE INDEX one_open_shadow ON shadows ((true)) WHERE phase <> 'closed';

-- Parts of a rebuild that are through.
CREATE TABLE shadow_parts (
    job_id uuid NOT NULL REFERENCES shadows,
    origin text NOT NULL,
    partition int NOT NULL,
    PRIMARY KEY (job_id, origin, partition)
);
