-- More than one workspace. Placeholders as in V1__record.sql.

-- area is the folder below `workspaces/` in the artifact destination that is the workspace's own, and is never given to
-- another one; the workspace `default` has none, and has all else. Rows of deleted workspaces stay, for the audit log
-- and the areas; their names get a suffix that no name has. moved is 1 when what was in a deleted workspace is in
-- `default` now.
ALTER TABLE workspace ADD COLUMN description {text};
ALTER TABLE workspace ADD COLUMN artifact_root {text};
ALTER TABLE workspace ADD COLUMN area {text};
ALTER TABLE workspace ADD COLUMN deleted_at BIGINT;
ALTER TABLE workspace ADD COLUMN moved BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX workspace_by_area ON workspace (area) WHERE area IS NOT NULL;
