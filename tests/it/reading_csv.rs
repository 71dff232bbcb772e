//! What shape may a CSV file have, and what does it mean?

use winback::history::{HistoryParams, InvalidRows};
use winback::{Columns, Error, History};

use crate::support::{TempDir, assert_same, day, lines, orders};

/// The file is read and holds these purchases.
#[track_caller]
fn check(params: &HistoryParams, csv: impl AsRef<[u8]>, expected: &[&str]) -> History {
    let dir = TempDir::new();
    let history = params.read_csv([dir.write("log.csv", csv)]).expect("a log that can be read");
    assert_eq!(lines(&history), expected);
    history
}

/// The file is refused with these words.
#[track_caller]
fn refused(params: &HistoryParams, csv: impl AsRef<[u8]>, expected: &str) -> Error {
    let dir = TempDir::new();
    let error = params.read_csv([dir.write("log.csv", csv)]).expect_err("a log that cannot be read");
    assert_eq!(dir.short(&error), expected);
    error
}

#[test]
fn ids_are_text_and_nothing_else() {
    // An id that looks like a number among others that do not must not become one.
    let history = check(
        &orders(),
        "customer_id,ordered_on,amount\nC536379,2024-01-02,5\n536365,2024-01-01,1\n99,2024-01-03,2\n\
         0099,2024-01-03,3\n 99,2024-01-03,4\n99 ,2024-01-03,6\n1e3,2024-01-03,7\n+99,2024-01-03,8\n",
        &[
            " 99 2024-01-03 4 0",
            "+99 2024-01-03 8 0",
            "0099 2024-01-03 3 0",
            "1e3 2024-01-03 7 0",
            "536365 2024-01-01 1 0",
            "99 2024-01-03 2 0",
            "99  2024-01-03 6 0",
            "C536379 2024-01-02 5 0",
        ],
    );
    assert_eq!(history.customers(), 8);
    assert_eq!(history.to_frame().unwrap().column("customer_id").unwrap().dtype().to_string(), "str");
}

#[test]
fn case_is_not_folded_and_composed_letters_differ() {
    check(
        &orders(),
        "customer_id,ordered_on,amount\nö,2024-01-01,1\no\u{308},2024-01-01,2\nÖ,2024-01-01,3\nO,2024-01-01,4\n",
        &["O 2024-01-01 4 0", "o\u{308} 2024-01-01 2 0", "Ö 2024-01-01 3 0", "ö 2024-01-01 1 0"],
    );
}

#[test]
fn any_ascii_separator() {
    for separator in [',', ';', '\t', '|', ' ', '\u{1}'] {
        let csv = "customer_id,ordered_on,amount\n7,2024-01-01,1.5\n".replace(',', &separator.to_string());
        check(&orders().with_separator(separator as u8), csv, &["7 2024-01-01 1.5 0"]);
    }
}

#[test]
fn a_separator_that_cannot_be_one_is_refused() {
    for (separator, shown) in [(b'"', r#"'"'"#), (b'\n', r"'\n'"), (b'\r', r"'\r'"), (0xE9, "'é'")] {
        let expected =
            format!("separator is {shown}, expected one ASCII character other than a quote or a line end");
        refused(&orders().with_separator(separator), "", &expected);
    }
}

#[test]
fn decimal_comma() {
    let params = orders().with_separator(b';').with_decimal_comma(true);
    check(
        &params,
        "customer_id;ordered_on;amount\n7;2024-01-01;12,50\n7;2024-01-02;3\n7;2024-01-03;-0,5\n7;2024-01-04; 1,25 \n",
        &["7 2024-01-01 12.5 0", "7 2024-01-02 3 0", "7 2024-01-04 1.25 0"],
    );
    // A point could be a decimal sign or a mark of thousands: neither is guessed.
    refused(
        &params,
        "customer_id;ordered_on;amount\n7;2024-01-01;1.234,50\n7;2024-01-02;1.5\n7;2024-01-03;1,2,3\n",
        "some rows cannot be used: correct them, or drop invalid rows\n3 rows read from log.csv, 0 without faults, 3 with\n  3 rows: amount is not a number (column `amount`)\n    log.csv row 1: `1.234,50`\n    log.csv \
         row 2: `1.5`\n    log.csv row 3: `1,2,3`\n    write plain numbers such as 1234.56 without thousands signs, and say \
         whether the decimal sign is a comma",
    );
}

#[test]
fn mark_line_ends_and_quotes_change_nothing() {
    let dir = TempDir::new();
    let plain = "customer_id,ordered_on,amount\n7,2024-01-01,1.5\n8,2024-01-02,2\n";
    let read = |name: &str, csv: String| orders().read_csv([dir.write(name, csv)]).expect("a log");
    let expected = read("plain.csv", plain.to_owned());
    let quoted =
        "\"customer_id\",\"ordered_on\",\"amount\"\n\"7\",\"2024-01-01\",\"1.5\"\n8,2024-01-02,\"2\"";
    for (name, csv) in [
        ("mark.csv", format!("\u{feff}{plain}")),
        ("windows.csv", plain.replace('\n', "\r\n")),
        ("old-mac.csv", plain.replace('\n', "\r")),
        ("mark-windows.csv", format!("\u{feff}{}", plain.replace('\n', "\r\n"))),
        ("no-last-line-end.csv", plain.trim_end().to_owned()),
        ("blank-lines.csv", plain.replace('\n', "\n\n\r\n")),
        ("quoted.csv", quoted.to_owned()),
        ("mark-quoted.csv", format!("\u{feff}{quoted}")),
        (
            "other-columns.csv",
            plain.replace("\n8", ",\n8").replace("amount", "amount,note").trim().to_owned() + ",x\n",
        ),
    ] {
        let history = read(name, csv);
        assert_same(&history, &expected);
        assert_eq!(history.report().rows_read, 2, "{name}");
    }
}

#[test]
fn columns_are_found_by_name_in_any_order() {
    check(
        &History::params(Columns::new("Kunde", "Tag der Bestellung").with_amount("Betrag, netto")),
        "\"Betrag, netto\",unused,Tag der Bestellung,Kunde\n1.5,x,2024-01-01,7\n",
        &["7 2024-01-01 1.5 0"],
    );
}

#[test]
fn quoted_ids_may_hold_anything() {
    let history = check(
        &orders(),
        "customer_id,ordered_on,amount\n\"a\nb\",2024-01-01,1\n\"say \"\"hi\"\"\",2024-01-01,2\n\"x,y\",2024-01-01,3\n\
         \"nul\0\",2024-01-01,4\nnul,2024-01-01,5\n",
        &[
            "a\nb 2024-01-01 1 0",
            "nul 2024-01-01 5 0",
            "nul\0 2024-01-01 4 0",
            "say \"hi\" 2024-01-01 2 0",
            "x,y 2024-01-01 3 0",
        ],
    );
    assert_eq!(history.report().rows_read, 5);
}

#[test]
fn a_quote_that_is_never_closed_swallows_no_rows() {
    // Everything after it is one field: without a check, a column nobody reads would take the rest
    // of the log with it.
    let open = "customer_id,ordered_on,amount,note\n7,2024-01-01,1,\"2\nrows\"\n7,2024-01-02,1,\"2 inches\n";
    let words = "log.csv: cannot be read: the quote that opens in row 2 is never closed; close it, or double it inside \
                 a quoted field";
    for rest in [
        "8,2024-01-01,1,\n9,2024-01-01,1,x\n",
        "8,2024-01-01,1,\"\"x",
        "",
        "8,2024-01-01,1,say \"\"hi\"\"\r\n",
    ] {
        refused(&orders(), format!("{open}{rest}"), words);
    }
    // Quotes in the middle of a field, and fields of several lines, are fine.
    for last in ["\"two\nlines\"", "\"two\nlines\"\n", "5\" pipe\n", "\"a\n5\"\" pipe\"\r\n\r\n", "\"a\nb\"c"]
    {
        check(
            &orders(),
            format!("customer_id,ordered_on,amount,note\n7,2024-01-01,1,\n8,2024-01-02,2,{last}"),
            &["7 2024-01-01 1 0", "8 2024-01-02 2 0"],
        );
    }
}

#[test]
fn an_id_of_a_megabyte_is_an_id() {
    let long = "7".repeat(1 << 20);
    check(
        &orders(),
        format!(
            "customer_id,ordered_on,amount\n{long},2024-01-01,1\n{long}8,2024-01-01,2\n{long},2024-01-02,3\n"
        ),
        &[
            &format!("{long} 2024-01-01 1 0"),
            &format!("{long} 2024-01-02 3 0"),
            &format!("{long}8 2024-01-01 2 0"),
        ],
    );
}

#[test]
fn a_long_faulty_value_is_cut_in_the_report() {
    let long = "9".repeat(1 << 20);
    refused(
        &orders(),
        format!("customer_id,ordered_on,amount\n7,{long},1\n"),
        &format!(
            "some rows cannot be used: correct them, or drop invalid rows\n1 row read from log.csv, 0 without faults, 1 with\n  1 row: date cannot be read (column `ordered_on`)\n    log.csv row 1: `{}…`\n    write dates \
             as YYYY-MM-DD, or give the date format",
            "9".repeat(60)
        ),
    );
}

#[test]
fn an_empty_file_has_no_columns() {
    refused(
        &orders(),
        "",
        "log.csv: cannot be read: it is empty; expected a line of column names and rows below it",
    );
    refused(
        &orders(),
        "\n\r\n\n",
        "log.csv: cannot be read: it is empty; expected a line of column names and rows below it",
    );
}

#[test]
fn a_header_alone_is_no_log() {
    let words = "no orders to work with: expected at least one usable row\n0 rows read from log.csv, 0 without faults, 0 with";
    let error = refused(&orders(), "customer_id,ordered_on,amount\n", words);
    assert!(matches!(error, Error::NoOrders { .. }));
    refused(&orders().with_invalid_rows(InvalidRows::Drop), "customer_id,ordered_on,amount", words);
}

#[test]
fn missing_columns_are_named_all_at_once() {
    refused(
        &History::params(
            Columns::new("customer_id", "ordered_on").with_amount("total").with_segments(["store"]),
        ),
        "customer_id,day,amount\n7,2024-01-01,1\n",
        "log.csv: no column `ordered_on`, `total`, `store`; found `customer_id`, `day`, `amount`",
    );
    refused(
        &orders(),
        "Customer_ID,ordered_on ,amount\n",
        "log.csv: no column `customer_id`, `ordered_on`; found `Customer_ID`, `ordered_on `, `amount`",
    );
}

#[test]
fn a_long_header_is_shown_in_part() {
    let header: Vec<String> = (1..=25).map(|number| format!("c{number}")).collect();
    let shown: Vec<String> = header[..20].iter().map(|name| format!("`{name}`")).collect();
    refused(
        &orders(),
        header.join(","),
        &format!(
            "log.csv: no column `customer_id`, `ordered_on`, `amount`; found {} and 5 more",
            shown.join(", ")
        ),
    );
}

#[test]
fn a_header_cut_at_the_wrong_character_brings_advice() {
    let names = "`customer_id`, `ordered_on`, `amount`";
    for (separator, name, shown) in [(';', "semicolon", "';'"), ('\t', "tab", r"'\t'"), ('|', "bar", "'|'")] {
        let header = ["customer_id", "ordered_on", "amount"].join(&separator.to_string());
        refused(
            &orders(),
            &header,
            &format!(
                "log.csv: no column {names}; found `{}`; the header holds a {name}: try {shown} as the separator",
                header.escape_debug()
            ),
        );
    }
    refused(
        &orders().with_separator(b';'),
        "customer_id,ordered_on,amount\n",
        &format!(
            "log.csv: no column {names}; found `customer_id,ordered_on,amount`; the header holds a comma: try ',' \
             as the separator"
        ),
    );
}

#[test]
fn a_named_column_stands_once() {
    refused(
        &orders(),
        "customer_id,ordered_on,amount,amount\n7,2024-01-01,1,2\n",
        "log.csv: column `amount` stands 2 times; rename all but one",
    );
    // Columns that are not read may be named as they like.
    check(&orders(), "customer_id,ordered_on,amount,x,x\n7,2024-01-01,1,2,3\n", &["7 2024-01-01 1 0"]);
}

#[test]
fn one_column_serves_one_role() {
    refused(
        &History::params(Columns::new("id", "day").with_amount("total").with_discount("total")),
        "id,day,total\n",
        "columns is `total` in two roles, expected one role per column",
    );
}

#[test]
fn iso_dates_count_as_the_date_they_show() {
    let csv = |date: &str| format!("customer_id,ordered_on,amount\n7,\"{date}\",1\n");
    for date in [
        "2011-12-31",
        " 2011-12-31 ",
        "2011-12-31 23:59",
        "2011-12-31T23:59:59Z",
        "2011-12-31T23:59:59.999999-11:00",
        "2011-12-31T00:00:00+14:00",
        "2011-12-31 00:30:00 +0200",
        "2011-12-31 24:00:00",
    ] {
        check(&orders(), csv(date), &["7 2011-12-31 1 0"]);
    }
    for date in ["2012-02-29", "2000-02-29", "1900-01-01", "2200-12-31"] {
        check(&orders(), csv(date), &[&format!("7 {date} 1 0")]);
    }
}

#[test]
fn dates_in_a_given_format() {
    for (format, text) in [
        ("%d.%m.%Y", "31.12.2011"),
        ("%d/%m/%y", "31/12/11"),
        ("%m/%d/%Y %H:%M", "12/31/2011 8:26"),
        ("%Y%m%d", "20111231"),
        ("%B %d, %Y", "December 31, 2011"),
        // The offset of the text, not the reader's: still the date it shows.
        ("%Y-%m-%dT%H:%M:%S%z", "2011-12-31T00:30:00+1100"),
        ("%s", "1325375999"),
    ] {
        let csv = format!("customer_id,ordered_on,amount\n7,\"{text}\",1\n");
        check(&orders().with_date_format(format), csv, &["7 2011-12-31 1 0"]);
    }
    for format in ["%Q", "", "day"] {
        let expected = format!(
            "date format is `{format}`, expected strftime codes for a day, month and year, such as %d.%m.%Y"
        );
        refused(&orders().with_date_format(format), "customer_id,ordered_on,amount\n", &expected);
    }
}

#[test]
fn one_customer_is_a_log() {
    let history =
        check(&orders(), "customer_id,ordered_on,amount\nonly,2024-02-29,1e2\n", &["only 2024-02-29 100 0"]);
    assert_eq!((history.customers(), history.purchases()), (1, 1));
    assert_eq!((history.observed_from(), history.observed_until()), (day("2024-02-29"), day("2024-02-29")));
}

#[test]
fn a_log_of_refunds_has_customers_and_no_purchase() {
    let history = check(&orders(), "customer_id,ordered_on,amount\n7,2024-01-01,-1\n8,2024-01-02,-2\n", &[]);
    assert_eq!((history.customers(), history.purchases()), (2, 0));
    assert_eq!(history.observed_until(), day("2024-01-02"));
    assert_eq!(history.to_frame().unwrap().width(), 4);
}

#[test]
fn amounts_discounts_and_segments_are_read_where_they_are_named() {
    let csv = "customer_id,ordered_on,amount,discount,store\n7,2024-01-01,1,0.5,b\n8,2024-01-01,1,,a\n9,2024-01-01,1,1,\n";
    let bare = check(
        &History::params(Columns::new("customer_id", "ordered_on")),
        csv,
        &["7 2024-01-01", "8 2024-01-01", "9 2024-01-01"],
    );
    assert_eq!(bare.segment_values("store"), None);
    let columns =
        Columns::new("customer_id", "ordered_on").with_discount("discount").with_segments(["store"]);
    let full = check(&History::params(columns), csv, &["7 2024-01-01", "8 2024-01-01", "9 2024-01-01"]);
    assert_eq!(full.segment_values("store"), Some(["a".to_owned(), "b".to_owned()].as_slice()));
    assert_ne!(bare.fingerprint(), full.fingerprint());
}
