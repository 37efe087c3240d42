-- Artifact roots of things that are gone from the record, whose files are still to be removed. Written with the removal
-- itself, so that a crash in between leaves no file behind for good. owner is the public id of what the files belonged to.
CREATE TABLE artifact_garbage (
    id {id},
    workspace_id BIGINT NOT NULL REFERENCES workspace (id),
    owner {text} NOT NULL,
    uri {text} NOT NULL,
    created_at BIGINT NOT NULL
);

-- What is in the trash, which is little of all there is.
CREATE INDEX run_in_trash ON run (deleted_at) WHERE presence = 'deleted';
