//! A relay on the way to a server: what passes it can be delayed.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    task::JoinSet,
};

/// Most bytes taken at once.
const TAKEN: usize = 16 << 10;

/// A relay over TCP, which ends when it is dropped.
pub(super) struct Relay {
    /// Where it listens.
    pub(super) address: SocketAddr,
    delay_millis: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Relay {
    /// Starts one on the way to `server`.
    pub(super) async fn to(server: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let delay_millis = Arc::new(AtomicU64::new(0));
        let delay = Arc::clone(&delay_millis);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            // Dropped with the relay, and with it every connection.
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(server).await else {
                    continue;
                };
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                connections.spawn(pass(near_read, far_write, Arc::clone(&delay)));
                connections.spawn(pass(far_read, near_write, Arc::clone(&delay)));
            }
        });
        Ok(Self {
            address,
            delay_millis,
            _tasks: tasks,
        })
    }

    /// Delays what comes by, both ways, from now on.
    pub(super) fn delay(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.delay_millis.store(millis, Ordering::Relaxed);
    }
}

/// Passes bytes on, each piece as late as the relay says when it comes.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay_millis: Arc<AtomicU64>) {
    let mut piece = vec![0; TAKEN];
    while let Ok(bytes @ 1..) = from.read(&mut piece).await {
        let delay = Duration::from_millis(delay_millis.load(Ordering::Relaxed));
        #[allow(clippy::disallowed_methods, reason = "real processes are delayed")]
        tokio::time::sleep(delay).await;
        if to.write_all(&piece[..bytes]).await.is_err() {
            return;
        }
    }
}
