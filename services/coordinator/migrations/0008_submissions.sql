-- Jobs that were taken and are still to be planned: for that ClickHouse is read, which may be away.
CREATE TABLE submissions (
    job_id  uuid PRIMARY KEY REFERENCES jobs,
    type    text NOT NULL,   -- of the event that asked for the job
    command bytea NOT NULL   -- and its value on the log
);
