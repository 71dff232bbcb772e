//! What is a step? Something a member of staff does for one customer, on one channel.

use std::fmt;

use serde::Serialize;

use crate::day::Day;

/// What a step is for.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Keep what was promised.
    Promise,
    /// Own a mistake, soon after it happened.
    Apologise,
    /// Ask why they left, before anything is offered.
    Ask,
    /// Invite them to buy again.
    Invite,
    /// Come back to an invitation.
    FollowUp,
    /// Let them hear of us, and ask for nothing.
    KeepInTouch,
    /// Part as friends.
    Part,
    /// Ask to be recommended.
    Refer,
}

impl StepKind {
    /// All of them: what is done first where a day has room for some only.
    pub const ALL: [StepKind; 8] = [
        StepKind::Promise,
        StepKind::Apologise,
        StepKind::Ask,
        StepKind::Invite,
        StepKind::FollowUp,
        StepKind::Refer,
        StepKind::Part,
        StepKind::KeepInTouch,
    ];

    /// The name as it stands in files, such as `follow_up`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Promise => "promise",
            StepKind::Apologise => "apologise",
            StepKind::Ask => "ask",
            StepKind::Invite => "invite",
            StepKind::FollowUp => "follow_up",
            StepKind::KeepInTouch => "keep_in_touch",
            StepKind::Part => "part",
            StepKind::Refer => "refer",
        }
    }

    /// The kind of that name, in any case; blanks and hyphens count as underscores.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let name = text.trim().to_lowercase().replace([' ', '-'], "_");
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The first step of a plan for one customer, as it stands in a plan: `KIND by CHANNEL[ until DATE]: TEXT`.
///
/// ```
/// use winback::winback::{FirstStep, StepKind};
///
/// let text = "invite by email until 2024-07-01: Thank them, say what has changed, and ask them to buy again.";
/// let step = FirstStep::parse(text).ok_or("not a step")?;
/// assert_eq!((step.kind, step.channel.as_str()), (StepKind::Invite, "email"));
/// assert_eq!(step.until.map(|day| day.to_string()).as_deref(), Some("2024-07-01"));
/// assert_eq!(step.to_string(), text);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct FirstStep {
    /// What it is for.
    pub kind: StepKind,
    /// How the customer is reached; without a colon.
    pub channel: String,
    /// The last day on which what is offered holds, where something is.
    pub until: Option<Day>,
    /// What to do, in words that staff can act on.
    pub text: String,
}

impl FirstStep {
    /// Reads what [`Display`](fmt::Display) writes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (head, words) = text.split_once(": ")?;
        let (kind, channel) = head.split_once(" by ")?;
        let (channel, until) = match channel.rsplit_once(" until ") {
            Some((channel, day)) => match Day::parse_iso(day) {
                Some(day) => (channel, Some(day)),
                None => (head.split_once(" by ")?.1, None),
            },
            None => (channel, None),
        };
        let step = FirstStep {
            kind: StepKind::parse(kind)?,
            channel: channel.to_owned(),
            until,
            text: words.to_owned(),
        };
        step.is_sound().then_some(step)
    }

    /// Whether it reads back as it is written.
    pub(super) fn is_sound(&self) -> bool {
        let (channel, text) = (self.channel.trim(), self.text.trim());
        !channel.is_empty() && !channel.contains(':') && !text.is_empty()
    }
}

impl fmt::Display for FirstStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FirstStep { kind, channel, until, text } = self;
        write!(f, "{kind} by {channel}")?;
        if let Some(day) = until {
            write!(f, " until {day}")?;
        }
        write!(f, ": {text}")
    }
}
