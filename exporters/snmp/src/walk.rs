//! Walking columns: which to ask for next, and what an answer means for it. Pure; the session sends and receives.
//!
//! A walk has *tasks*, each a column or a single variable. Columns that were not asked for yet go out many at a time,
//! since most of a module's tables are empty on most devices; those with rows go on beside their neighbours in the
//! table, several columns and as many rows as fill a reply. What a device cannot take makes requests smaller: fewer
//! rows, then fewer columns, then one variable alone; what fails alone fails the walk, with its name.

mod check;
mod fault;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

pub use self::fault::Fault;

use self::check::Checked;
use crate::ber;
use crate::message::{ErrorStatus, Pdu, PduKind, Value, Version};
use crate::oid::{Dotted, Oid};
use crate::rows::Column;

/// A column to walk, or a variable to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name.
    pub oid: Oid,
    /// What it is.
    pub kind: TargetKind,
}

/// What a [`Target`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// Everything below the name. If there is nothing and `exact`, the name itself is got.
    Column {
        /// Whether the name may be that of a variable.
        exact: bool,
    },
    /// The same where one row, called 0, is all there should be.
    Scalar,
    /// The first variable below the name, to see whether there is one.
    First,
    /// The variable of this name alone.
    Variable,
}

/// How a device is asked, and how much it may tell.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The version, which decides what kinds of requests there are.
    pub version: Version,
    /// The most repetitions of a GETBULK.
    pub max_repetitions: u32,
    /// The most names in a request.
    pub max_names: usize,
    /// How many requests may be on their way; columns are spread over them.
    pub window: usize,
    /// Go on when rows come out of order, as long as none comes twice.
    pub any_order: bool,
    /// Rows of one walk.
    pub max_rows: usize,
    /// Octets of memory of one walk.
    pub max_octets: usize,
}

/// How many octets the variables of a reply should have: what fits into a packet of the usual networks, with room
/// for the headers of version 3.
const REPLY_OCTETS: usize = 1380;
/// What a variable takes before anything is known.
const VARIABLE_OCTETS: f32 = 27.0;

/// How often a request is sent before smaller ones are tried: the answer may be too large for the way.
const UNANSWERED: u32 = 3;
/// The same if answers as large came before.
const LOST: u32 = 6;

/// A request to be sent.
#[derive(Debug)]
pub struct Ask {
    /// What tells its answer from others.
    pub key: u32,
    /// GET, GETNEXT or GETBULK.
    pub kind: PduKind,
    /// Of a GETBULK.
    pub repetitions: u32,
    /// The names.
    pub names: Vec<Oid>,
}

#[derive(Debug)]
struct Task {
    target: Target,
    /// The last name told; the next request is for what comes after it.
    cursor: Vec<u32>,
    column: Column,
    /// Which table it belongs to.
    table: usize,
    /// Names told, where they may come in any order.
    seen: HashSet<Vec<u32>>,
    /// Ask for it alone, and for one row at a time.
    careful: bool,
    /// How many replies in a row had nothing for it.
    stalled: u8,
    /// The task whose column lacks this row, though its neighbours have it.
    fills: Option<usize>,
}

impl Task {
    fn new(target: Target, table: usize) -> Self {
        let (cursor, column) = (target.oid.to_vec(), Column::new(target.oid.clone()));
        Self { target, cursor, column, table, seen: HashSet::new(), careful: false, stalled: 0, fills: None }
    }
}

/// What a reply had for a task so far, from what says least to what says most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Came {
    Nothing,
    /// A name that is none.
    Unreadable,
    /// A row, or a name where there is none.
    Row,
    /// That there is nothing more, if no row comes after it.
    Exception,
    /// Something behind the column.
    End,
}

#[derive(Clone, Debug)]
struct Flight {
    tasks: Vec<usize>,
    kind: PduKind,
    repetitions: u32,
}

/// A walk and what it has found.
#[derive(Debug)]
pub struct Walk {
    style: Style,
    tasks: Vec<Task>,
    /// Groups of tasks that were not asked for yet.
    fresh: VecDeque<Vec<usize>>,
    /// Tasks that wait to go on, by table.
    ready: BTreeMap<usize, Vec<usize>>,
    /// How many columns of each table are still being walked, and the rows of the longest that is done.
    tables: Vec<(usize, usize)>,
    /// Tasks to be asked for alone.
    alone: VecDeque<usize>,
    /// Variables to get.
    gets: VecDeque<usize>,
    flights: HashMap<u32, Flight>,
    next_key: u32,
    /// What a variable takes in replies so far.
    variable_octets: f32,
    /// The octets of the largest reply so far.
    largest: usize,
    rows: usize,
    octets: usize,
    checked: Checked,
    /// Tables with rows that were skipped.
    skipped: HashSet<usize>,
}

/// How many columns that were not asked for yet go into one request.
const FRESH: usize = 24;
/// How many columns of one table go into one request.
const ABREAST: usize = 16;

impl Walk {
    /// A walk of these targets.
    pub fn new(targets: Vec<Target>, style: Style) -> Self {
        let mut walk = Self {
            style,
            tasks: Vec::with_capacity(targets.len()),
            fresh: VecDeque::new(),
            ready: BTreeMap::new(),
            tables: Vec::new(),
            alone: VecDeque::new(),
            gets: VecDeque::new(),
            flights: HashMap::new(),
            next_key: 0,
            variable_octets: VARIABLE_OCTETS,
            largest: 0,
            rows: 0,
            octets: 0,
            checked: Checked::Not,
            skipped: HashSet::new(),
        };
        let mut tables: HashMap<Vec<u32>, usize> = HashMap::new();
        let (mut scalars, mut columns) = (Vec::new(), Vec::new());
        for target in targets {
            let id = walk.tasks.len();
            let next = tables.len();
            let table = *tables.entry(target.oid.parent().to_vec()).or_insert(next);
            match target.kind {
                TargetKind::Variable => walk.gets.push_back(id),
                TargetKind::Scalar | TargetKind::First => scalars.push(id),
                TargetKind::Column { .. } => columns.push(id),
            }
            walk.tasks.push(Task::new(target, table));
        }
        walk.tables = vec![(0, 0); tables.len()];
        for group in [scalars, columns] {
            for &id in &group {
                if let Some(table) = walk.tasks.get(id).and_then(|task| walk.tables.get_mut(task.table)) {
                    table.0 += 1;
                }
            }
            walk.fresh.extend(group.chunks(FRESH.min(style.max_names).max(1)).map(<[usize]>::to_vec));
        }
        walk
    }

    /// The next request, if there is one to send now. Without one on its way either, the walk is done.
    pub fn next_ask(&mut self) -> Option<Ask> {
        let chosen = self.choose();
        let (tasks, kind) = match chosen {
            None if self.flights.is_empty() && self.check() => self.choose()?,
            chosen => chosen?,
        };
        let names: Vec<Oid> = tasks
            .iter()
            .filter_map(|id| self.tasks.get(*id))
            .map(|task| Oid::from(&task.cursor[..]))
            .collect();
        let repetitions = if kind == PduKind::GetBulk { self.repetitions(&tasks) } else { 0 };
        let key = self.next_key;
        self.next_key = self.next_key.wrapping_add(1);
        self.flights.insert(key, Flight { tasks, kind, repetitions });
        Some(Ask { key, kind, repetitions, names })
    }

    fn choose(&mut self) -> Option<(Vec<usize>, PduKind)> {
        let next = if self.style.version == Version::V1 { PduKind::GetNext } else { PduKind::GetBulk };
        if let Some(mut group) = self.fresh.pop_front() {
            if group.len() > self.style.max_names {
                self.fresh.push_front(group.split_off(self.style.max_names));
            }
            return Some((group, next));
        }
        // The table with the most columns that wait.
        if let Some((&table, _)) = self.ready.iter().max_by_key(|(_, waiting)| waiting.len()) {
            let columns = self.tables.get(table).map_or(1, |(columns, _)| *columns);
            let abreast =
                columns.div_ceil(self.style.window.max(1)).clamp(2, ABREAST).min(self.style.max_names);
            let waiting = self.ready.get_mut(&table)?;
            let rest = waiting.split_off(abreast.min(waiting.len()));
            let group = std::mem::replace(waiting, rest);
            if waiting.is_empty() {
                self.ready.remove(&table);
            }
            return Some((group, next));
        }
        if let Some(id) = self.alone.pop_front() {
            let get = self.tasks.get(id).is_some_and(|task| task.target.kind == TargetKind::Variable);
            return Some((vec![id], if get { PduKind::Get } else { PduKind::GetNext }));
        }
        if self.gets.is_empty() {
            return None;
        }
        let most = (self.style.max_repetitions as usize).clamp(1, self.style.max_names);
        let group = self.gets.drain(..most.min(self.gets.len())).collect();
        Some((group, PduKind::Get))
    }

    /// How many rows fill a reply, and are not more than the table has as far as is known.
    fn repetitions(&self, tasks: &[usize]) -> u32 {
        let first = tasks.first().and_then(|id| self.tasks.get(*id));
        let single = |kind| matches!(kind, TargetKind::Scalar | TargetKind::First);
        if first.is_some_and(|task| single(task.target.kind) && task.column.is_empty()) {
            return 1;
        }
        let fill = (REPLY_OCTETS as f32 / self.variable_octets) as usize / tasks.len().max(1);
        let mut most = fill.clamp(1, self.style.max_repetitions as usize);
        let known = first.and_then(|task| self.tables.get(task.table)).map_or(0, |(_, rows)| *rows);
        let have = tasks
            .iter()
            .filter_map(|id| self.tasks.get(*id))
            .map(|task| task.column.len())
            .min()
            .unwrap_or(0);
        if known > have {
            most = most.min(known - have + 1);
        }
        most as u32
    }

    /// Takes the response to a request. What cannot be read has been dropped before, so variables are whole.
    pub fn answer(
        &mut self,
        key: u32,
        pdu: &Pdu<'_>,
        variables: &[(&[u8], Value<'_>)],
        octets: usize,
    ) -> Result<(), Fault> {
        let Some(flight) = self.flights.remove(&key) else { return Ok(()) };
        if pdu.status != ErrorStatus::NO_ERROR {
            return self.failed(&flight, pdu.status, pdu.index);
        }
        if variables.is_empty() {
            return self.empty(&flight);
        }
        self.largest = self.largest.max(octets);
        let each = octets as f32 / variables.len() as f32;
        self.variable_octets = (self.variable_octets * 0.75 + each * 0.25).clamp(8.0, REPLY_OCTETS as f32);
        if flight.kind == PduKind::Get {
            self.got(&flight, variables);
            return self.within_limits();
        }
        let mut came = vec![Came::Nothing; flight.tasks.len()];
        let mut name = Vec::new();
        for (at, (encoded, value)) in variables.iter().enumerate() {
            let place = at % flight.tasks.len();
            let (Some(&id), Some(came)) = (flight.tasks.get(place), came.get_mut(place)) else { break };
            let Some(task) = self.tasks.get_mut(id) else { break };
            if *came == Came::End {
                continue;
            }
            name.clear();
            task.stalled = 0;
            if ber::arcs(encoded, &mut name).is_none() {
                task.column.push_unreadable();
                *came = (*came).max(Came::Unreadable);
                continue;
            }
            let index = name.strip_prefix(&task.target.oid[..]).filter(|index| !index.is_empty());
            let Some(index) = index.filter(|_| !value.is_exception() || name > task.cursor) else {
                *came = if value.is_exception() { Came::Exception } else { Came::End };
                continue;
            };
            if self.style.any_order {
                if !task.seen.insert(index.to_vec()) {
                    return Err(Fault::Again(Oid::from(&name[..])));
                }
            } else if name <= task.cursor {
                return Err(Fault::NotIncreasing(Oid::from(&task.cursor[..]), Oid::from(&name[..])));
            }
            let before = task.column.memory();
            task.column.push(index, *value);
            self.octets += task.column.memory() - before;
            self.rows += 1;
            let is_all = match task.target.kind {
                TargetKind::Scalar => index == [0],
                kind => kind == TargetKind::First,
            };
            *came = if is_all && !value.is_exception() { Came::End } else { Came::Row };
            task.cursor.clone_from(&name);
        }
        self.within_limits()?;
        for (&id, came) in flight.tasks.iter().zip(came) {
            match came {
                Came::Nothing => self.stall(id)?,
                Came::Unreadable => return Err(Fault::Unreadable(self.cursor(id))),
                Came::Row => self.requeue(id),
                Came::Exception | Came::End => self.end(id),
            }
        }
        Ok(())
    }

    fn within_limits(&self) -> Result<(), Fault> {
        let fits = self.rows <= self.style.max_rows && self.octets <= self.style.max_octets;
        if fits { Ok(()) } else { Err(Fault::TooMuch(self.rows)) }
    }

    fn got(&mut self, flight: &Flight, variables: &[(&[u8], Value<'_>)]) {
        let mut name = Vec::new();
        for (encoded, value) in variables {
            name.clear();
            if ber::arcs(encoded, &mut name).is_none() || value.is_exception() {
                continue;
            }
            // Only what was asked for.
            let asked = flight
                .tasks
                .iter()
                .find(|id| self.tasks.get(**id).is_some_and(|task| task.target.oid[..] == name));
            if let Some(&id) = asked
                && let Some(task) = self.tasks.get_mut(id)
                && task.column.is_empty()
            {
                let before = task.column.memory();
                task.column.push(&[], *value);
                self.octets += task.column.memory() - before;
                self.rows += 1;
                self.skipped_by_device(id);
            }
        }
    }

    /// A column is done. One without rows may be a variable itself.
    fn end(&mut self, id: usize) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        if let Some((columns, rows)) = self.tables.get_mut(task.table) {
            *columns = columns.saturating_sub(1);
            *rows = (*rows).max(task.column.len());
        }
        task.seen = HashSet::new();
        let exact = matches!(
            task.target.kind,
            TargetKind::Column { exact: true } | TargetKind::Scalar | TargetKind::First
        );
        if task.column.is_empty() && exact {
            task.target.kind = TargetKind::Variable;
            self.gets.push_back(id);
        }
    }

    fn requeue(&mut self, id: usize) {
        let Some(task) = self.tasks.get(id) else { return };
        if task.careful {
            self.alone.push_back(id);
        } else if task.target.kind == TargetKind::Variable {
            self.gets.push_back(id);
        } else {
            self.ready.entry(task.table).or_default().push(id);
        }
    }

    /// A reply had no room for this task, or nothing at all.
    fn stall(&mut self, id: usize) -> Result<(), Fault> {
        let Some(task) = self.tasks.get_mut(id) else { return Ok(()) };
        task.stalled += 1;
        if task.stalled > 3 {
            return Err(Fault::Empty(Oid::from(&task.cursor[..])));
        }
        task.careful |= task.stalled > 1;
        self.requeue(id);
        Ok(())
    }

    /// Whether a request is about nothing but rows that may be missing.
    fn only_fills(&self, flight: &Flight) -> bool {
        flight.tasks.iter().all(|id| self.tasks.get(*id).is_some_and(|task| task.fills.is_some()))
    }

    fn empty(&mut self, flight: &Flight) -> Result<(), Fault> {
        if self.only_fills(flight) {
            return Ok(());
        }
        flight.tasks.iter().try_for_each(|id| self.stall(*id))
    }

    fn failed(&mut self, flight: &Flight, status: ErrorStatus, index: u32) -> Result<(), Fault> {
        let blamed = (index as usize).checked_sub(1).filter(|at| *at < flight.tasks.len());
        if status == ErrorStatus::TOO_BIG {
            let goes_on = self.shrink(flight) || self.only_fills(flight);
            return if goes_on { Ok(()) } else { Err(self.fault(flight, status)) };
        }
        if status == ErrorStatus::NO_SUCH_NAME && self.style.version == Version::V1 {
            // How version 1 says that there is nothing after a name, or no such variable.
            let blamed = blamed.or((flight.tasks.len() == 1).then_some(0));
            for (at, &id) in flight.tasks.iter().enumerate() {
                if Some(at) == blamed {
                    if flight.kind != PduKind::Get {
                        self.end(id);
                    }
                } else if blamed.is_none() {
                    self.apart(id);
                } else {
                    self.requeue(id);
                }
            }
            return Ok(());
        }
        if self.only_fills(flight) {
            return Ok(()); // as good as not there
        }
        let careful = |walk: &Self, id: &usize| walk.tasks.get(*id).is_none_or(|task| task.careful);
        if let [only] = flight.tasks[..]
            && (careful(self, &only) || flight.repetitions <= 1)
        {
            return Err(self.fault(flight, status));
        }
        for &id in &flight.tasks {
            self.apart(id);
        }
        Ok(())
    }

    fn apart(&mut self, id: usize) {
        if let Some(task) = self.tasks.get_mut(id) {
            task.careful = true;
            self.alone.push_back(id);
        }
    }

    fn fault(&self, flight: &Flight, status: ErrorStatus) -> Fault {
        Fault::Status(status, flight.tasks.first().map(|id| self.cursor(*id)).unwrap_or_default())
    }

    fn cursor(&self, id: usize) -> Oid {
        self.tasks.get(id).map(|task| Oid::from(&task.cursor[..])).unwrap_or_default()
    }

    /// Gives up on a request that was sent so many times without an answer, for smaller ones. `false` if it should be
    /// sent again: answers as large came, or it is as small as it can be, or nothing came at all.
    ///
    /// On a way that loses every fifth packet many requests are lost three times. Smaller ones would not fare better, and
    /// there would be more of them.
    pub fn give_up(&mut self, key: u32, times: u32) -> bool {
        let Some(flight) = self.flights.get(&key).cloned() else { return false };
        let missing = self.only_fills(&flight);
        let variables = flight.repetitions.max(1) as usize * flight.tasks.len();
        let is_usual = variables as f32 * self.variable_octets <= self.largest as f32 * 1.25;
        let enough = if is_usual && !missing { LOST } else { UNANSWERED };
        let gives_up = self.rows > 0 && times >= enough && (missing || self.shrink(&flight));
        if gives_up {
            self.flights.remove(&key);
        }
        gives_up
    }

    fn shrink(&mut self, flight: &Flight) -> bool {
        if flight.repetitions > 1 {
            self.style.max_repetitions = self.style.max_repetitions.min((flight.repetitions / 2).max(1));
        } else if flight.tasks.len() > 1 {
            self.style.max_names = self.style.max_names.min((flight.tasks.len() / 2).max(1));
        } else {
            return false;
        }
        for &id in &flight.tasks {
            self.requeue(id);
        }
        true
    }

    /// What a request is about, for messages: its first name.
    pub fn subject(&self, key: u32) -> String {
        let task = self.flights.get(&key).and_then(|flight| self.tasks.get(*flight.tasks.first()?));
        task.map(|task| Dotted(&task.cursor).to_string()).unwrap_or_default()
    }

    /// A request on its way once more, to be sent again in another message.
    pub fn request(&self, key: u32) -> Option<(PduKind, u32, Vec<Oid>)> {
        let flight = self.flights.get(&key)?;
        let tasks = flight.tasks.iter().filter_map(|id| self.tasks.get(*id));
        Some((flight.kind, flight.repetitions, tasks.map(|task| Oid::from(&task.cursor[..])).collect()))
    }

    /// How many rows were told so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How the device wants to be asked, after what it could not take.
    pub fn style(&self) -> Style {
        self.style
    }

    /// What was found, in the order of the names.
    pub fn finish(mut self) -> Vec<Column> {
        self.fill();
        let mut columns: Vec<Column> = self.tasks.into_iter().map(|task| task.column).collect();
        columns.sort_by(|a, b| a.prefix().cmp(b.prefix()));
        columns
    }
}
