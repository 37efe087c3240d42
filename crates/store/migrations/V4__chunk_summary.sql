-- Summaries of the larger chunks (src/series/summary.rs), in a table of their own: a reader of summaries must not have
-- to pass over the data, which both engines would make it do for a column behind it. A chunk without one is decoded.
CREATE TABLE chunk_summary (
    series_id BIGINT NOT NULL REFERENCES series (id),
    number BIGINT NOT NULL,
    summary {blob} NOT NULL,
    PRIMARY KEY (series_id, number)
){keyed};
