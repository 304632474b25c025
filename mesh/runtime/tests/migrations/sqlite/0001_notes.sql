create table notes (id text primary key, body text not null, size integer not null) strict;
create table requests (
    caller text not null, request_id text not null, method text not null,
    body_hash blob not null, answer blob not null, create_time_us integer not null,
    primary key (caller, request_id)
) strict;
