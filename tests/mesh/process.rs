//! A mesh in a process of its own, and a person who uses it.

use std::{process::Stdio, time::Duration};

use http::Method;
use plexus_testkit::{
    free_port,
    http::{Answer, Call},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

/// The password that the tests give the first administrator.
const ADMIN_PASSWORD: &str = "a long password for tests";
/// How often a mesh that starts or stops is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A running `plexus`, killed when the test ends.
pub(crate) struct Mesh {
    child: Child,
    folder: Option<TempDir>,
    admin: String,
    bridge: String,
}

impl Mesh {
    /// `plexus up` on an empty folder, with these further arguments; waits until everything is ready.
    pub(crate) async fn up(arguments: &[&str]) -> Self {
        Self::up_in(TempDir::new().unwrap(), arguments).await
    }

    /// `plexus up` on the data that an earlier mesh left in `folder`.
    pub(crate) async fn up_in(folder: TempDir, arguments: &[&str]) -> Self {
        let admin = format!("127.0.0.1:{}", free_port().await.unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_plexus"));
        command.arg("up").arg("--data-dir").arg(folder.path().join("data")).args(arguments);
        for port in ["bridge", "auth", "quota", "ai", "card", "analytics"] {
            command.args(["--set", &format!("ports.{port}=0")]);
        }
        command.args(["--set", &format!("ports.admin={}", admin.rsplit_once(':').unwrap().1)]);
        command
            .env("PLEXUS_AUTH__ADMIN_PASSWORD", ADMIN_PASSWORD)
            .env("PLEXUS_TELEMETRY__LOG_FILTER", "warn");
        let child =
            command.current_dir(folder.path()).stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let mut mesh = Self { child, folder: Some(folder), admin, bridge: String::new() };
        mesh.until_ready().await;
        let bridge =
            mesh.replicas().await.into_iter().find(|replica| replica["service"] == "bridge").unwrap();
        mesh.bridge = bridge["address"].as_str().unwrap().to_owned();
        mesh
    }

    /// Waits until everything serves.
    pub(crate) async fn until_ready(&mut self) {
        self.until_readyz(200).await;
    }

    /// Waits until the readiness probe answers `status`.
    pub(crate) async fn until_readyz(&mut self, status: u16) {
        loop {
            if let Ok(answer) = Call::new(&self.admin, Method::GET, "/readyz").send().await
                && answer.status.as_u16() == status
            {
                return;
            }
            assert!(self.child.try_wait().unwrap().is_none(), "the mesh ended by itself");
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// What the admin port says of the replicas.
    pub(crate) async fn replicas(&self) -> Vec<Value> {
        let answer = self.admin(Method::GET, "/status").await;
        answer.json().await.unwrap().as_array().unwrap().clone()
    }

    /// Waits until `wanted` holds for the replicas.
    pub(crate) async fn until(&self, wanted: impl Fn(&[Value]) -> bool) {
        while !wanted(&self.replicas().await) {
            sleep(LOOK_INTERVAL).await;
        }
    }

    /// Asks the admin port.
    pub(crate) async fn admin(&self, method: Method, path: &str) -> Answer {
        Call::new(&self.admin, method, path).send().await.unwrap()
    }

    /// A call on the bridge.
    pub(crate) fn call(&self, method: Method, path: &str) -> Call {
        Call::new(&self.bridge, method, path)
    }

    /// Posts `body` and gives back the status and the JSON of the answer.
    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let answer = self.call(Method::POST, path).token(token).json(body).send().await.unwrap();
        (answer.status.as_u16(), answer.json().await.unwrap())
    }

    /// Gets `path` and gives back the status and the JSON of the answer.
    pub(crate) async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let answer = self.call(Method::GET, path).token(token).send().await.unwrap();
        (answer.status.as_u16(), answer.json().await.unwrap())
    }

    /// Logs in as the first administrator and gives back the answer.
    pub(crate) async fn login(&self) -> Value {
        let body = json!({"loginName": "admin", "password": ADMIN_PASSWORD});
        let answer = self.call(Method::POST, "/v1/auth/login").json(&body).send().await.unwrap();
        assert_eq!(answer.status, 200);
        answer.json().await.unwrap()
    }

    /// The first administrator's access token.
    pub(crate) async fn token(&self) -> String {
        self.login().await["tokens"]["accessToken"].as_str().unwrap().to_owned()
    }

    /// `kill -9`; gives back the folder of the data.
    pub(crate) async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.folder.take().unwrap()
    }

    /// The folder of the data, once the process has ended.
    pub(crate) fn into_folder(mut self) -> TempDir {
        self.folder.take().unwrap()
    }

    /// Deals the blow while others still use the mesh.
    pub(crate) fn kill_now(&self) {
        let process = self.child.id().unwrap().to_string();
        let killed = std::process::Command::new("kill").args(["-KILL", &process]).status().unwrap();
        assert!(killed.success());
    }

    /// Sends SIGTERM, as orchestrators do.
    pub(crate) async fn terminate(&self) {
        let process = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().await.unwrap().success());
    }

    /// Waits for the process to end; whether it ended well.
    pub(crate) async fn ended_well(&mut self) -> bool {
        self.child.wait().await.unwrap().success()
    }
}
