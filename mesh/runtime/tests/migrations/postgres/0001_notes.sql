create table notes (id text primary key, body text not null, size bigint not null);
create table requests (
    caller text not null, request_id text not null, method text not null,
    body_hash bytea not null, answer bytea not null, create_time_us bigint not null,
    primary key (caller, request_id)
);
