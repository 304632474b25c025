-- Templates of cards and their versions. Times are epoch microseconds; kinds and visibilities are the numbers
-- of the contract; tags and parameters are JSON.

create table templates (
    template_id text not null primary key,
    owner_id text not null,
    kind bigint not null,
    visibility bigint not null,
    display_name text not null,
    description text not null,
    tags text not null,
    -- display_name, description and tags in small letters.
    search_text text not null,
    version bigint not null,
    create_time_us bigint not null,
    update_time_us bigint not null
);
create index templates_by_owner on templates (owner_id, template_id);
create index templates_by_visibility on templates (visibility, template_id);

create table versions (
    template_id text not null references templates (template_id) on delete cascade,
    version bigint not null,
    display_name text not null,
    description text not null,
    tags text not null,
    parameters text not null,
    source text not null,
    stylesheet text not null,
    create_time_us bigint not null,
    primary key (template_id, version)
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
create index requests_by_age on requests (create_time_us);
