//! Somebody in a chat, as a browser is: a WebSocket of their own.

use super::PATIENCE;
use futures_util::SinkExt as _;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use tokio::net::{TcpSocket, TcpStream};
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

/// A connection to a chat.
pub struct Chat {
    pub socket: WebSocketStream<TcpStream>,
    /// The code of the daemon's goodbye.
    pub closed: Option<u16>,
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
            Ok((socket, _)) => Ok(Self { socket, closed: None }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn say(&mut self, words: &Value) {
        timeout(PATIENCE, self.socket.send(Message::text(words.to_string()))).await.unwrap().unwrap();
    }

    /// The next line; `None` at the end.
    pub async fn hear(&mut self) -> Option<Value> {
        let frame = std::future::poll_fn(|cx| {
            use futures_util::Stream as _;
            Pin::new(&mut self.socket).poll_next(cx)
        });
        match timeout(PATIENCE, frame).await.expect("something is said in time") {
            Some(Ok(Message::Text(text))) => Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => {
                self.closed = frame.map(|frame| frame.code.into());
                // Says goodbye as well.
                let _ = self.socket.flush().await;
                None
            }
            Some(Ok(_)) => Some(Value::Null),
            Some(Err(_)) | None => None,
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
