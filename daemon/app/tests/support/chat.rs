//! Somebody in a chat, as a browser is: a WebSocket of their own.

use super::PATIENCE;
use futures_util::SinkExt as _;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How somebody comes in.
#[derive(Clone, Debug, Default)]
pub struct Way {
    pub token: Option<String>,
    /// The last message that was heard.
    pub after: Option<String>,
    /// One of this machine's own addresses.
    pub from: Option<IpAddr>,
    pub origin: Option<String>,
}

/// Lines that may wait for a test to read them.
const UNREAD: usize = 4096;

/// A connection to a chat. A task reads it all the time, as a browser does: the daemon closes a connection that answers no ping for 20 to 40 s, and a test
/// may be busy with its requests, or the machine with its disk, for that long.
pub struct Chat {
    words: mpsc::Sender<Value>,
    heard: mpsc::Receiver<Heard>,
    /// The code of the daemon's goodbye.
    pub closed: Option<u16>,
}

enum Heard {
    Line(Value),
    Goodbye(Option<u16>),
}

/// Until the daemon says goodbye, the connection breaks, or its test has had enough.
async fn converse(
    mut socket: WebSocketStream<TcpStream>,
    mut words: mpsc::Receiver<Value>,
    heard: mpsc::Sender<Heard>,
) {
    loop {
        let frame = std::future::poll_fn(|cx| {
            use futures_util::Stream as _;
            Pin::new(&mut socket).poll_next(cx)
        });
        let heard_now = tokio::select! {
            frame = frame => match frame {
                Some(Ok(Message::Text(text))) => Heard::Line(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => Heard::Goodbye(frame.map(|frame| frame.code.into())),
                // Reading on answers pings.
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
            said = words.recv() => match said {
                Some(said) => {
                    // A daemon that has said goodbye takes no more; what it said before can be read all the same.
                    let _ = socket.send(Message::text(said.to_string())).await;
                    continue;
                }
                None => return,
            },
        };
        let is_over = matches!(heard_now, Heard::Goodbye(_));
        if is_over {
            // Says goodbye as well.
            let _ = socket.flush().await;
        }
        if heard.send(heard_now).await.is_err() || is_over {
            return;
        }
    }
}

impl Chat {
    /// Comes in; or the status of the refusal.
    pub async fn join(daemon: SocketAddr, stream: &str, way: &Way) -> Result<Self, u16> {
        let after = way.after.as_ref().map(|after| format!("?after={after}")).unwrap_or_default();
        let url = format!("ws://{daemon}/api/v1/streams/{stream}/chat{after}");
        let mut request = url.into_client_request().unwrap();
        if let Some(token) = &way.token {
            request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        if let Some(origin) = &way.origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(from) = way.from {
            socket.bind((from, 0).into()).unwrap();
        }
        let stream = timeout(PATIENCE, socket.connect(daemon)).await.unwrap().unwrap();
        // Five hundred of them are in one process.
        let config = WebSocketConfig::default().read_buffer_size(8 << 10).write_buffer_size(1 << 10);
        let joining = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        match timeout(PATIENCE, joining).await.unwrap() {
            Ok((socket, _)) => {
                let ((words, said), (told, heard)) = (mpsc::channel(16), mpsc::channel(UNREAD));
                tokio::spawn(converse(socket, said, told));
                Ok(Self { words, heard, closed: None })
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn say(&mut self, words: &Value) {
        // One that is over hears nothing.
        let _ = timeout(PATIENCE, self.words.send(words.clone())).await.unwrap();
    }

    /// The next line; `None` at the end.
    pub async fn hear(&mut self) -> Option<Value> {
        match timeout(PATIENCE, self.heard.recv()).await.expect("something is said in time")? {
            Heard::Line(line) => Some(line),
            Heard::Goodbye(code) => {
                self.closed = code;
                None
            }
        }
    }

    /// Reads on to the next line of a kind.
    pub async fn hear_of(&mut self, kind: &str) -> Value {
        loop {
            let line = self.hear().await.unwrap_or_else(|| panic!("no {kind}, closed {:?}", self.closed));
            if line["type"] == kind {
                return line;
            }
        }
    }

    /// Reads on to the end; everything that was said until then.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        while let Some(line) = self.hear().await {
            lines.push(line);
        }
        lines
    }
}
