-- Files of archives, as they were read or refused last.
CREATE TABLE files (
    file_id uuid PRIMARY KEY,
    archive text NOT NULL,
    path text NOT NULL,
    exchange text NOT NULL,
    symbol text NOT NULL,
    timeframe text NOT NULL,
    sha256 text NOT NULL,
    size bigint NOT NULL,
    rows_read bigint NOT NULL,
    rows_quarantined bigint NOT NULL,
    first_open_time timestamptz,
    last_open_time timestamptz,
    refused text,
    read_at timestamptz NOT NULL,
    job_id uuid NOT NULL
);
CREATE INDEX files_order ON files (archive, path);
