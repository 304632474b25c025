//! Nothing secret leaves by the logs or stays in the database.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use plexus_proto::auth::v1::{
    ChangePasswordRequest, CreateApiKeyRequest, IssueServiceTokenRequest, LoginWithApiKeyRequest,
    RefreshRequest, api_key_service_client::ApiKeyServiceClient,
    session_service_client::SessionServiceClient, trust_service_client::TrustServiceClient,
    user_service_client::UserServiceClient,
};
use plexus_testkit::Harness;
use tracing_subscriber::EnvFilter;

use crate::mesh::{ADMIN_PASSWORD, PASSWORD, login, make_user, start};

/// Where the log of the test goes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Uses every kind of secret, rightly and wrongly, and says which they were.
async fn use_secrets(mesh: &Harness) -> Vec<String> {
    make_user(mesh, "alice", &["user"]).await;
    let first = login(mesh, "alice", PASSWORD).await.unwrap().tokens.unwrap();
    let wrong = "a wrong password of the tests";
    login(mesh, "alice", wrong).await.unwrap_err();

    let sessions = SessionServiceClient::new(mesh.anonymous_channel());
    let refresh = |token: &str| {
        let mut sessions = sessions.clone();
        let request = RefreshRequest { refresh_token: token.to_owned() };
        async move { sessions.refresh(request).await.map(tonic::Response::into_inner) }
    };
    let second = refresh(&first.refresh_token).await.unwrap().tokens.unwrap();
    refresh(&first.refresh_token).await.unwrap_err();

    let channel = mesh.channel_with_token(&second.access_token);
    let mut keys = ApiKeyServiceClient::new(channel.clone());
    let request =
        CreateApiKeyRequest { request_id: "k".to_owned(), display_name: "k".to_owned(), expire_time: None };
    let secret = keys.create_api_key(request).await.unwrap().into_inner().secret;
    keys.login_with_api_key(LoginWithApiKeyRequest { secret: secret.clone() }).await.unwrap();

    let new = "the new password of the tests";
    let request = ChangePasswordRequest {
        request_id: "c".to_owned(),
        old_password: PASSWORD.to_owned(),
        new_password: new.to_owned(),
    };
    UserServiceClient::new(channel).change_password(request).await.unwrap();
    let request =
        IssueServiceTokenRequest { service: "ai".to_owned(), mesh_secret: mesh.mesh_secret().to_owned() };
    let mut trust = TrustServiceClient::new(mesh.anonymous_channel());
    let service = trust.issue_service_token(request).await.unwrap().into_inner().access_token;

    let fixed = [ADMIN_PASSWORD, PASSWORD, wrong, new, mesh.mesh_secret()].map(ToOwned::to_owned);
    let tokens = [first.access_token, first.refresh_token, second.access_token, second.refresh_token];
    fixed.into_iter().chain(tokens).chain([secret, service]).collect()
}

#[tokio::test]
async fn no_log_line_holds_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("debug,plexus_auth=trace,plexus_runtime=trace,plexus_client=trace"))
        .with_writer(move || writer.clone())
        .finish();
    // For the whole process: what the other tests log at the same time must hold no secret either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mesh = start().await;
    let secrets = use_secrets(&mesh).await;
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("a refresh token was used twice"), "the log was not captured: {text}");
    for secret in secrets {
        assert!(!text.contains(&secret), "the log holds {secret}");
    }
}

#[tokio::test]
async fn no_file_of_the_database_holds_a_secret() {
    let mesh = start().await;
    let secrets = use_secrets(&mesh).await;
    let folder = mesh.stop().await.unwrap();
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(holds(b"alice"), "the files were not read");
    for secret in secrets {
        assert!(!holds(secret.as_bytes()), "the database holds {secret}");
    }
}
