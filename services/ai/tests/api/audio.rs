//! Transcription.

use plexus_ai::Settings;
use plexus_proto::ai::v1::{TranscribeRequest, UsageSource, audio_service_client::AudioServiceClient};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    PLENTY, alice,
    double::{Double, Step},
    fake_quota::{Asked, FakeQuota},
    reason, start, with_providers,
};

/// 16,000 bytes: 11 tokens are reserved for it.
fn recording() -> TranscribeRequest {
    TranscribeRequest {
        audio: vec![7; 16_000].into(),
        file_name: "note.wav".to_owned(),
        language: "en".to_owned(),
        prompt: "Plexus".to_owned(),
        ..TranscribeRequest::default()
    }
}

fn with_ears(doubles: &[&Double]) -> Settings {
    let mut settings = with_providers(doubles);
    for provider in &mut settings.providers {
        provider.transcription_models = vec!["ear".to_owned()];
    }
    settings
}

#[tokio::test]
async fn without_a_provider_that_can_do_it_nothing_is_invented() {
    let quota = FakeQuota::granting(PLENTY);
    let chat_only = Double::start(vec![]).await;
    for settings in [Settings::default(), with_providers(&[&chat_only])] {
        let mesh = start(settings, &quota).await;
        let status = AudioServiceClient::new(alice(&mesh)).transcribe(recording()).await.unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::FailedPrecondition, "PROVIDER_NOT_CONFIGURED")
        );
    }
    assert_eq!(quota.pending().await, None);
}

#[tokio::test]
async fn a_provider_gets_the_file_and_its_count_is_charged() {
    let quota = FakeQuota::granting(PLENTY);
    let failing = Double::start(vec![vec![Step::Answer(503, "", String::new())]]).await;
    let body = r#"{"text":"Hello world","usage":{"type":"tokens","input_tokens":14,"output_tokens":3,"total_tokens":17}}"#;
    let double = Double::start(vec![vec![Step::Answer(200, "", body.to_owned())]]).await;
    let mesh = start(with_ears(&[&failing, &double]), &quota).await;
    let answer = AudioServiceClient::new(alice(&mesh)).transcribe(recording()).await.unwrap().into_inner();
    assert_eq!(
        (answer.text.as_str(), answer.provider.as_str(), answer.model.as_str()),
        ("Hello world", "p1", "ear")
    );
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.source()), (14, 3, UsageSource::Provider));
    assert_eq!(quota.next().await, Asked::Reserve(11));
    assert_eq!(quota.next().await, Asked::Commit(17));

    let seen = &double.seen()[0];
    assert!(seen.head.starts_with("POST /v1/audio/transcriptions HTTP/1.1"));
    let form = String::from_utf8_lossy(&seen.body);
    for part in [
        "name=\"model\"\r\n\r\near\r\n",
        "filename=\"note.wav\"",
        "name=\"language\"\r\n\r\nen\r\n",
        "name=\"prompt\"\r\n\r\nPlexus\r\n",
    ] {
        assert!(form.contains(part), "{part}");
    }
    assert!(seen.body.len() > 16_000);
}

#[tokio::test]
async fn a_count_in_seconds_is_no_count_of_tokens() {
    let quota = FakeQuota::granting(PLENTY);
    let body = r#"{"text":"Hello world","usage":{"type":"duration","seconds":1}}"#;
    let double = Double::start(vec![vec![Step::Answer(200, "", body.to_owned())]]).await;
    let mesh = start(with_ears(&[&double]), &quota).await;
    let answer = AudioServiceClient::new(alice(&mesh)).transcribe(recording()).await.unwrap().into_inner();
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.source()), (11, 4, UsageSource::Estimate));
    assert_eq!((quota.next().await, quota.next().await), (Asked::Reserve(11), Asked::Commit(15)));
}

#[tokio::test]
async fn a_recording_of_ten_mebibytes_is_taken_and_what_is_wrong_with_one_is_named() {
    let quota = FakeQuota::granting(PLENTY);
    let double = Double::start(vec![vec![Step::Answer(200, "", r#"{"text":"long"}"#.to_owned())]]).await;
    let mesh = start(with_ears(&[&double]), &quota).await;
    let mut client = AudioServiceClient::new(alice(&mesh));
    let largest = TranscribeRequest { audio: vec![7; 10 * 1024 * 1024].into(), ..recording() };
    assert_eq!(client.transcribe(largest).await.unwrap().into_inner().text, "long");
    for (field, request) in [
        ("audio", TranscribeRequest { audio: vec![7; 10 * 1024 * 1024 + 1].into(), ..recording() }),
        ("audio", TranscribeRequest { audio: Vec::new().into(), ..recording() }),
        ("file_name", TranscribeRequest { file_name: "note.exe".to_owned(), ..recording() }),
        ("language", TranscribeRequest { language: "English".to_owned(), ..recording() }),
        ("prompt", TranscribeRequest { prompt: "x".repeat(2001), ..recording() }),
    ] {
        let status = client.transcribe(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{field}");
        assert_eq!(status.get_error_details().bad_request().unwrap().field_violations[0].field, field);
    }
}
