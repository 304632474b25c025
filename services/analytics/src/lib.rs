//! Events, live counters, behaviour, recommendations and reports.
