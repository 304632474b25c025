//! A provider that follows a script: it writes raw HTTP/1.1, step by step, and tells what it sees.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

/// How much is written to a reader who does not read: far more than all buffers on the way hold.
const FLOOD_BYTES: usize = 64 * 1024 * 1024;
/// A report that does not come within this time never comes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A write that takes this long has stopped.
const STALL: Duration = Duration::from_secs(1);

/// What the double does with one request, after it has read it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// A whole answer with this status, extra header lines and body.
    Answer(u16, &'static str, String),
    /// The head of a stream of events.
    Head,
    /// An event.
    Event(String),
    /// Bytes of the stream as they are.
    Raw(&'static str),
    /// The end of the stream.
    End,
    /// Closes the connection in the middle.
    Cut,
    /// Waits until the other side closes, and reports it.
    UntilClosed,
    /// Writes events with many letters each until it cannot any more, and reports that.
    Flood,
}

/// What the double reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// A request has been read.
    Asked,
    /// The other side closed the connection.
    Closed,
    /// Nobody reads any more, but the connection stands.
    Stalled,
    /// Everything was read.
    Drained,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub head: String,
    pub body: Vec<u8>,
}

/// A provider that follows a script.
pub(crate) struct Double {
    pub base_url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    reports: mpsc::UnboundedReceiver<Report>,
    task: JoinHandle<()>,
}

impl Double {
    /// Starts one that answers its requests with these scripts, one after the other, and then with 500.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reporter, reports) = mpsc::unbounded_channel();
        let requests = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let mut scripts = VecDeque::from(scripts);
            while let Ok((stream, _)) = listener.accept().await {
                let failure = vec![Step::Answer(500, "", String::new())];
                let script = scripts.pop_front().unwrap_or(failure);
                tokio::spawn(serve(stream, script, Arc::clone(&requests), reporter.clone()));
            }
        });
        Self { base_url, seen, reports, task }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits for a report other than that it was asked.
    pub(crate) async fn report(&mut self) -> Report {
        loop {
            match self.next_report().await {
                Report::Asked => {}
                report => return report,
            }
        }
    }

    /// Waits until it has been asked.
    pub(crate) async fn asked(&mut self) {
        while self.next_report().await != Report::Asked {}
    }

    async fn next_report(&mut self) -> Report {
        timeout(PATIENCE, self.reports.recv()).await.expect("nothing was reported").unwrap()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The script of a plain answer: its text in these parts, then the reason, the usage and the end.
pub(crate) fn answer(parts: &[&str], input_tokens: i64, output_tokens: i64) -> Vec<Step> {
    let mut script = vec![Step::Head];
    script.extend(parts.iter().map(|part| text(part)));
    script.extend([stop(), usage(input_tokens, output_tokens), Step::Event("[DONE]".to_owned()), Step::End]);
    script
}

/// An event with a part of the text.
pub(crate) fn text(part: &str) -> Step {
    let choice = serde_json::json!({"index": 0, "delta": {"content": part}, "finish_reason": null});
    Step::Event(serde_json::json!({"id": "c", "choices": [choice], "usage": null}).to_string())
}

/// The event that says why the answer ends.
pub(crate) fn stop() -> Step {
    Step::Event(r#"{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned())
}

/// The event with the count of tokens.
pub(crate) fn usage(input_tokens: i64, output_tokens: i64) -> Step {
    Step::Event(
        serde_json::json!({"choices": [], "usage": {
            "prompt_tokens": input_tokens, "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens}})
        .to_string(),
    )
}

async fn serve(
    mut stream: TcpStream,
    script: Vec<Step>,
    seen: Arc<Mutex<Vec<Seen>>>,
    reporter: mpsc::UnboundedSender<Report>,
) {
    let Some(request) = read_request(&mut stream).await else { return };
    seen.lock().unwrap().push(request);
    let report = |report| {
        // A test that has heard enough does not listen any more.
        let _heard = reporter.send(report);
    };
    report(Report::Asked);
    for step in script {
        let written = match step {
            Step::Answer(status, headers, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} X\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
                );
                stream.write_all(head.as_bytes()).await
            }
            Step::Head => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\
                            transfer-encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await
            }
            Step::Event(data) => stream.write_all(chunk(&format!("data: {data}\n\n")).as_bytes()).await,
            Step::Raw(raw) => stream.write_all(chunk(raw).as_bytes()).await,
            Step::End => stream.write_all(b"0\r\n\r\n").await,
            Step::Cut => return,
            Step::UntilClosed => {
                while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
                report(Report::Closed);
                return;
            }
            Step::Flood => return report(flood(&mut stream).await),
        };
        if written.is_err() {
            return report(Report::Closed);
        }
    }
}

async fn flood(stream: &mut TcpStream) -> Report {
    let letters = "a".repeat(16 * 1024);
    let event = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{letters}\"}}}}]}}\n\n");
    let event = chunk(&event);
    for _ in 0..FLOOD_BYTES / event.len() {
        match timeout(STALL, stream.write_all(event.as_bytes())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Report::Closed,
            Err(_elapsed) => return Report::Stalled,
        }
    }
    Report::Drained
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let body = bytes[at + 4..].to_vec();
            if body.len() >= length.unwrap_or_default() {
                return Some(Seen { head, body });
            }
        }
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => bytes.extend_from_slice(&buffer[..read]),
            _ => return None,
        }
    }
}
