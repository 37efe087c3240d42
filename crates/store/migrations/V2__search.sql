-- Indexes that a load of whole runs took away while it fills empty tables, with the statements that make them again.
-- A row goes when its index is back, so that a load that was killed is mended at the next start.
CREATE TABLE deferred_index (
    name {text} PRIMARY KEY,
    statement {text} NOT NULL
);

-- How the run went, as searches sort by it (src/search/sort.rs), and the other attributes that many searches are about.
CREATE INDEX run_by_status ON run (
    experiment_id,
    presence,
    (CAST(CASE status WHEN 'failed' THEN 1 WHEN 'completed' THEN 2 WHEN 'cached' THEN 2 WHEN 'skipped' THEN 2
        WHEN 'stopped' THEN 3 WHEN 'scheduled' THEN 5 WHEN 'queued' THEN 5 ELSE 4 END AS BIGINT)),
    started_at DESC{nulls_last},
    public_id
);
CREATE INDEX run_by_end ON run (experiment_id, presence, ended_at DESC{nulls_last});
CREATE INDEX run_by_user ON run (experiment_id, presence, user_name);
