-- Events, and rollups that are written in the transaction of the events they count.
-- Times are epoch microseconds (…_us); minutes, hours and days count from the epoch in UTC.

create table events (
    source text not null,
    message_id text not null,
    kind bigint not null,
    actor text not null,
    user_id text not null,
    anonymous_id text not null,
    name text not null,
    group_id text not null,
    previous_id text not null,
    properties text not null,
    traits text not null,
    context text not null,
    timestamp_us bigint not null,
    original_us bigint,
    sent_us bigint,
    receive_us bigint not null,
    primary key (source, message_id)
);
create index events_actor on events (actor, timestamp_us);
create index events_timestamp on events (timestamp_us);

-- By the minute of receipt, for live metrics when the shared counters are gone.
create table event_minutes (
    period bigint not null,
    kind bigint not null,
    name text not null,
    event_count bigint not null,
    primary key (period, kind, name)
) without rowid;

create table event_hours (
    period bigint not null,
    kind bigint not null,
    name text not null,
    event_count bigint not null,
    primary key (period, kind, name)
) without rowid;

create table event_days (
    period bigint not null,
    kind bigint not null,
    name text not null,
    event_count bigint not null,
    primary key (period, kind, name)
) without rowid;

-- One row per user and day: different users are counted exactly, over any range of days.
create table user_days (
    day bigint not null,
    actor text not null,
    event_count bigint not null,
    primary key (day, actor)
) without rowid;

create table users (
    actor text not null primary key,
    first_us bigint not null,
    last_us bigint not null,
    event_count bigint not null
) without rowid;
create index users_first on users (first_us);
create index users_last on users (last_us);

-- Messages; the actor '' stands for everybody together.
create table message_days (
    actor text not null,
    day bigint not null,
    direction bigint not null,
    model text not null,
    message_count bigint not null,
    tokens bigint not null,
    primary key (actor, day, direction, model)
) without rowid;

create table message_values (
    actor text not null,
    day bigint not null,
    model text not null,
    measure bigint not null,
    bucket bigint not null,
    value_count bigint not null,
    value_sum bigint not null,
    primary key (actor, day, model, measure, bucket)
) without rowid;

create table message_conversations (
    actor text not null,
    day bigint not null,
    conversation_id text not null,
    message_count bigint not null,
    primary key (actor, day, conversation_id)
) without rowid;

-- The strongest interest of a user in an item, as of the latest.
create table interests (
    actor text not null,
    item_id text not null,
    event text not null,
    weight bigint not null,
    last_us bigint not null,
    primary key (actor, item_id)
) without rowid;
create index interests_actor on interests (actor, last_us);
create index interests_last on interests (last_us);

-- Rollups by day are thrown away by day.
create index message_days_day on message_days (day);
create index message_values_day on message_values (day);
create index message_conversations_day on message_conversations (day);
