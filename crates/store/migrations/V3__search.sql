-- Indexes that a load of whole runs took away while it fills empty tables, with the statements that make them again.
-- A row goes when its index is back, so that a load that was killed is mended at the next start.
CREATE TABLE deferred_index (
    name {text} PRIMARY KEY,
    statement {text} NOT NULL
);
