-- Tags of buckets: a JSON object, or nothing where there are none. Placeholders as in V1__record.sql.
ALTER TABLE bucket ADD COLUMN tags {text};
