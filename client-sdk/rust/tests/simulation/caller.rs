//! The simulated client: makes the calls of the plan at their times, whatever became of earlier ones.

use std::sync::Arc;

use http::uri::PathAndQuery;
use plexus_client::{Channel, ManualResolver};
use tokio::time::Instant;
use tonic::{Code, Request, Status, client::Grpc};
use tonic_prost::ProstCodec;

use crate::{
    payload::{self, CALL_HEADER, COUNT, READ, WRITE},
    plan::{Call, Method, Plan},
    record::{Outcome, Record, What},
    sdk,
};

pub(crate) async fn run(plan: Arc<Plan>, resolver: ManualResolver, record: Record) -> turmoil::Result {
    let channel = sdk::channel(plan.seed, resolver, record.clone());
    let begin = Instant::now();
    for (call, planned) in plan.calls.iter().enumerate() {
        tokio::time::sleep_until(begin + planned.at).await;
        record.note(What::Called(call));
        let (channel, record, planned) = (channel.clone(), record.clone(), *planned);
        tokio::spawn(async move {
            let outcome = match make(channel, call, &planned, &record).await {
                Ok(outcome) => outcome,
                Err(status) if status.code() == Code::FailedPrecondition => {
                    if status.message() == call.to_string() { Outcome::Refusal } else { Outcome::Wrong }
                }
                Err(status) => Outcome::Failed { code: status.code(), message: status.message().to_owned() },
            };
            record.note(What::Ended { call, outcome });
        });
    }
    std::future::pending().await
}

async fn make(channel: Channel, call: usize, planned: &Call, record: &Record) -> Result<Outcome, Status> {
    let mut request = Request::new(payload::request(call, planned.request_bytes));
    request.set_timeout(planned.deadline);
    request.metadata_mut().insert(CALL_HEADER, call.to_string().parse().unwrap());
    let mut grpc = Grpc::new(channel);
    grpc.ready().await?;
    let codec = ProstCodec::<Vec<u8>, Vec<u8>>::default();
    let path = |path| PathAndQuery::from_static(path);
    match planned.method {
        Method::Read => one(call, planned, &grpc.unary(request, path(READ), codec).await?.into_inner()),
        Method::Write => one(call, planned, &grpc.unary(request, path(WRITE), codec).await?.into_inner()),
        Method::Count { messages, .. } => {
            let mut stream = grpc.server_streaming(request, path(COUNT), codec).await?.into_inner();
            let mut number = 0;
            while let Some(message) = stream.message().await? {
                if message != payload::response(call, number, planned.response_bytes / 10) {
                    return Ok(Outcome::Wrong);
                }
                record.note(What::Message { call, number });
                number += 1;
            }
            Ok(if number == messages { Outcome::Content } else { Outcome::Wrong })
        }
    }
}

fn one(call: usize, planned: &Call, response: &[u8]) -> Result<Outcome, Status> {
    let is_ours = response == payload::response(call, 0, planned.response_bytes);
    Ok(if is_ours { Outcome::Content } else { Outcome::Wrong })
}
