-- Who uses the server. Placeholders as in V1__record.sql.

-- What all servers of one database must agree on.
CREATE TABLE setting (
    key {text} PRIMARY KEY,
    value {text} NOT NULL
){keyed};

-- kind is user or service. A name is never given to another account, so that the audit log stays true: deleted accounts
-- keep theirs. password is a hash in the PHC format. issuer and subject are what an identity provider knows a user by.
CREATE TABLE account (
    id {id},
    name {text} NOT NULL UNIQUE,
    kind {text} NOT NULL,
    display_name {text} NOT NULL,
    password {text},
    issuer {text},
    subject {text},
    disabled BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);
CREATE UNIQUE INDEX account_by_subject ON account (issuer, subject) WHERE subject IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE account_group (
    id {id},
    name {text} NOT NULL UNIQUE,
    description {text} NOT NULL,
    created_at BIGINT NOT NULL
);

-- provided is 1 for members whom the identity provider put there, and may take out again.
CREATE TABLE group_member (
    group_id BIGINT NOT NULL REFERENCES account_group (id) ON DELETE CASCADE,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    provided BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (group_id, account_id)
){keyed};
CREATE INDEX group_member_by_account ON group_member (account_id);

-- A role that an account or a group holds on a scope: organisation, workspace, experiment or model. scope_name is empty
-- for the organisation.
CREATE TABLE role_grant (
    id {id},
    account_id BIGINT REFERENCES account (id) ON DELETE CASCADE,
    group_id BIGINT REFERENCES account_group (id) ON DELETE CASCADE,
    role {text} NOT NULL,
    scope {text} NOT NULL,
    scope_name {text} NOT NULL,
    granted_by {text} NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX role_grant_once ON role_grant
    (COALESCE(account_id, 0), COALESCE(group_id, 0), scope, scope_name, role);
CREATE INDEX role_grant_by_group ON role_grant (group_id);
CREATE INDEX role_grant_by_scope ON role_grant (scope, scope_name);

-- What an account proves itself with besides its password. kind is token, key or session. lookup is the SHA-256 of a token
-- or session, in hex, or the id of an access key, whose secret is sealed by the server's key. roles is a JSON list of the
-- roles that the credential is narrowed to.
CREATE TABLE credential (
    id {id},
    public_id {text} NOT NULL UNIQUE,
    account_id BIGINT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind {text} NOT NULL,
    name {text} NOT NULL,
    lookup {text} NOT NULL UNIQUE,
    secret {blob},
    roles {text},
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX credential_by_account ON credential (account_id, kind);
