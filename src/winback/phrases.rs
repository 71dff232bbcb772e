//! How is a step put to the staff who do it?

use std::fmt;

use super::step::FirstStep;
use crate::day::Day;
use crate::evidence::{Answer, IncidentKind, Promise};

/// What staff are told, one per kind of step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phrase<'a> {
    Promise { promise: &'a Promise, made_on: Day, as_of: Day },
    Apologise { mistake: Option<IncidentKind>, on: Day },
    First { step: &'a FirstStep, as_of: Day },
    Invite { offer: Offered<'a>, asked_on: Day, answer: Answer },
    FollowUp { offer: Offered<'a>, wrote_on: Day, answer: Answer },
    AfterApology { on: Day },
    KeepInTouch { declined_on: Option<Day> },
    ReferAfterReturn { returned_on: Day },
    ReferAfterParting { parted_on: Day },
}

/// What is offered, and whether it still is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offered<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) until: Option<Day>,
    pub(super) as_of: Day,
}

impl fmt::Display for Offered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Offered { name, until, as_of } = self;
        match (name, until) {
            (Some(name), Some(until)) if until < as_of => {
                write!(f, "say that {name} ended on {until}, and that the invitation stands without it")
            }
            (Some(name), Some(until)) => write!(f, "remind them of {name}, which holds until {until}"),
            (Some(name), None) => write!(f, "remind them of {name}"),
            (None, _) => write!(f, "offer nothing"),
        }
    }
}

/// A mistake in words.
fn what(mistake: Option<IncidentKind>) -> &'static str {
    match mistake {
        Some(IncidentKind::LateDelivery) => "what they ordered came late",
        Some(IncidentKind::Complaint) | None => "they complained",
        Some(_) => "something was wrong with what they got",
    }
}

impl fmt::Display for Phrase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Phrase::Promise { promise, made_on, as_of } => {
                let late = as_of.days_since(promise.due);
                match late > 0 {
                    true => write!(
                        f,
                        "Promised on {made_on} and {late} days overdue: {}. Do it today, say sorry for the wait, and \
                         enter the day in kept_on.",
                        promise.what.trim().trim_end_matches('.')
                    ),
                    false => write!(
                        f,
                        "Promised on {made_on} for today: {}. Do it, tell them, and enter the day in kept_on.",
                        promise.what.trim().trim_end_matches('.')
                    ),
                }
            }
            Phrase::Apologise { mistake, on } => write!(
                f,
                "On {on} {}. Thank them for telling us or for their patience. Say that it is our mistake, and make no \
                 excuses. Say what has been changed so that it does not happen again, or when it will be. Ask what \
                 would put it right, promise no more than can be kept, and ask them to buy from us again.",
                what(*mistake)
            ),
            Phrase::First { step, as_of } => match step.until {
                Some(until) if until < *as_of => {
                    write!(
                        f,
                        "{} (Too late for what was offered: it held until {until}. Do not offer it.)",
                        step.text
                    )
                }
                _ => f.write_str(&step.text),
            },
            Phrase::Invite { offer, asked_on, answer } => {
                match answer {
                    Answer::None => write!(
                        f,
                        "Asked on {asked_on}, and nothing heard. Thank them for the time they were with us"
                    )?,
                    _ => write!(
                        f,
                        "They answered on {asked_on}. Thank them for telling us, and say what has changed since"
                    )?,
                }
                match (offer.name, offer.until) {
                    (Some(name), Some(until)) if until >= offer.as_of => {
                        write!(f, "; offer {name}, and say that it holds until {until}")?;
                    }
                    _ => write!(f, "; {offer}")?,
                }
                f.write_str(". Ask them in so many words to buy again.")
            }
            Phrase::FollowUp { offer, wrote_on, answer } => match answer {
                Answer::Accepted => write!(
                    f,
                    "They said yes on {wrote_on}, and have not ordered yet. Thank them, {offer}, ask what stands in \
                     the way, and ask for the order."
                ),
                Answer::Declined => write!(
                    f,
                    "They said no on {wrote_on}. Thank them for the answer, offer nothing more, ask what would have \
                     to be different, and whether they want to hear from us now and then."
                ),
                _ => write!(
                    f,
                    "Nothing heard since {wrote_on}. Ask whether it reached them, {offer}, and ask them in so many \
                     words to buy again."
                ),
            },
            Phrase::AfterApology { on } => write!(
                f,
                "We apologised on {on}. Make sure that it has been put right, say once more what has changed, and ask \
                 them to buy from us again."
            ),
            Phrase::KeepInTouch { declined_on } => {
                if let Some(day) = declined_on {
                    write!(f, "They said no on {day}. ")?;
                }
                f.write_str(
                    "Let them hear of us: what is new here that they would care for. Offer nothing, ask for nothing, \
                     and say that they are welcome.",
                )
            }
            Phrase::ReferAfterReturn { returned_on } => write!(
                f,
                "They bought again on {returned_on}, gladly. Thank them, and ask whom they know who would like what \
                 we do; enter who comes in referred_id."
            ),
            Phrase::ReferAfterParting { parted_on } => write!(
                f,
                "We parted as friends on {parted_on}. Thank them once more, and ask whom they know who would like \
                 what we do; enter who comes in referred_id."
            ),
        }
    }
}
