//! What several services answer with.

use plexus_proto::analytics::v1::{
    DayCount, Distribution, EventCount, MessageDay, MessageStatistics, MessageTotals, ModelMessages,
};
use plexus_runtime::clock::timestamp;

use crate::{
    behavior,
    calendar::DAY_US,
    histogram::Histogram,
    message::{Statistics, Totals},
    store,
};

pub(super) fn event_counts(counts: Vec<behavior::EventCount>) -> Vec<EventCount> {
    let count = |count: behavior::EventCount| EventCount {
        r#type: count.word().to_owned(),
        name: count.name,
        event_count: count.count,
    };
    counts.into_iter().map(count).collect()
}

pub(super) fn days(days: &[store::DayCount]) -> Vec<DayCount> {
    let day = |day: &store::DayCount| DayCount {
        start_time: Some(timestamp(day.day * DAY_US)),
        event_count: day.events,
        user_count: day.users,
    };
    days.iter().map(day).collect()
}

pub(super) fn statistics(user_id: &str, statistics: &Statistics) -> MessageStatistics {
    let days = statistics.days.iter().map(|(day, counts)| MessageDay {
        start_time: Some(timestamp(day * DAY_US)),
        sent_count: counts.sent,
        received_count: counts.received,
        tokens: counts.tokens,
    });
    let models = statistics.models.iter().map(|(model, model_totals)| ModelMessages {
        model: model.clone(),
        totals: Some(totals(model_totals)),
    });
    MessageStatistics {
        user_id: user_id.to_owned(),
        start_time: Some(timestamp(statistics.span.start_us)),
        end_time: Some(timestamp(statistics.span.end_us)),
        totals: Some(totals(&statistics.totals)),
        conversation_count: statistics.conversations,
        days: days.collect(),
        models: models.collect(),
    }
}

fn totals(totals: &Totals) -> MessageTotals {
    MessageTotals {
        sent_count: totals.counts.sent,
        received_count: totals.counts.received,
        tokens: totals.counts.tokens,
        length: Some(distribution(&totals.length)),
        latency_ms: Some(distribution(&totals.latency_ms)),
    }
}

fn distribution(histogram: &Histogram) -> Distribution {
    Distribution {
        count: histogram.count(),
        average: histogram.average(),
        p50: histogram.quantile(0.5),
        p90: histogram.quantile(0.9),
        p99: histogram.quantile(0.99),
    }
}
