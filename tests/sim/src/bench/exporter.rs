//! What people would write for Prometheus: an exporter of one gauge per node, the `renewTime` of its Lease.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream, UdpSocket},
};

use super::{args::ExporterRole, load::node_name};

/// The latest renewal of each node, as Unix time in seconds; absent: none came yet.
type Renewals = Arc<Mutex<Vec<Option<f64>>>>;

impl ExporterRole {
    /// Serves until the process ends.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let renewals: Renewals = Arc::new(Mutex::new(vec![None; self.nodes as usize]));
        let listener = TcpListener::bind(self.listen).await?;
        let ear = UdpSocket::bind(self.hear).await?;
        println!("{{}}");
        tokio::try_join!(hear(&ear, &renewals), serve(&listener, &renewals))?;
        Ok(())
    }
}

async fn hear(ear: &UdpSocket, renewals: &Renewals) -> anyhow::Result<()> {
    let mut words = [0; 12];
    loop {
        if ear.recv(&mut words).await? != words.len() {
            continue;
        }
        let [number, stamp] = [&words[..4], &words[4..]];
        let number = u32::from_le_bytes(number.try_into()?);
        let stamp = f64::from_le_bytes(stamp.try_into()?);
        let mut renewals = renewals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(renewal) = renewals.get_mut(number as usize) {
            *renewal = Some(stamp);
        }
    }
}

async fn serve(listener: &TcpListener, renewals: &Renewals) -> anyhow::Result<()> {
    loop {
        let (stream, peer) = listener.accept().await?;
        let renewals = Arc::clone(renewals);
        tokio::spawn(async move {
            if let Err(error) = answer(stream, &renewals).await {
                eprintln!("exporter: {}: {error}", SocketAddr::to_string(&peer));
            }
        });
    }
}

/// Answers every request of a connection with all gauges.
async fn answer(stream: TcpStream, renewals: &Renewals) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if !line.trim().is_empty() {
            continue;
        }
        let body = exposition(&renewals.lock().unwrap_or_else(PoisonError::into_inner));
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
    }
}

fn exposition(renewals: &[Option<f64>]) -> String {
    let mut text = "# TYPE renew_time gauge\n".to_owned();
    for (number, renewal) in (0..).zip(renewals) {
        if let Some(renewal) = renewal {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "renew_time{{node=\"{}\"}} {renewal:.6}",
                node_name(number)
            );
        }
    }
    text
}
