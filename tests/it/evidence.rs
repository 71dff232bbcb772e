//! The business's own tables: every row is kept or named, every customer known or listed.

use polars::df;
use winback::error::{FaultKind, Notice};
use winback::evidence::{Answer, Cause, Contacts, Evidence, Reasons, TableParams};
use winback::history::InvalidRows;
use winback::{Error, History};

use crate::support::{TempDir, day, orders};

fn log() -> History {
    let orders_frame = df![
        "customer_id" => ["007", "8", "9"],
        "ordered_on" => ["2024-01-05", "2024-02-01", "2024-03-01"],
        "amount" => [1.0, 2.0, 3.0],
    ];
    orders().from_frame(&orders_frame.unwrap()).unwrap()
}

fn dropping() -> TableParams {
    TableParams::default().with_invalid_rows(InvalidRows::Drop)
}

const TABLE: &str = "customer_id,reason,lost_on,source,inclusion_probability,mood\n\
    007,Price,2024-02-01,survey,0.5,bad\n\
    7,Price,,survey,,\n\
    8,,2024-03-01,call,,\n\
    8.0,Price,,call,,\n\
    9,Q-1,2024-01-01,staff,,\n\
    9,Q-1,yesterday,staff,1.5,\n\
    9,Q-1,,staff,,\n\
    9,competitor,2024-05-01,survey,,\n\
    short,row\n";

#[test]
fn a_table_with_faults_is_refused_with_all_of_them() {
    let folder = TempDir::new();
    let path = folder.write("reasons.csv", TABLE);
    let error = Reasons::params().read(&path, &log()).unwrap_err();
    let text = folder.short(&error);
    assert_eq!(
        text,
        "some rows cannot be used: correct them, or drop invalid rows\n\
        9 rows read from reasons.csv, 4 without faults, 5 with\n  \
        1 row: the number of fields differs from the header's\n    \
        reasons.csv row 9: 2 fields instead of 6\n    \
        check the separator and quoting of these lines\n  \
        1 row: customer id is a number with a decimal point (column `customer_id`)\n    \
        reasons.csv row 4: `8.0`\n    \
        write ids as text or integers (17850, not 17850.0): a float column cannot hold every id\n  \
        1 row: date cannot be read (column `lost_on`)\n    \
        reasons.csv row 6: `yesterday`\n    \
        write dates as YYYY-MM-DD, or give the date format\n  \
        1 row: field is empty (column `reason`)\n    \
        reasons.csv row 3: null\n    \
        fill it in, or drop invalid rows\n  \
        1 row: probability is not a number above 0 and at most 1 (column `inclusion_probability`)\n    \
        reasons.csv row 6: `1.5`\n    \
        write the chance of being asked, such as 0.05; leave it empty for who was not drawn\n  \
        1 row: date lies before the customer's first purchase (column `lost_on`)\n    \
        reasons.csv row 5: `2024-01-01, bought first on 2024-03-01`\n    \
        correct the date or the customer, or drop invalid rows\n  \
        note: 1 row after 2024-03-01 set aside\n  \
        note: column `mood` not read; check for misspelt names"
    );
}

#[test]
fn what_is_left_is_counted_and_nobody_is_guessed() {
    let folder = TempDir::new();
    let path = folder.write("reasons.csv", TABLE);
    let history = log();
    let reasons = Reasons::params().with_table(dropping()).read(&path, &history).unwrap();
    // Rows 1, 2, 7 and 8; that of the unknown customer is kept.
    assert_eq!(reasons.rows().len(), 4);
    // Customer 8 stands in dropped rows only.
    let ids = reasons.report().ids.as_ref().unwrap();
    assert_eq!((ids.matched, ids.unmatched.len()), (2, 1));
    assert_eq!((ids.unmatched[0].id.as_str(), ids.unmatched[0].rows.as_slice()), ("7", [2].as_slice()));
    assert_eq!(reasons.causes(&history), [Some(Cause::Price), None, Some(Cause::Competitor)]);
    assert_eq!(reasons.known_by(day("2024-04-30")).causes(&history)[2], Some(Cause::Unknown));
    assert_eq!(reasons.unmapped().len(), 1);
    let mapped = Reasons::params().with_table(dropping()).with_code("q 1", Cause::ServiceFailure);
    let mapped = mapped.read(&path, &history).unwrap();
    assert!(mapped.unmapped().is_empty());
    let misreporting = mapped.misreporting();
    assert_eq!((misreporting.customers, misreporting.contradicted), (1, 1));
    assert_eq!(misreporting.pairs[0].sources, ("staff".to_owned(), "survey".to_owned()));
    assert!(Evidence::default().with_reasons(mapped).reasons().is_some());
}

#[test]
fn every_faulty_row_is_listed_and_a_few_are_shown() {
    let rows = 40;
    let table = df![
        "customer_id" => vec!["9"; rows],
        "reason" => vec![None::<&str>; rows],
    ];
    let Err(Error::InvalidRows { report }) = Reasons::params().from_frame(&table.unwrap(), &log()) else {
        panic!("rows without a reason were taken");
    };
    assert_eq!(report.faults[0].kind, FaultKind::MissingText);
    assert_eq!(report.faults[0].examples.len(), rows);
    assert!(report.to_string().contains("row 5: null\n    and 35 more"));
}

#[test]
fn ids_are_compared_by_canonical_text_whatever_their_type() {
    let table = df!["customer_id" => [8_i64, 7], "reason" => ["moved", "moved"], "Lost_on" => ["", ""]];
    let reasons = Reasons::params().from_frame(&table.unwrap(), &log()).unwrap();
    assert_eq!(reasons.causes(&log()), [None, Some(Cause::NoLongerNeeded), None]);
    assert_eq!(reasons.report().input.notices, [Notice::UnreadColumns { columns: vec!["Lost_on".into()] }]);
    // Floats are refused with advice, and a needed column that is missing by name.
    let table = df!["customer_id" => [8.0], "reason" => ["moved"]].unwrap();
    let error = Reasons::params().from_frame(&table, &log()).unwrap_err().to_string();
    assert!(error.contains("write ids as integers or text"), "{error}");
    let table = df!["customer_id" => ["8"], "why" => ["moved"]].unwrap();
    let error = Reasons::params().from_frame(&table, &log()).unwrap_err().to_string();
    assert_eq!(error, "frame: no column `reason`; found `customer_id`, `why`");
    let table = df!["customer_id" => ["x"], "reason" => ["moved"]].unwrap();
    let said = Reasons::params().from_frame(&table, &log()).unwrap().to_string();
    assert!(said.contains("the log's ids look like `007`: are both written alike?"), "{said}");
}

#[test]
fn a_table_without_rows_is_no_error() {
    let table = df!["customer_id" => Vec::<String>::new(), "reason" => Vec::<String>::new()].unwrap();
    let reasons = Reasons::params().from_frame(&table, &log()).unwrap();
    assert_eq!(reasons.causes(&log()), [None, None, None]);
}

#[test]
fn contacts_are_read_as_documented_and_their_faults_told_at_once() {
    let folder = TempDir::new();
    let good = "customer_id,on,step,channel,offer,answer,promised,promise_due,kept_on,redeemed_amount,referred_id\n\
                8,2011-06-01,invite,phone,ten-off,,a new lamp,2011-06-10,2011-06-09,10,12\n\
                'x9,2011-06-02,call,,,Opted-out,,,,,\n";
    let file = folder.write("contacts.csv", good);
    let contacts = Contacts::read(&file, &TableParams::default(), &log()).unwrap();
    let [first, second] = contacts.rows() else { panic!("two contacts") };
    assert_eq!((first.answer, first.referred_id.as_deref()), (Answer::None, Some("12")));
    let promise = first.promise.as_ref().unwrap();
    assert_eq!((promise.what.as_str(), promise.due.to_string()), ("a new lamp", "2011-06-10".to_owned()));
    assert_eq!((second.answer, second.customer_id.as_str()), (Answer::OptedOut, "'x9"));
    // Nobody in the log is called that; among these ids, one is.
    assert_eq!(contacts.report().ids.as_ref().unwrap().unmatched.len(), 1);
    let among = Contacts::read_among(&file, &TableParams::default(), ["8", "x9"]).unwrap();
    assert_eq!(among.rows()[1].customer_id, "x9");
    assert_eq!(among.report().ids.as_ref().unwrap().matched, 2);
    let both = Contacts::read_among(&file, &TableParams::default(), ["x9", "'x9"]).unwrap();
    assert_eq!(both.rows()[1].customer_id, "'x9");

    let bad = "customer_id,on,answer,promised,promise_due,kept_on,redeemed_amount\n\
               8,2011-06-01,perhaps,,,,\n8,,none,,,,\n8,2011-06-01,none,,2011-06-03,,\n\
               8,2011-06-01,none,a call,,,\n8,2011-06-01,none,a call,2011-05-01,2011-05-01,\n\
               8,2011-06-01,none,,,,-3\n";
    let file = folder.write("bad.csv", bad);
    let said = Contacts::read(&file, &TableParams::default(), &log()).unwrap_err().to_string();
    for part in [
        "row 1: `perhaps`",
        "row 2: null",
        "`promised`",
        "row 3: `null`",
        "`promise_due`",
        "row 4: `null`",
        "row 5: `2011-05-01, before 2011-06-01`",
        "`kept_on`",
        "row 6: `-3`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}
