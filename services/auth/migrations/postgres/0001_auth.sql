-- Users, their roles, sessions and API keys, and the keys that tokens are signed with.
-- Times are epoch microseconds; 0 stands for "never" or "not yet".

create table roles (
    name text collate "C" primary key,
    permissions text not null, -- a JSON list; of built-in roles empty, since the program knows them
    built_in bigint not null
);
insert into roles (name, permissions, built_in) values ('admin', '[]', 1), ('user', '[]', 1);

create table users (
    user_id text primary key,
    login_name text not null,
    login_key text collate "C" not null unique, -- the login name in lower case
    display_name text not null,
    password_hash text not null, -- a PHC string
    disabled bigint not null,
    create_time_us bigint not null,
    update_time_us bigint not null,
    login_time_us bigint not null
);

create table user_roles (
    user_id text not null references users (user_id),
    role_name text not null references roles (name),
    primary key (user_id, role_name)
);
create index user_roles_by_role on user_roles (role_name);

-- One row per session, however often its refresh token rotates.
create table sessions (
    session_id text primary key,
    user_id text not null references users (user_id),
    family_hash bytea not null, -- SHA-256 of the part that all refresh tokens of the session share
    refresh_hash bytea not null, -- SHA-256 of the part of the one that works now
    create_time_us bigint not null,
    idle_expire_time_us bigint not null,
    expire_time_us bigint not null,
    end_time_us bigint not null
);
create index sessions_by_user on sessions (user_id);
create index sessions_by_idle_expiry on sessions (idle_expire_time_us);

create table api_keys (
    api_key_id text collate "C" primary key,
    user_id text not null references users (user_id),
    display_name text not null,
    secret_hash bytea not null, -- SHA-256; the secret itself has 256 bits of its own
    create_time_us bigint not null,
    expire_time_us bigint not null,
    revoke_time_us bigint not null
);
create index api_keys_by_user on api_keys (user_id, api_key_id);

create table secret_keys (
    purpose text not null,
    number bigint not null,
    material bytea not null,
    create_time_us bigint not null,
    primary key (purpose, number)
);

-- Grows in the transaction of each change that verifiers of tokens must learn of.
create table trust_version (
    only_row bigint primary key check (only_row = 1),
    version bigint not null
);
insert into trust_version (only_row, version) values (1, 1);

-- The row is there once the first administrator is.
create table first_start (
    only_row bigint primary key check (only_row = 1),
    create_time_us bigint not null
);

create table requests (
    caller text not null,
    request_id text not null,
    method text not null,
    body_hash bytea not null,
    answer bytea not null,
    create_time_us bigint not null,
    primary key (caller, request_id)
);
create index requests_by_time on requests (create_time_us);
