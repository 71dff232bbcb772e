//! The program that says what is to be done today, as a team that wins customers back runs it.

use std::fs;
use std::path::Path;

use winback::evidence::Cause;
use winback::winback::{Arm, Decision, FirstStep, Measured, PlanSheet, PlannedCustomer};

use crate::cli::{example, run, run_well};
use crate::support::{TempDir, day};

fn planned(id: &str, arm: Arm, first: &str) -> PlannedCustomer {
    PlannedCustomer {
        offer: Some("ten-off".to_owned()),
        arm,
        stratum: Some("all".to_owned()),
        campaign: Some("spring".to_owned()),
        primary_outcome: Some(Measured::Returned),
        measure_until: Some(day("2024-12-31")),
        cost_amount: Some(1.0),
        cause: Cause::Price,
        first_step: Some(FirstStep::parse(first).unwrap()),
        first_step_on: Some(day("2024-07-01")),
        ..PlannedCustomer::new(id, Decision::Pursue, day("2024-06-30"))
    }
}

const INVITE: &str = "invite by phone until 2024-08-01: Thank them, and ask them to buy again.";

fn write(folder: &TempDir, rows: Vec<PlannedCustomer>) {
    PlanSheet::new(rows).unwrap().write(folder.path("plan.csv")).unwrap();
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The steps of a day: customer, due, step, channel, offer, text.
#[track_caller]
fn steps(folder: &TempDir, as_of: &str, contacts: &str, more: &[&str]) -> Vec<Vec<String>> {
    let header = "customer_id,on,step,channel,answer,promised,promise_due,kept_on\n";
    let contacts = folder.write("contacts.csv", format!("{header}{contacts}"));
    let (plan, contacts, out) =
        (text(&folder.path("plan.csv")), text(&contacts), text(&folder.path("steps.csv")));
    let own = ["--plan", &plan, "--contacts", &contacts, "--as-of", as_of, "--out", &out];
    run_well(&example("schedule"), &[own.as_slice(), more].concat());
    let bytes = fs::read(&out).unwrap();
    run_well(&example("schedule"), &[own.as_slice(), more].concat());
    assert_eq!(bytes, fs::read(&out).unwrap(), "the same bytes again");
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(header, ["customer_id", "due_on", "step", "channel", "offer", "text"]);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// Customer, due day and step of each.
#[track_caller]
fn short(folder: &TempDir, as_of: &str, contacts: &str, more: &[&str]) -> Vec<String> {
    steps(folder, as_of, contacts, more).iter().map(|row| row[..3].join(" ")).collect()
}

#[test]
fn a_story_over_weeks() {
    let folder = TempDir::new();
    write(&folder, vec![planned("a", Arm::Treated, INVITE), planned("b", Arm::Holdout, INVITE)]);
    let orders =
        folder.write("orders.csv", "customer_id,ordered_on\na,2024-01-05\nb,2024-01-07\na,2025-02-01\n");
    let orders = ["--orders".to_owned(), text(&orders)];
    let orders: Vec<&str> = orders.iter().map(String::as_str).collect();
    let check = |as_of: &str, contacts: &str, expected: &[&str]| {
        assert_eq!(short(&folder, as_of, contacts, &orders), expected, "{as_of}");
    };
    // Nothing before the first step; it stays due until it is done.
    check("2024-06-30", "", &[]);
    check("2024-07-01", "", &["a 2024-07-01 invite"]);
    check("2024-07-04", "", &["a 2024-07-01 invite"]);
    // Contacted on the 2nd, no answer: followed up a week later, not before.
    let first = "a,2024-07-02,invite,phone,none,,,\n";
    check("2024-07-08", first, &[]);
    check("2024-07-09", first, &["a 2024-07-09 follow_up"]);
    let row = &steps(&folder, "2024-07-09", first, &orders)[0];
    assert_eq!((row[3].as_str(), row[4].as_str()), ("phone", "ten-off"));
    assert!(row[5].contains("holds until 2024-08-01") && row[5].contains("buy again"), "{row:?}");
    // A no: one friendly question a fortnight later, then a slower rhythm.
    let no = format!("{first}a,2024-07-10,follow_up,phone,declined,,,\n");
    check("2024-08-23", &no, &[]);
    check("2024-10-08", &no, &["a 2024-10-08 keep_in_touch"]);
    let at_once = "a,2024-07-02,invite,phone,declined,,,\n";
    check("2024-07-15", at_once, &[]);
    check("2024-07-16", at_once, &["a 2024-07-16 follow_up"]);
    let touched = format!("{no}a,2024-10-09,keep_in_touch,phone,none,,,\n");
    check("2025-01-06", &touched, &[]);
    check("2025-01-07", &touched, &["a 2025-01-07 keep_in_touch"]);
    assert!(steps(&folder, "2025-01-07", &touched, &orders)[0][5].contains("said no on 2024-07-10"));
    // The order of 1 February stops it, on that day and later.
    check("2025-01-31", &touched, &["a 2025-01-07 keep_in_touch"]);
    check("2025-02-01", &touched, &[]);
    check("2025-06-01", &touched, &[]);
    // Had they said yes, they would be asked whom they know.
    let yes = "a,2024-07-02,invite,phone,accepted,,,\n";
    check("2024-07-09", yes, &["a 2024-07-09 follow_up"]);
    check("2025-02-14", yes, &[]);
    check("2025-02-15", yes, &["a 2025-02-15 refer"]);
    check("2025-03-15", &format!("{yes}a,2025-02-16,refer,phone,none,,,\n"), &[]);
    // Opting out ends everything, promises too.
    let out = "a,2024-07-02,invite,phone,opted_out,a call,2024-07-03,\n";
    check("2024-07-09", out, &[]);
    check("2025-02-15", out, &[]);
}

#[test]
fn promises_come_first_and_overdue_ones_say_so() {
    let folder = TempDir::new();
    write(&folder, ["a", "b", "c"].map(|id| planned(id, Arm::Treated, INVITE)).to_vec());
    let contacts = "b,2024-07-02,invite,phone,accepted,a new lamp.,2024-07-05,\n\
                    a,2024-07-02,invite,phone,none,a call,2024-07-08,\n";
    let rows = steps(&folder, "2024-07-08", contacts, &["--capacity", "phone=1"]);
    let found: Vec<String> = rows.iter().map(|row| row[..3].join(" ")).collect();
    // c has to wait for the two.
    assert_eq!(found, ["b 2024-07-05 promise", "a 2024-07-08 promise", "c 2024-07-10 invite"]);
    assert!(rows[0][5].contains("3 days overdue: a new lamp. Do it today"), "{rows:?}");
    let kept = contacts
        .replace("2024-07-05,", "2024-07-05,2024-07-06")
        .replace("2024-07-08,", "2024-07-08,2024-07-08");
    assert_eq!(short(&folder, "2024-07-08", &kept, &[]), ["c 2024-07-01 invite"]);
    // What is kept only later was not kept by then.
    assert_eq!(short(&folder, "2024-07-07", &kept, &[]).len(), 1);
    assert_eq!(short(&folder, "2024-07-05", &kept, &[])[0], "b 2024-07-05 promise");
}

#[test]
fn an_incident_opens_a_case_even_for_who_still_buys() {
    let folder = TempDir::new();
    let active = PlannedCustomer::new("buys", Decision::LeaveAlone, day("2024-06-30"));
    let barred = PlannedCustomer::new("barred", Decision::Suppressed, day("2024-06-30"));
    write(
        &folder,
        vec![active, barred, planned("held", Arm::Holdout, INVITE), planned("t", Arm::Treated, INVITE)],
    );
    let incidents = "customer_id,occurred_on,kind\nbuys,2024-07-10,late_delivery\nbarred,2024-07-10,complaint\n\
                     held,2024-07-10,service_failure\nt,2024-07-10,service_failure\nbuys,2024-07-09,unpaid\n\
                     buys,2024-08-30,praise\n";
    let incidents = text(&folder.write("incidents.csv", incidents));
    let orders =
        "customer_id,ordered_on\nbuys,2024-07-01\nt,2024-01-01\nheld,2024-01-01\nbarred,2024-01-02\n";
    let orders = text(&folder.write("orders.csv", orders));
    let more = ["--incidents", &incidents, "--orders", &orders];
    assert_eq!(short(&folder, "2024-07-10", "", &more), ["t 2024-07-01 invite"; 0]);
    let rows = steps(&folder, "2024-07-11", "", &more);
    let found: Vec<String> = rows.iter().map(|row| row[..4].join(" ")).collect();
    assert_eq!(found, ["buys 2024-07-11 apologise phone", "t 2024-07-11 apologise phone"]);
    for part in ["came late", "our mistake", "has been changed", "Thank them", "buy from us again"] {
        assert!(rows[0][5].contains(part), "{part}: {rows:?}");
    }
    // Spoken to: followed up, and then for who is not in the plan it is done.
    let spoken = "buys,2024-07-12,apologise,phone,none,,,\nt,2024-07-12,apologise,phone,none,,,\n";
    assert_eq!(short(&folder, "2024-07-18", spoken, &more), ["t 2024-07-17 invite"]);
    assert_eq!(
        short(&folder, "2024-07-19", spoken, &more),
        ["t 2024-07-17 invite", "buys 2024-07-19 follow_up"]
    );
    let done = format!("{spoken}buys,2024-07-19,follow_up,phone,none,,,\n");
    assert_eq!(short(&folder, "2024-12-01", &done, &more), ["t 2024-07-17 invite"]);
    // A complaint in an answer is a mistake too.
    let complained = "t,2024-07-11,invite,phone,complained,,,\n";
    let rows = steps(&folder, "2024-07-12", complained, &more);
    assert!(rows[1][5].contains("On 2024-07-11 they complained"), "{rows:?}");
    assert_eq!(rows[1][2], "apologise");
}

#[test]
fn asking_first_partings_and_keeping_in_touch() {
    let folder = TempDir::new();
    let with = |id: &str, decision, step: &str| PlannedCustomer {
        first_step: Some(FirstStep::parse(step).unwrap()),
        first_step_on: Some(day("2024-07-01")),
        ..PlannedCustomer::new(id, decision, day("2024-06-30"))
    };
    write(
        &folder,
        vec![
            planned("asked", Arm::Treated, "ask by email until 2024-08-01: Ask why they left."),
            with("friend", Decision::PartAmicably, "part by email: Thank them."),
            with("=silent", Decision::PartAmicably, "part by email: Thank them."),
            with("touch", Decision::KeepInTouch, "keep_in_touch by email: Let them hear of us."),
        ],
    );
    let first = short(&folder, "2024-07-01", "", &[]);
    assert_eq!(
        first,
        [
            "asked 2024-07-01 ask",
            "friend 2024-07-01 part",
            "'=silent 2024-07-01 part",
            "touch 2024-07-01 keep_in_touch",
        ]
    );
    let done = "asked,2024-07-01,ask,email,accepted,,,\nfriend,2024-07-01,part,email,accepted,,,\n\
                '=silent,2024-07-01,part,email,none,,,\ntouch,2024-07-01,keep_in_touch,email,none,,,\n";
    assert_eq!(short(&folder, "2024-07-05", done, &[]), [""; 0]);
    let rows = steps(&folder, "2024-07-06", done, &[]);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][2], "invite");
    assert!(rows[0][5].contains("offer ten-off, and say that it holds until 2024-08-01"), "{rows:?}");
    assert_eq!(short(&folder, "2024-07-15", done, &[])[1..], ["friend 2024-07-15 refer"]);
    assert_eq!(short(&folder, "2024-09-29", done, &[])[2..], ["touch 2024-09-29 keep_in_touch"]);
    // Too late for the offer: it is not promised any more.
    let late = steps(&folder, "2024-08-02", "", &[]);
    assert!(late[0][5].contains("it held until 2024-08-01"), "{late:?}");
}

#[test]
fn capacity_spreads_steps_over_days_and_none_is_lost() {
    let folder = TempDir::new();
    let mut rows: Vec<PlannedCustomer> =
        (0..7).map(|id| planned(&format!("p{id}"), Arm::Treated, INVITE)).collect();
    rows[5].expected_profit_amount = Some(50.0);
    rows.push(planned("mail", Arm::Treated, "invite by email: Write to them."));
    write(&folder, rows);
    let found = short(&folder, "2024-07-03", "", &["--capacity", "phone=3"]);
    assert_eq!(
        found,
        [
            "mail 2024-07-01 invite",
            "p0 2024-07-01 invite",
            "p1 2024-07-01 invite",
            "p5 2024-07-01 invite",
            "p2 2024-07-04 invite",
            "p3 2024-07-04 invite",
            "p4 2024-07-04 invite",
            "p6 2024-07-05 invite",
        ]
    );
    // No room at all closes a channel.
    assert_eq!(short(&folder, "2024-07-03", "", &["--capacity", "phone=0"]), ["mail 2024-07-01 invite"]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let folder = TempDir::new();
    write(&folder, vec![planned("a", Arm::Treated, INVITE)]);
    let (plan, out) = (text(&folder.path("plan.csv")), text(&folder.path("steps.csv")));
    let refused = |more: &[&str], code: i32, expected: &str| {
        let own = ["--plan", &plan, "--as-of", "2024-07-03"];
        let output = run(&example("schedule"), &[own.as_slice(), more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!folder.path("steps.csv").exists());
    };
    refused(&["--out", &plan], 1, "it is one of the inputs");
    refused(&["--out", &out, "--capacity", "phone=-1"], 2, "expected CHANNEL=N");
    refused(&["--out", &out, "--capacity", "phon=3"], 2, "channel `phon`, where the channels are: `phone`");
    refused(&["--out", "steps.txt"], 2, "ends in .csv or .parquet");
    refused(&["--out", &out, "--contacts", "none.csv"], 1, "no such file");
    let bad = text(&folder.write("bad.csv", "customer_id,on,answer\na,2024-07-01,maybe\na,soon,none\n"));
    refused(&["--out", &out, "--contacts", &bad], 1, "row 2: `soon`");
}
