-- Limits, counts, reservations, wallets and their ledger. Times are epoch microseconds;
-- meters, windows, states, levels, kinds and accounts are the numbers of the contract.
-- Tables without rowid are stored in the order of their primary key.

-- One row for each subject: every transaction that writes about a subject changes this row first,
-- so that they follow each other and never lock in different orders.
create table subjects (
    subject text not null primary key,
    version bigint not null
) without rowid;

create table limits (
    subject text not null,
    meter bigint not null,
    window_kind bigint not null,
    amount bigint not null check (amount >= 0),
    create_time_us bigint not null,
    update_time_us bigint not null,
    primary key (subject, meter, window_kind)
) without rowid;

-- One row for each period in which something was counted. limit_amount is the limit that was set for the
-- subject, kept here so that one statement can both compare and count; null: the default holds.
create table counters (
    subject text not null,
    window_kind bigint not null,
    start_us bigint not null,
    meter bigint not null,
    end_us bigint not null,
    limit_amount bigint,
    posted bigint not null check (posted >= 0),
    pending bigint not null check (pending >= 0),
    primary key (subject, window_kind, start_us, meter)
) without rowid;
create index counters_by_end on counters (end_us) where window_kind <= 2;

create table reservations (
    reservation_id text not null primary key,
    subject text not null,
    state bigint not null,
    tokens_reserved bigint not null,
    requests_reserved bigint not null,
    money_reserved bigint not null,
    tokens_committed bigint not null,
    requests_committed bigint not null,
    money_committed bigint not null,
    drawn_micros bigint not null,
    create_time_us bigint not null,
    expire_time_us bigint not null,
    commit_time_us bigint
) without rowid;
create index reservations_due on reservations (expire_time_us) where state = 1;
create index reservations_due_by_subject on reservations (subject, expire_time_us) where state = 1;
create index reservations_ended on reservations (create_time_us) where state <> 1;

-- The unique key makes each alert happen once.
create table alerts (
    alert_id text not null primary key,
    subject text not null,
    meter bigint not null,
    window_kind bigint not null,
    start_us bigint not null,
    limit_amount bigint not null,
    level bigint not null,
    posted bigint not null,
    create_time_us bigint not null,
    unique (subject, meter, window_kind, start_us, limit_amount, level)
);
create index alerts_by_time on alerts (create_time_us, alert_id);
create index alerts_by_subject on alerts (subject, create_time_us, alert_id);

-- transactions counts those of the ledger.
create table wallets (
    subject text not null primary key,
    available_micros bigint not null,
    held_micros bigint not null check (held_micros >= 0),
    transactions bigint not null,
    create_time_us bigint not null,
    update_time_us bigint not null
) without rowid;

create table ledger_entries (
    subject text not null,
    transaction_number bigint not null,
    line bigint not null,
    kind bigint not null,
    account bigint not null,
    amount_micros bigint not null check (amount_micros <> 0),
    reference_id text not null,
    create_time_us bigint not null,
    primary key (subject, transaction_number, line)
) without rowid;

-- Answers kept for repeated requests. Those of top-ups are kept for ever: a payment counts once.
create table requests (
    caller text not null,
    request_id text not null,
    method text not null,
    body_hash blob not null,
    answer blob not null,
    create_time_us bigint not null,
    primary key (caller, request_id)
) without rowid;
create index requests_by_time on requests (create_time_us) where method <> 'TopUp';
