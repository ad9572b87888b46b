//! The site behind what the web configuration puts before it: TLS, a rate, users, headers.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, StatusCode};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use openmetrics::http::connection::{self, Stream};
use openmetrics::http::gate::Slot;
use openmetrics::http::{Request, Response, Service, reply};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::site::Site;
use crate::web::Current;

/// Everything that is served, and who may see it.
pub(crate) struct Guarded {
    pub(crate) site: Site,
    pub(crate) web: Option<Arc<Current>>,
}

impl Service for Guarded {
    fn takes(&self, method: &Method) -> bool {
        self.site.takes(method)
    }

    async fn call(&self, request: Request) -> Response {
        let Some(web) = &self.web else { return self.site.call(request).await };
        let loaded = web.get().await;
        if loaded.rate.as_ref().is_some_and(|rate| !rate.allow()) {
            return reply::text(
                StatusCode::TOO_MANY_REQUESTS,
                "more requests than the web configuration allows",
            );
        }
        let allowed = match &loaded.auth {
            Some(auth) => auth.check(&request.head.headers, request.peer).await,
            None => Ok(()),
        };
        let mut response = match allowed {
            Ok(()) => self.site.call(request).await,
            Err(response) => response,
        };
        for (name, value) in &loaded.headers {
            response.headers_mut().insert(name.clone(), value.clone());
        }
        response
    }
}

/// Serves one connection, with TLS if that is configured.
pub(crate) async fn serve<Io: Stream + 'static>(
    io: Io,
    peer: Option<IpAddr>,
    site: Arc<Guarded>,
    slot: Slot,
) {
    let tls = match &site.web {
        Some(web) => web.get().await.tls.clone(),
        None => None,
    };
    let Some(tls) = tls else {
        return connection::serve(io, peer, &*site, &slot).await;
    };
    let handshake = timeout(slot.limits().head, TlsAcceptor::from(tls).accept(io));
    let stream = tokio::select! {
        () = slot.cut() => return,
        stream = handshake => stream,
    };
    match stream {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            serve_http2(stream, peer, site, &slot).await;
        }
        Ok(Ok(stream)) => connection::serve(Tls(stream), peer, &*site, &slot).await,
        Ok(Err(error)) => tracing::debug!(%error, peer = ?peer, "a TLS handshake failed"),
        Err(_) => tracing::debug!(peer = ?peer, "a TLS handshake took too long"),
    }
}

/// Concurrent requests of one connection of HTTP/2. A scraper has one.
const STREAMS: u32 = 16;

async fn serve_http2<Io: Stream + 'static>(
    stream: TlsStream<Io>,
    peer: Option<IpAddr>,
    site: Arc<Guarded>,
    slot: &Slot,
) {
    let limits = slot.limits();
    let busy = tokio::sync::watch::Sender::new(0_usize);
    let service = hyper::service::service_fn(|request: http::Request<Incoming>| {
        let (site, busy) = (site.clone(), busy.clone());
        let place = slot.begin();
        slot.busy();
        busy.send_modify(|n| *n += 1);
        async move {
            let (head, body) = request.into_parts();
            let headless = head.method == Method::HEAD;
            let response = if !site.takes(&head.method) {
                reply::method_not_allowed()
            } else if !body.is_end_stream() {
                reply::text(StatusCode::PAYLOAD_TOO_LARGE, "requests here have no body")
            } else if place.is_some() {
                site.call(Request { head, peer }).await
            } else {
                reply::overloaded("too many requests are being answered")
            };
            drop(place);
            busy.send_modify(|n| *n -= 1);
            let length = HeaderValue::from(response.body().len());
            let mut response = response.map(|body| Full::new(if headless { Bytes::new() } else { body }));
            if response.status() != StatusCode::NO_CONTENT {
                response.headers_mut().insert(CONTENT_LENGTH, length);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(limits.header_bytes as u32)
        .max_send_buf_size(64 << 10)
        // A client that has gone, or does not read, is found out by its silence.
        .keep_alive_interval(limits.write_stall)
        .keep_alive_timeout(limits.write_stall);
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut changed = busy.subscribe();
    let mut deadline = Instant::now() + limits.head;
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            _ = &mut connection => return,
            () = slot.cut() => return,
            _ = changed.changed() => {
                // Between requests the connection may be cut for a newcomer, or closed for idleness.
                let quiet = *changed.borrow_and_update() == 0;
                deadline = Instant::now() + if quiet { limits.idle } else { limits.scrape_max + limits.write };
                if quiet {
                    slot.waits();
                }
            }
            () = slot.draining(), if !ending => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
            () = sleep_until(deadline) => {
                if ending {
                    return;
                }
                ending = true;
                connection.as_mut().graceful_shutdown();
                deadline = Instant::now() + limits.head;
            }
        }
    }
}

/// A connection with TLS, for HTTP/1.
struct Tls<Io>(TlsStream<Io>);

impl<Io: Stream> Stream for Tls<Io> {
    fn reset_on_close(&self) {
        self.0.get_ref().0.reset_on_close();
    }
}

impl<Io: Stream> AsyncRead for Tls<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl<Io: Stream> AsyncWrite for Tls<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }
    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
