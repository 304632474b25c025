-- Whole answers kept for repeated requests, until they are some hours old.
create table requests (
    caller text not null,
    request_id text not null,
    method text not null,
    body_hash blob not null,
    answer blob not null,
    create_time_us bigint not null,
    primary key (caller, request_id)
);
create index requests_by_time on requests (create_time_us);
