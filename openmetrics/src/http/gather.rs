//! One gathering at a time, shared by all scrapes that come while it runs.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Response;
use super::reply::{overloaded, text};
use super::scrape::{Compressors, Page, Rendering, Scrape};
use super::shared::{Board, Joined, Sharing, Work};
use super::workers::Workers;
use crate::format::Options;
use crate::format::negotiate::Coding;
use crate::model::{Collector, Report};
use crate::sync::{Mutex, MutexGuard};

/// What a scrape wants to be gathered, apart from the format.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The query parameters.
    pub parameters: Parameters,
    /// When the answer has to be there: work that would end later is not begun or given up.
    pub deadline: Instant,
}

impl Ask {
    /// The values of the parameter called `name`.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The time that is left.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}

/// What is gathered for a scrape. Every collector is one that gathers the same for all.
pub trait Source: Send + Sync + 'static {
    /// Gathers for `ask`, on a thread that may block, until its deadline at most.
    ///
    /// What is returned is encoded once for every format that scrapes asked for meanwhile; if reading takes long, it
    /// is best done here, and a snapshot returned. An error is the answer instead of a page.
    fn gather<'a>(&'a self, ask: &'a Ask) -> Result<Box<dyn Collector + 'a>, Unavailable>;

    /// Takes over from a call of [`gather`](Self::gather) for the same `ask` that has been away for a while, with what
    /// it has got by now and what can be got without it; on another thread, and once at most. A source that cannot do
    /// so, as most, says `None`, and the call is waited for.
    ///
    /// From then on that call is to answer [`Unavailable::taken_over`]. So a source need not gather on threads of its
    /// own for the sake of the one time that something hangs.
    fn take_over<'a>(&'a self, ask: &'a Ask) -> Option<Result<Box<dyn Collector + 'a>, Unavailable>> {
        let _ = ask;
        None
    }
}

impl<C: Collector + Send + Sync + 'static> Source for C {
    fn gather<'a>(&'a self, _: &'a Ask) -> Result<Box<dyn Collector + 'a>, Unavailable> {
        Ok(Box::new(self))
    }
}

/// Why there is no page: an answer's status and a message that its reader may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    status: StatusCode,
    message: String,
    taken_over: bool,
}

impl Unavailable {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), taken_over: false }
    }

    /// The request is at fault: an unknown collector, a missing target.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Gathering failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// It may go better a little later.
    pub fn busy(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
    }

    /// The answer comes from [`Source::take_over`]; nobody sees this one.
    pub fn taken_over() -> Self {
        Self { taken_over: true, ..Self::busy("another thread has taken over") }
    }

    /// The answer that says so.
    pub fn into_response(self) -> Response {
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            overloaded(&self.message)
        } else {
            text(self.status, &self.message)
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
impl std::error::Error for Unavailable {}

type Rendered = Result<Page, Unavailable>;
/// Query parameters, decoded, in the order of the request.
pub type Parameters = Vec<(String, String)>;

/// Gathers for concurrent scrapes.
///
/// A scrape with the same parameters as one that is being gathered for joins it: both get the same page, or the same
/// snapshot in different formats. Others wait for their turn. A gathering ends, and the next may begin, when the pages
/// are rendered; writing them to slow clients holds nothing but the bytes. One that hangs keeps its turn and its one
/// thread; scrapes are then told so at once, without another thread being spent on them.
#[derive(Clone)]
pub struct Gatherer(Arc<Inner>);

struct Inner {
    source: Box<dyn Source>,
    turns: Arc<Semaphore>,
    board: Board<Pages>,
    compressors: Compressors,
    workers: Workers,
    options: Options,
}

/// What tells pages of one gathering apart.
type Key = (Rendering, Coding);

/// What scrapes share: a gathering for the same parameters, of which pages are wanted.
struct Pages;

impl Sharing for Pages {
    type Key = Parameters;
    type Wanted = Key;
    type Made = Page;
    type Failure = Unavailable;
    type Tag = Tag;
}

type Gathering = Work<Pages>;

struct Tag {
    ask: Ask,
    /// Counts the pages that were finished, a beginning that was waited for, and the end; told after each.
    progress: watch::Sender<usize>,
    stage: Mutex<Stage>,
}

/// How far a gathering has got.
enum Stage {
    /// It waits for its turn.
    Waits,
    Runs {
        /// The turn, which ends with the gathering.
        _turn: OwnedSemaphorePermit,
        /// When another thread is to take over; nothing once one was asked to.
        patience: Option<Instant>,
    },
    Ended,
}

/// Which of a source's functions is called.
#[derive(Clone, Copy)]
enum Call {
    Gather,
    TakeOver,
}

/// Where a gathering ends.
enum End {
    Here,
    /// With another call, to which this one leaves the rest.
    Elsewhere,
}

impl Tag {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn patience(&self) -> Option<Instant> {
        if let Stage::Runs { patience, .. } = &*self.stage() { *patience } else { None }
    }

    /// Whether it is the caller who is to ask another thread to take over.
    fn ends_patience(&self) -> bool {
        if let Stage::Runs { patience, .. } = &mut *self.stage() { patience.take().is_some() } else { false }
    }

    fn has_ended(&self) -> bool {
        matches!(&*self.stage(), Stage::Ended)
    }

    fn tell(&self) {
        self.progress.send_modify(|n| *n += 1);
    }
}

impl Gatherer {
    /// A gatherer that has one gathering at a time.
    pub fn new(source: impl Source) -> Self {
        Self::with_turns(source, 1)
    }

    /// A gatherer that has up to `turns` gatherings with different parameters at a time, at least one.
    pub fn with_turns(source: impl Source, turns: usize) -> Self {
        Self::with_options(source, turns, Options::default())
    }

    /// The same, with pages that are written by these options.
    pub fn with_options(source: impl Source, turns: usize, options: Options) -> Self {
        Self(Arc::new(Inner {
            source: Box::new(source),
            turns: Arc::new(Semaphore::new(turns.max(1))),
            board: Board::new(),
            compressors: Compressors::default(),
            workers: Workers::default(),
            options,
        }))
    }

    /// The answer to a scrape: from the gathering that runs for the same parameters, or from one of its own.
    ///
    /// Has to be called within a tokio runtime.
    pub async fn answer(&self, scrape: &Scrape, parameters: Parameters) -> Response {
        match self.page(scrape, parameters).await {
            Ok(page) => page.into_response(),
            Err(unavailable) => unavailable.into_response(),
        }
    }

    /// The same, as a page.
    pub async fn page(&self, scrape: &Scrape, parameters: Parameters) -> Rendered {
        let deadline = Instant::now() + scrape.time;
        let key = (scrape.rendering, scrape.coding);
        let mut waiting =
            Waiting { gatherer: self, gathering: self.join(key, &parameters, deadline)?, is_over: false };
        let gathering = &waiting.gathering;
        // A little more than the work has: what is late is told by the page itself, if it is made at all.
        let rendered = self.look_after(gathering, deadline + GRACE, || gathering.look(key)).await;
        waiting.is_over = true;
        rendered.unwrap_or_else(|| {
            Err(Unavailable::busy("gathering the metrics takes longer than the scrape has time"))
        })
    }

    /// Waits until `look`, which is asked whenever a gathering has got further, finds something, and until `end` at most.
    /// Meanwhile has somebody else take over if that takes long. It is whoever waits who does that, since a task of its
    /// own for each gathering would have to be woken by each.
    async fn look_after<T>(
        &self,
        gathering: &Arc<Gathering>,
        end: Instant,
        look: impl Fn() -> Option<T>,
    ) -> Option<T> {
        let mut progress = gathering.tag.progress.subscribe();
        loop {
            if let Some(found) = look() {
                return Some(found);
            }
            let patience = gathering.tag.patience().filter(|patience| *patience < end);
            if tokio::time::timeout_at(patience.unwrap_or(end).into(), progress.changed()).await.is_ok() {
                continue;
            }
            patience?;
            if gathering.tag.ends_patience() {
                self.spawn(gathering.clone(), Call::TakeOver);
            }
        }
    }

    /// The gathering that a scrape gets its page from.
    fn join(
        &self,
        key: Key,
        parameters: &Parameters,
        deadline: Instant,
    ) -> Result<Arc<Gathering>, Unavailable> {
        let now = Instant::now();
        let may_join = |tag: &Tag| if now > tag.ask.deadline + GRACE { Err(stuck()) } else { Ok(()) };
        let begin = |running: &mut dyn Iterator<Item = &Tag>| {
            // All turns are taken, and all by gatherings that do not come back.
            let mut running = running.peekable();
            if self.0.turns.available_permits() == 0
                && running.peek().is_some()
                && running.all(|tag| now > tag.ask.deadline)
            {
                return Err(stuck());
            }
            let ask = Ask { parameters: parameters.clone(), deadline };
            Ok(Tag { ask, progress: watch::Sender::new(0), stage: Mutex::new(Stage::Waits) })
        };
        match self.0.board.join(parameters.clone(), key, may_join, begin)? {
            Joined::Running(gathering) => Ok(gathering),
            Joined::New(gathering) => {
                match self.0.turns.clone().try_acquire_owned() {
                    Ok(turn) => self.begin(&gathering, turn),
                    Err(_) => drop(tokio::spawn(self.clone().begin_later(gathering.clone()))),
                }
                Ok(gathering)
            }
        }
    }

    /// Has somebody gather.
    fn begin(&self, gathering: &Arc<Gathering>, turn: OwnedSemaphorePermit) {
        let patience = Instant::now() + PATIENCE.min(gathering.tag.ask.time_left() / 4);
        *gathering.tag.stage() = Stage::Runs { _turn: turn, patience: Some(patience) };
        self.spawn(gathering.clone(), Call::Gather);
    }

    /// Waits for a turn, and begins.
    async fn begin_later(self, gathering: Arc<Gathering>) {
        let deadline = gathering.tag.ask.deadline;
        match tokio::time::timeout_at(deadline.into(), self.0.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => {
                self.begin(&gathering, turn);
                gathering.tag.tell();
            }
            _ => self.end(&gathering, Some(stuck())),
        }
    }

    /// Gathers on a thread that may block. Nobody waits for it: it catches its own panics, and whoever waits for its
    /// pages is told of each.
    fn spawn(&self, gathering: Arc<Gathering>, call: Call) {
        let (gatherer, known) = (self.clone(), gathering.clone());
        let spawned = self.0.workers.run(move |free| {
            let work = || gatherer.gather(&gathering, call);
            let failed = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(End::Here)) => None,
                Ok(Ok(End::Elsewhere)) => return,
                Ok(Err(unavailable)) => Some(unavailable),
                Err(panic) => {
                    tracing::error!(panic = %panic_message(&*panic), "gathering the metrics panicked");
                    Some(Unavailable::failed("gathering the metrics failed; the log of the server says why"))
                }
            };
            drop(free);
            gatherer.end(&gathering, failed);
        });
        if let Err(error) = spawned {
            tracing::error!(%error, "a thread to gather the metrics on could not be started");
            // Who was to be taken over from may still come back.
            if let Call::Gather = call {
                self.end(&known, Some(Unavailable::busy("there is no thread to gather the metrics on")));
            }
        }
    }

    fn gather(&self, gathering: &Gathering, call: Call) -> Result<End, Unavailable> {
        let ask = &gathering.tag.ask;
        let gathered = match call {
            Call::Gather => self.0.source.gather(ask),
            Call::TakeOver => match self.0.source.take_over(ask) {
                Some(gathered) => gathered,
                None => return Ok(End::Elsewhere),
            },
        };
        let gathered = match gathered {
            Err(unavailable) if unavailable.taken_over => return Ok(End::Elsewhere),
            other => other?,
        };
        let mut bodies: Vec<(Rendering, Bytes)> = Vec::new();
        loop {
            let Some((rendering, coding)) = self.0.board.next(&ask.parameters, gathering) else {
                return Ok(End::Here);
            };
            // Told only now: mostly one page is all, and the end, which is told at once, brings it to its scrape.
            if !bodies.is_empty() {
                gathering.tag.tell();
            }
            let body = if let Some((_, body)) = bodies.iter().find(|(r, _)| *r == rendering) {
                body.clone()
            } else {
                let (body, report) = rendering.render(&*gathered, self.0.options);
                log_report(&report);
                let body = Bytes::from(body);
                bodies.push((rendering, body.clone()));
                body
            };
            let page = Page::with_compressors(&self.0.compressors, &ask.parameters, rendering, body, coding);
            gathering.done((rendering, coding), page);
        }
    }

    fn end(&self, gathering: &Gathering, failed: Option<Unavailable>) {
        self.0.board.end(&gathering.tag.ask.parameters, gathering, failed);
        *gathering.tag.stage() = Stage::Ended;
        gathering.tag.tell();
    }
}

/// A scrape that waits for its page. If it is dropped before, because its client has left, the gathering is looked after
/// all the same: others may come to wait for it, or for their turn.
struct Waiting<'g> {
    gatherer: &'g Gatherer,
    gathering: Arc<Gathering>,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_over
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (gatherer, gathering) = (self.gatherer.clone(), self.gathering.clone());
            runtime.spawn(async move {
                let end = gathering.tag.ask.deadline + GRACE;
                gatherer.look_after(&gathering, end, || gathering.tag.has_ended().then_some(())).await
            });
        }
    }
}

impl fmt::Debug for Gatherer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gatherer").field("running", &self.0.board.open()).finish_non_exhaustive()
    }
}

fn stuck() -> Unavailable {
    Unavailable::busy("an earlier gathering of the metrics has not come back")
}

fn log_report(report: &Report) {
    if report.is_clean() {
        return;
    }
    for refusal in report.refusals().iter().take(LOGGED) {
        tracing::warn!(%refusal, "a metric was left out");
    }
    for (collector, error) in report.failures().take(LOGGED) {
        tracing::warn!(collector, error, "a collector failed");
    }
}

/// How long a gathering may be away before another thread is to take over; a quarter of the time if that is less.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long after the end of the work its answer may still come.
const GRACE: Duration = Duration::from_millis(400);

/// How many of one page's complaints are logged.
const LOGGED: usize = 10;

/// What a panic says, as far as it is text.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
