-- Replays of features: a feature set is computed once more, as another build, beside what is served.

ALTER TABLE ranges ADD COLUMN build integer NOT NULL DEFAULT 0;
ALTER TABLE chunks ADD COLUMN build integer NOT NULL DEFAULT 0;

-- What each task of a replay computes (version, build), and what was served when it was planned.
-- Once the replay is closed, builds that no other one names are given up.
CREATE TABLE replays (
    job_id      uuid NOT NULL REFERENCES jobs,
    task_id     uuid NOT NULL,
    exchange    text NOT NULL,
    symbol      text NOT NULL,
    timeframe   text NOT NULL,
    feature_set text NOT NULL,       -- its name
    version     integer NOT NULL,
    build       integer NOT NULL,
    old_version integer NOT NULL,
    old_build   integer NOT NULL,
    closed      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (job_id, task_id),
    UNIQUE (exchange, symbol, timeframe, feature_set, version, build)
);

-- Which build of a set of a series is served, since that was first decided here: until then it is
-- what the sink has noted. The number counts what was decided of its builds.
CREATE TABLE served (
    exchange    text NOT NULL,
    symbol      text NOT NULL,
    timeframe   text NOT NULL,
    feature_set text NOT NULL,
    version     integer NOT NULL,
    build       integer NOT NULL,
    number      integer NOT NULL,
    PRIMARY KEY (exchange, symbol, timeframe, feature_set)
);
