-- Summaries of the larger chunks (src/series/summary.rs), in a table of their own: a reader of summaries must not have
-- to pass over the data, which both engines would make it do for a column behind it. A chunk without one is decoded.
CREATE TABLE chunk_summary (
    series_id BIGINT NOT NULL REFERENCES series (id),
    number BIGINT NOT NULL,
    summary {blob} NOT NULL,
    PRIMARY KEY (series_id, number)
){keyed};

-- Chunks leave their primary key: SQLite reads a keyed row whole to compare its key, so that every search and every
-- end of a range would read the data of all chunks on its way.
CREATE TABLE chunk_unkeyed (
    series_id BIGINT NOT NULL REFERENCES series (id),
    number BIGINT NOT NULL,
    points BIGINT NOT NULL,
    min_step BIGINT NOT NULL,
    max_step BIGINT NOT NULL,
    data {blob} NOT NULL,
    PRIMARY KEY (series_id, number)
);
INSERT INTO chunk_unkeyed (series_id, number, points, min_step, max_step, data)
    SELECT series_id, number, points, min_step, max_step, data FROM chunk ORDER BY series_id, number;
DROP TABLE chunk;
ALTER TABLE chunk_unkeyed RENAME TO chunk;
