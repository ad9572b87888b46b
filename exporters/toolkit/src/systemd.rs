//! What systemd is told, where it asked to be; elsewhere nothing.

#[cfg(target_os = "linux")]
use sd_notify::NotifyState;

/// That requests are answered.
pub(crate) fn ready(status: &str) {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    #[cfg(not(target_os = "linux"))]
    let _ = status;
}

/// That the end has begun.
pub(crate) fn stopping() {
    #[cfg(target_os = "linux")]
    tell(&[NotifyState::Stopping]);
}

/// Tells twice in each interval of the watchdog that the event loop turns; without a watchdog, waits for ever.
pub(crate) async fn keep_telling() {
    #[cfg(target_os = "linux")]
    if let Some(interval) = sd_notify::watchdog_enabled() {
        loop {
            tell(&[NotifyState::Watchdog]);
            tokio::time::sleep((interval / 2).max(std::time::Duration::from_millis(1))).await;
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be told");
    }
}
