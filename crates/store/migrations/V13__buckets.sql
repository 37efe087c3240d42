-- Buckets of objects for clients of S3. The bytes lie in files that the server names, so that any key can be kept; an
-- object is a row, so that it is replaced and listed in one step.
CREATE TABLE bucket (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    name {text} NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

-- pieces is a JSON list of files with their sizes, in the order of the bytes; head a JSON object with headers, metadata
-- and tags.
CREATE TABLE bucket_object (
    bucket_id BIGINT NOT NULL REFERENCES bucket (id),
    key {text} NOT NULL,
    size BIGINT NOT NULL,
    etag {text} NOT NULL,
    pieces {text} NOT NULL,
    head {text} NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (bucket_id, key)
){keyed};

CREATE TABLE bucket_upload (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    bucket_id BIGINT NOT NULL REFERENCES bucket (id),
    key {text} NOT NULL,
    head {text} NOT NULL,
    started_at BIGINT NOT NULL
);
CREATE INDEX bucket_upload_by_key ON bucket_upload (bucket_id, key, public_id);
CREATE INDEX bucket_upload_by_start ON bucket_upload (started_at);

-- checksums is a JSON object of what the bytes were compared with, by header.
CREATE TABLE bucket_upload_part (
    upload_id BIGINT NOT NULL REFERENCES bucket_upload (id),
    number BIGINT NOT NULL,
    size BIGINT NOT NULL,
    etag {text} NOT NULL,
    file {text} NOT NULL,
    checksums {text} NOT NULL,
    modified_at BIGINT NOT NULL,
    PRIMARY KEY (upload_id, number)
){keyed};
