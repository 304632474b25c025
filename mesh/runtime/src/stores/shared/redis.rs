//! The shared tier of many processes, on Redis 6.2 or newer.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult, Timeouts};
use futures_util::{StreamExt as _, future::BoxFuture};
use redis::{AsyncConnectionConfig, Client, RedisError, Script, aio::MultiplexedConnection};
use tokio::{sync::mpsc, time::sleep};

use super::{SUBSCRIPTION_MESSAGES_MAX, SharedError, SharedTier};

/// Connections per process: each one carries many calls at once, so a few keep two cores busy.
const CONNECTIONS_MAX: usize = 4;
/// How long a command may take. The shared tier is there to be fast; the durable store takes over after this.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long connecting may take, waiting for a place in the pool included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause before a lost subscription is taken up again.
const RESUBSCRIBE_PAUSE: Duration = Duration::from_millis(500);

/// Adds to a counter and gives it a time to live with its first addition, in one step.
static ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local value = redis.call('INCRBY', KEYS[1], ARGV[1]) \
         if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end \
         return value",
    )
});
/// Deletes a key that still holds what its owner put there.
static DELETE_IF_EQUAL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end",
    )
});

/// A pool of connections to one Redis.
pub struct Redis {
    client: Client,
    pool: Pool<Connections>,
}

impl Redis {
    /// A pool for `url`; nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn new(url: &str) -> Result<Self, SharedError> {
        let client = Client::open(url).map_err(failed)?;
        let timeouts = Timeouts {
            wait: Some(CONNECT_TIMEOUT),
            create: Some(CONNECT_TIMEOUT),
            recycle: Some(CONNECT_TIMEOUT),
        };
        let pool = Pool::builder(Connections { client: client.clone() })
            .max_size(CONNECTIONS_MAX)
            .timeouts(timeouts)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| SharedError::Unavailable(Box::new(error)))?;
        Ok(Self { client, pool })
    }

    async fn connection(&self) -> Result<Object<Connections>, SharedError> {
        self.pool.get().await.map_err(|error| SharedError::Unavailable(Box::new(error)))
    }

    async fn run<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, SharedError> {
        let mut connection = self.connection().await?;
        let answer = command.query_async(&mut connection.inner).await;
        answer.map_err(|error| connection.judge(error))
    }

    async fn run_script<T: redis::FromRedisValue>(
        &self,
        script: &redis::ScriptInvocation<'_>,
    ) -> Result<T, SharedError> {
        let mut connection = self.connection().await?;
        let answer = script.invoke_async(&mut connection.inner).await;
        answer.map_err(|error| connection.judge(error))
    }
}

impl SharedTier for Redis {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Bytes>, SharedError>> {
        Box::pin(async move {
            let value: Option<Vec<u8>> = self.run(redis::cmd("GET").arg(key)).await?;
            Ok(value.map(Bytes::from))
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Bytes>>, SharedError>> {
        Box::pin(async move {
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let values: Vec<Option<Vec<u8>>> = self.run(redis::cmd("MGET").arg(keys)).await?;
            Ok(values.into_iter().map(|value| value.map(Bytes::from)).collect())
        })
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(async move {
            self.run(redis::cmd("SET").arg(key).arg(&value[..]).arg("PX").arg(milliseconds(ttl))).await
        })
    }

    fn set_if_absent<'a>(
        &'a self,
        key: &'a str,
        value: Bytes,
        ttl: Duration,
    ) -> BoxFuture<'a, Result<bool, SharedError>> {
        Box::pin(async move {
            let mut command = redis::cmd("SET");
            command.arg(key).arg(&value[..]).arg("PX").arg(milliseconds(ttl)).arg("NX");
            let answer: Option<String> = self.run(&command).await?;
            Ok(answer.is_some())
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(async move { self.run::<i64>(redis::cmd("DEL").arg(key)).await.map(drop) })
    }

    fn delete_if_equal<'a>(&'a self, key: &'a str, value: Bytes) -> BoxFuture<'a, Result<bool, SharedError>> {
        Box::pin(async move {
            let deleted: i64 = self.run_script(DELETE_IF_EQUAL.key(key).arg(&value[..])).await?;
            Ok(deleted == 1)
        })
    }

    fn add<'a>(&'a self, key: &'a str, delta: i64, ttl: Duration) -> BoxFuture<'a, Result<i64, SharedError>> {
        Box::pin(async move { self.run_script(ADD.key(key).arg(delta).arg(milliseconds(ttl))).await })
    }

    fn publish<'a>(&'a self, channel: &'a str, message: Bytes) -> BoxFuture<'a, Result<(), SharedError>> {
        Box::pin(async move {
            self.run::<i64>(redis::cmd("PUBLISH").arg(channel).arg(&message[..])).await.map(drop)
        })
    }

    fn subscribe<'a>(
        &'a self,
        channel: &'a str,
    ) -> BoxFuture<'a, Result<mpsc::Receiver<Bytes>, SharedError>> {
        Box::pin(async move {
            let subscription = subscribe(&self.client, channel).await.map_err(failed)?;
            let (sender, receiver) = mpsc::channel(SUBSCRIPTION_MESSAGES_MAX);
            tokio::spawn(forward(self.client.clone(), channel.to_owned(), subscription, sender));
            Ok(receiver)
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), SharedError>> {
        Box::pin(async move { self.run::<String>(&redis::cmd("PING")).await.map(drop) })
    }
}

async fn subscribe(client: &Client, channel: &str) -> Result<redis::aio::PubSub, RedisError> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(channel).await?;
    Ok(subscription)
}

/// Hands messages on until the receiver is dropped; takes a lost subscription up again.
async fn forward(
    client: Client,
    channel: String,
    subscription: redis::aio::PubSub,
    sender: mpsc::Sender<Bytes>,
) {
    let mut current = Some(subscription);
    while !sender.is_closed() {
        let Some(mut subscription) = current.take() else {
            sleep(RESUBSCRIBE_PAUSE).await;
            current = subscribe(&client, &channel).await.ok();
            continue;
        };
        let mut messages = subscription.on_message();
        loop {
            tokio::select! {
                () = sender.closed() => return,
                message = messages.next() => match message {
                    // A subscriber whose buffer is full loses this message, as the trait says.
                    Some(message) => { let _lost = sender.try_send(Bytes::copy_from_slice(message.get_payload_bytes())); }
                    None => break,
                },
            }
        }
    }
}

/// Makes and keeps the connections of the pool.
struct Connections {
    client: Client,
}

/// A connection that knows whether it has failed, so that handing it out needs no round trip.
struct Connection {
    inner: MultiplexedConnection,
    broken: AtomicBool,
}

impl Connection {
    fn judge(&self, error: RedisError) -> SharedError {
        if error.is_io_error() || error.is_connection_dropped() || error.is_timeout() {
            self.broken.store(true, Ordering::Relaxed);
        }
        failed(error)
    }
}

impl Manager for Connections {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> Result<Connection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECT_TIMEOUT));
        let inner = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Connection { inner, broken: AtomicBool::new(false) })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<RedisError> {
        if connection.broken.load(Ordering::Relaxed) {
            return Err(RecycleError::message("the connection failed before"));
        }
        Ok(())
    }
}

fn failed(error: RedisError) -> SharedError {
    if error.code() == Some("WRONGTYPE") || error.to_string().contains("not an integer") {
        return SharedError::WrongKind;
    }
    SharedError::Unavailable(Box::new(error))
}

fn milliseconds(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
}
