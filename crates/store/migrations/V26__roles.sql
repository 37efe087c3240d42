-- The workspace that a group was made for, by clients to which it is a role of one. A group without is of all.
ALTER TABLE account_group ADD COLUMN workspace_id BIGINT REFERENCES workspace (id);
