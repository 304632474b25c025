//! The split mesh: each role a process of its own on PostgreSQL and Redis, as in docker-compose.yml.

use std::{collections::BTreeMap, process::Stdio, time::Duration};

use http::Method;
use plexus_testkit::{PostgresServer, RedisServer, free_port, http::Call, stores::fresh_database};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    time::sleep,
};

const ADMIN_PASSWORD: &str = "a long password for tests";
const ROLES: [&str; 6] = ["auth", "quota", "analytics", "card", "ai", "bridge"];
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The processes of a split mesh, killed when the test ends.
struct Split {
    folder: TempDir,
    environment: BTreeMap<String, String>,
    ports: BTreeMap<&'static str, u16>,
    admin_ports: BTreeMap<&'static str, u16>,
    processes: BTreeMap<&'static str, Child>,
    _postgres: PostgresServer,
    _redis: RedisServer,
}

impl Split {
    async fn start() -> Self {
        let postgres = PostgresServer::start().await.unwrap();
        let redis = RedisServer::start().await.unwrap();
        let set = |key: &str, value: String| (format!("PLEXUS_{key}"), value);
        let mut environment = BTreeMap::from([
            set("MESH_SECRET", "0123456789abcdef0123456789abcdef".to_owned()),
            set("DATABASE_URL", fresh_database(&postgres.url()).await.unwrap()),
            set("SHARED_URL", redis.url()),
            set("AUTH__ADMIN_PASSWORD", ADMIN_PASSWORD.to_owned()),
            set("TELEMETRY__LOG_FILTER", "error".to_owned()),
        ]);
        let (mut ports, mut admin_ports) = (BTreeMap::new(), BTreeMap::new());
        for role in ROLES {
            let port = free_port().await.unwrap();
            ports.insert(role, port);
            admin_ports.insert(role, free_port().await.unwrap());
            environment.extend([set(&format!("PORTS__{}", role.to_uppercase()), port.to_string())]);
            if role != "bridge" {
                let address = format!("127.0.0.1:{port}");
                environment.extend([set(&format!("PEERS__{}", role.to_uppercase()), address)]);
            }
        }
        let processes = BTreeMap::new();
        let folder = TempDir::new().unwrap();
        let (_postgres, _redis) = (postgres, redis);
        let mut split = Self { folder, environment, ports, admin_ports, processes, _postgres, _redis };
        for role in ROLES {
            split.serve(role);
        }
        split
    }

    fn serve(&mut self, role: &'static str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plexus"));
        command.args(["serve", role]).envs(&self.environment).current_dir(self.folder.path());
        command.env("PLEXUS_PORTS__ADMIN", self.admin_ports[role].to_string());
        let child = command.stdout(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        self.processes.insert(role, child);
    }

    async fn until_ready(&self) {
        for port in self.admin_ports.values() {
            let address = format!("127.0.0.1:{port}");
            loop {
                match Call::new(&address, Method::GET, "/readyz").send().await {
                    Ok(answer) if answer.status == 200 => break,
                    _ => sleep(LOOK_INTERVAL).await,
                }
            }
        }
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> (u16, Value) {
        let call = Call::new(&format!("127.0.0.1:{}", self.ports["bridge"]), Method::POST, path);
        let answer = call.token(token).json(&body).send().await.unwrap();
        (answer.status.as_u16(), answer.json().await.unwrap())
    }

    async fn login(&self) -> String {
        let body = json!({"loginName": "admin", "password": ADMIN_PASSWORD});
        let (status, login) = self.post("/v1/auth/login", "", body).await;
        assert_eq!(status, 200, "{login}");
        login["tokens"]["accessToken"].as_str().unwrap().to_owned()
    }

    async fn chat(&self, token: &str) -> (u16, Value) {
        self.post("/v1/ai/chat", token, json!({"messages": [{"role": "ROLE_USER", "content": "Hello!"}]}))
            .await
    }
}

#[tokio::test]
async fn roles_in_processes_of_their_own_find_each_other_in_whatever_order_they_start() {
    let split = Split::start().await;
    split.until_ready().await;
    let token = split.login().await;
    let (status, answer) = split.chat(&token).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn without_auth_those_who_are_logged_in_go_on_and_after_its_return_others_log_in() {
    let mut split = Split::start().await;
    split.until_ready().await;
    let token = split.login().await;
    assert_eq!(split.chat(&token).await.0, 200);

    split.processes.remove("auth").unwrap().kill().await.unwrap();
    for _ in 0..5 {
        let (status, answer) = split.chat(&token).await;
        assert_eq!(status, 200, "tokens are verified without auth: {answer}");
    }
    let body = json!({"loginName": "admin", "password": ADMIN_PASSWORD});
    assert_eq!(split.post("/v1/auth/login", "", body).await.0, 503);

    split.serve("auth");
    split.until_ready().await;
    // The bridge's connection to auth comes back by itself.
    let token = loop {
        let body = json!({"loginName": "admin", "password": ADMIN_PASSWORD});
        let (status, login) = split.post("/v1/auth/login", "", body).await;
        if status == 200 {
            break login["tokens"]["accessToken"].as_str().unwrap().to_owned();
        }
        assert_eq!(status, 503, "{login}");
    };
    assert_eq!(split.chat(&token).await.0, 200);
}
