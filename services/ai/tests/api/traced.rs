//! What the service writes into its logs and traces, and what it never does.

use std::{
    io,
    sync::{Arc, Mutex},
};

use plexus_proto::ai::v1::chat_service_client::ChatServiceClient;
use tracing_subscriber::fmt::{MakeWriter, format::FmtSpan};

use crate::{
    PLENTY, alice, ask,
    double::{Double, Step, answer},
    fake_quota::FakeQuota,
    start, with_providers,
};

/// Everything that is written, in memory.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Written {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_span_of_a_provider_has_its_model_and_counts_and_nothing_has_contents_or_keys() {
    let written = Written::default();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter("plexus_ai=trace")
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(written.clone())
        .finish();
    // The service runs on the thread of this test.
    let _guard = tracing::subscriber::set_default(subscriber);

    let quota = FakeQuota::granting(PLENTY);
    let echo = r#"{"error":{"code":"invalid_api_key","message":"bad key sk-0 for xylophone"}}"#;
    let first = Double::start(vec![vec![Step::Answer(401, "", echo.to_owned())]]).await;
    let second = Double::start(vec![answer(&["zither"], 21, 3)]).await;
    let mesh = start(with_providers(&[&first, &second]), &quota).await;
    let answer = ChatServiceClient::new(alice(&mesh)).chat(ask("xylophone")).await.unwrap().into_inner();
    assert_eq!(answer.message.unwrap().content, "zither");
    drop(mesh);

    let log = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    for part in [
        "otel.name=\"chat m\"",
        "gen_ai.operation.name=\"chat\"",
        "gen_ai.provider.name=\"p1\"",
        "gen_ai.request.model=\"m\"",
        "gen_ai.usage.input_tokens=21",
        "gen_ai.usage.output_tokens=3",
        "error.type=\"account\"",
    ] {
        assert!(log.contains(part), "{part} is not in: {log}");
    }
    for secret in ["xylophone", "zither", "sk-0", "sk-1"] {
        assert!(!log.contains(secret), "{secret} is in: {log}");
    }
}
