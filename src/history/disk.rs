//! What if the log does not fit in memory? It goes to disk, a group of customers in each file, and is
//! looked at one group at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::check::{SetAside, Span, check};
use super::fingerprint::Fingerprint;
use super::group::group_parts;
use super::notes::Notes;
use super::params::InvalidRows;
use super::read::expand;
use super::slices::SlicedFile;
use super::spill::{Folder, Spill, Spilled};
use super::splitters::IdSample;
use super::{CustomerIds, History, HistoryParams, append::joined_report, no_purchase_by};
use crate::day::Day;
use crate::error::{Error, InputReport, Result};

/// A group's rows take so many times their own bytes while they are grouped and looked at.
const WORKING_COPIES: usize = 4;
/// At most so many files are open at a time.
const MOST_GROUPS: usize = 200;
/// So many rows are read at a time, or fewer where memory is short.
const ROWS_PER_STRETCH: std::ops::RangeInclusive<usize> = 1 << 16..=1 << 21;
const DEFAULT_MEMORY_BYTES: usize = 1 << 30;

/// How to read a log that does not fit in memory.
///
/// | setting | default |
/// |---|---|
/// | memory | 1 GiB |
#[derive(Clone, Debug)]
pub struct DiskHistoryParams {
    reading: HistoryParams,
    folder: PathBuf,
    memory_bytes: usize,
}

impl DiskHistoryParams {
    /// Sets about how much memory a group of customers may take while it is looked at, in bytes. The same
    /// again should be free for the rows that are being read or written.
    #[must_use]
    pub fn with_memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Reads Parquet files, paths or patterns, a stretch of rows at a time, and writes every usable row to
    /// a temporary file.
    ///
    /// # Errors
    /// As [`HistoryParams::read_parquet`]; [`Error::Unwritable`] where the temporary files cannot be
    /// written; [`Error::Parameter`] for so little memory that the log would need more than 200 files.
    pub fn read_parquet<P: AsRef<Path>>(&self, paths: impl IntoIterator<Item = P>) -> Result<DiskHistory> {
        self.reading.check_settings()?;
        let columns = &self.reading.columns;
        let files = expand(paths)?;
        let files: Vec<SlicedFile> =
            files.iter().map(|path| SlicedFile::open(path, columns)).collect::<Result<_>>()?;
        let folder = Folder::new_in(&self.folder)?;
        let sample = IdSample::of(&files, columns)?;
        let plan = Plan::new(self, &files, sample.id_bytes())?;
        let kind = sample.kind.clone();
        let spill = Spill::new(folder, sample.splitters(plan.groups), kind, self.reading.shape());
        DiskHistory::build(&self.reading, self.spill(&files, spill, &plan)?)
    }

    /// Sends every usable row to its file; what is wrong with the others is found in all of them before
    /// any is refused.
    fn spill(&self, files: &[SlicedFile], mut spill: Spill, plan: &Plan) -> Result<Checked> {
        let HistoryParams { columns, invalid_rows, .. } = &self.reading;
        let lenient = self.reading.clone().with_invalid_rows(InvalidRows::Drop);
        let is_strict = *invalid_rows == InvalidRows::Reject;
        let mut report =
            InputReport { sources: files.iter().map(SlicedFile::name).collect(), ..InputReport::default() };
        let mut aside = SetAside::new(&self.reading);
        let mut span: Option<Span> = None;
        for (file, rows) in files
            .iter()
            .flat_map(|file| file.stretches(plan.rows_per_stretch).into_iter().map(move |rows| (file, rows)))
        {
            let source = file.read(&rows, columns)?;
            let (clean, mut found) = check(vec![source], &lenient, Some(spill.kind().clone()))?;
            found.sources.clear();
            // Rows are numbered from the first of the file.
            let examples = found.faults.iter_mut().flat_map(|fault| &mut fault.examples);
            examples.for_each(|example| example.row += rows.start as u64);
            report = joined_report(&report, found);
            aside.add(&clean.aside);
            span = clean.span.into_iter().chain(span).reduce(Span::join);
            if !(is_strict && report.rows_dropped > 0) {
                spill.take(clean)?;
            }
        }
        aside.note(&self.reading, &mut report.notices);
        if is_strict && report.rows_dropped > 0 {
            return Err(Error::InvalidRows { report: Box::new(report) });
        }
        let Some(span) = span else { return Err(Error::NoOrders { report: Box::new(report) }) };
        let (rows, segment_values) = spill.finish()?;
        Ok(Checked { rows, segment_values, span, aside, report })
    }
}

/// Rows on disk, and what was found on their way there.
struct Checked {
    rows: Spilled,
    segment_values: Vec<Vec<String>>,
    span: Span,
    aside: SetAside,
    report: InputReport,
}

/// Into how many groups, and how many rows at a time.
struct Plan {
    groups: usize,
    rows_per_stretch: usize,
}

impl Plan {
    fn new(params: &DiskHistoryParams, files: &[SlicedFile], id_bytes: usize) -> Result<Self> {
        let shape = params.reading.shape();
        let floats = usize::from(shape.has_amount) + usize::from(shape.has_discount);
        let row_bytes = id_bytes + size_of::<i32>() * (1 + shape.segments) + size_of::<f64>() * floats;
        let rows: usize = files.iter().map(SlicedFile::rows).sum();
        let memory_bytes = params.memory_bytes.max(1);
        let groups = rows.saturating_mul(row_bytes * WORKING_COPIES).div_ceil(memory_bytes).max(1);
        if groups > MOST_GROUPS.min(rows.max(1)) && rows > MOST_GROUPS {
            return Err(Error::parameter(
                "memory",
                format!("{memory_bytes} bytes for {rows} rows of about {row_bytes} bytes each"),
                "at least a fiftieth of what the rows take",
            ));
        }
        let (least, most) = (*ROWS_PER_STRETCH.start(), *ROWS_PER_STRETCH.end());
        let rows_per_stretch = (memory_bytes / (2 * WORKING_COPIES * row_bytes)).clamp(least, most);
        Ok(Plan { groups: groups.min(MOST_GROUPS), rows_per_stretch })
    }
}

/// A purchase log on disk, for when it does not fit in memory: checked, and cut into groups of customers
/// that do fit, one after the other in order of id.
///
/// Everything that comes out is the same to the bit as from the same log in memory. The temporary files lie
/// in a folder of their own, take about as much as the rows do in memory, and are removed when the last clone
/// is dropped, also where something fails on the way. A process that is killed leaves them behind.
///
/// ```no_run
/// use winback::history::DiskHistory;
/// use winback::{Columns, FeatureSet, History};
///
/// let columns = Columns::new("customer_id", "ordered_on").with_amount("amount");
/// let history = DiskHistory::params(History::params(columns), "/scratch").read_parquet(["orders/*.parquet"])?;
/// let features = FeatureSet::standard(90, &[]);
/// features.write_features_at(&history, history.observed_until(), "features.parquet")?;
/// # Ok::<(), winback::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DiskHistory {
    /// The log without its customers.
    whole: History,
    notes: Notes,
    rows: Arc<Spilled>,
    fingerprint: Arc<OnceLock<String>>,
}

impl DiskHistory {
    /// Begins to read a log, with its temporary files in a folder that is there and has room.
    #[must_use]
    pub fn params(reading: HistoryParams, folder: impl Into<PathBuf>) -> DiskHistoryParams {
        DiskHistoryParams { reading, folder: folder.into(), memory_bytes: DEFAULT_MEMORY_BYTES }
    }

    fn build(params: &HistoryParams, checked: Checked) -> Result<Self> {
        let Checked { rows, segment_values, span, aside, report } = checked;
        let whole = History {
            params: params.clone(),
            ids: Arc::new(CustomerIds::none(rows.kind())),
            places: Vec::new(),
            partitions: Vec::new(),
            segment_values: Arc::new(segment_values),
            span,
            aside,
            report,
            fingerprint: OnceLock::new(),
        };
        let mut history =
            DiskHistory { whole, notes: Notes::default(), rows: Arc::new(rows), fingerprint: Arc::default() };
        // What only grouped customers show is part of the report.
        for group in 0..history.groups() {
            let notes = Notes::of(&history.group(group)?);
            history.notes.add(notes);
        }
        let whole = &mut history.whole;
        let notices = history.notes.notices(whole.observed_from(), whole.report.rows_kept);
        whole.report.notices.extend(notices);
        Ok(history)
    }

    /// How the log was read.
    #[must_use]
    pub fn reading(&self) -> &HistoryParams {
        self.whole.reading()
    }

    /// What the read found, row by row.
    #[must_use]
    pub fn report(&self) -> &InputReport {
        self.whole.report()
    }

    /// How many customers have an order of any kind.
    #[must_use]
    pub fn customers(&self) -> u64 {
        self.notes.customers
    }

    /// How many purchases there are: days on which a customer bought.
    #[must_use]
    pub fn purchases(&self) -> u64 {
        self.notes.purchases
    }

    /// The first day the log is complete for: that of its first order.
    #[must_use]
    pub fn observed_from(&self) -> Day {
        self.whole.observed_from()
    }

    /// The last day the log is complete for.
    #[must_use]
    pub fn observed_until(&self) -> Day {
        self.whole.observed_until()
    }

    /// The day of the last order.
    #[must_use]
    pub fn last_order(&self) -> Day {
        self.whole.last_order()
    }

    /// As [`History::check_silence`].
    ///
    /// # Errors
    /// As there.
    pub fn check_silence(&self, as_of: Day, horizon_days: i32) -> Result<()> {
        self.whole.check_silence(as_of, horizon_days)
    }

    /// The values of a segment column, in order of text; `None` where the log was read without it.
    #[must_use]
    pub fn segment_values(&self, column: &str) -> Option<&[String]> {
        self.whole.segment_values(column)
    }

    /// How many groups of customers the log is cut into.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.rows.groups()
    }

    /// Sixteen hexadecimal digits that stand for every purchase and refund in the log; those of the log in
    /// memory. The first call goes through all groups.
    ///
    /// # Errors
    /// [`Error::Unreadable`] where a temporary file is gone.
    pub fn fingerprint(&self) -> Result<&str> {
        if self.fingerprint.get().is_none() {
            let mut all = Fingerprint::new(&self.whole.segment_values);
            for group in 0..self.groups() {
                all = all.with(&self.group(group)?);
            }
            // Another thread may have been faster, with the same.
            let _ = self.fingerprint.set(all.text());
        }
        Ok(self.fingerprint.get().map_or("", String::as_str))
    }

    /// All that is known of the log but its customers.
    pub(crate) fn whole(&self) -> &History {
        &self.whole
    }

    /// A group of customers in memory: a history like that of the whole log, of which it knows the days,
    /// the segment values and the report. Groups are in order of id.
    pub(crate) fn group(&self, group: usize) -> Result<History> {
        let parts = self.rows.read(group)?;
        let (ids, places, partitions) = group_parts(parts, self.rows.kind().clone(), self.reading().shape());
        let partitions = partitions.into_iter().map(Arc::new).collect();
        Ok(History { ids: Arc::new(ids), places, partitions, ..self.whole.clone() })
    }

    /// Why there is nobody to look at on that day.
    pub(crate) fn nobody_bought_by(&self, as_of: Day) -> Error {
        no_purchase_by(as_of, self.notes.first_purchase(self.observed_from()))
    }
}
