-- Points of a series that are too few for a chunk: encoded as a chunk is, sorted, NULL when there are none. A client that
-- logs point by point writes this row alone. Placeholders as in V1__record.sql.
ALTER TABLE series ADD COLUMN tail {blob};
