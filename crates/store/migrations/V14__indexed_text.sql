-- SQLite looks up the row of a table that is stored in its primary key for each entry of an index over an expression,
-- though the entry has all that was asked for. An index over the texts themselves is read alone, some twenty times as
-- fast. PostgreSQL has no index over long texts, and keeps those over the first hundred characters.
{sqlite}DROP INDEX run_by_name;
{sqlite}CREATE INDEX run_by_name ON run (experiment_id, presence, name);
{sqlite}DROP INDEX run_tag_by_value;
{sqlite}CREATE INDEX run_tag_by_value ON run_tag (experiment_id, key, value, run_id);
{sqlite}DROP INDEX run_param_by_value;
{sqlite}CREATE INDEX run_param_by_value ON run_param (experiment_id, key, value, run_id);
