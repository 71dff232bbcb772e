//! Who is wanted back, who returns by themselves, and what that is worth.

use polars::prelude::*;
use winback::evidence::{Contacts, CustomerTable, Evidence, Incidents, Suppressions, TableParams};
use winback::losses::LapseRule;
use winback::winback::{Decision, Keep, KeepPolicy, NaturalReturns, ScreenKind, SecondLives, ValuePerReturn};
use winback::{Columns, History};

use crate::logs::{SplitMix, day};

/// Orders as lines of customer, day, amount and discount.
fn history(lines: &[(&str, &str, f64, f64)]) -> History {
    let frame = df![
        "customer_id" => lines.iter().map(|line| line.0).collect::<Vec<_>>(),
        "ordered_on" => lines.iter().map(|line| line.1).collect::<Vec<_>>(),
        "amount" => lines.iter().map(|line| line.2).collect::<Vec<_>>(),
        "off" => lines.iter().map(|line| line.3).collect::<Vec<_>>(),
    ];
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount").with_discount("off");
    let params = History::params(columns).with_observed_until(day("2024-12-31"));
    params.from_frame(&frame.unwrap()).unwrap()
}

/// Four months of one purchase each.
fn monthly(id: &'static str, amount: f64, discount: f64) -> Vec<(&'static str, &'static str, f64, f64)> {
    ["2024-01-05", "2024-02-05", "2024-03-05"].iter().map(|day| (id, *day, amount, discount)).collect()
}

fn incidents(rows: &[(&str, &str, Option<f64>)], history: &History) -> Incidents {
    let frame = df![
        "customer_id" => rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "occurred_on" => vec!["2024-04-01"; rows.len()],
        "kind" => rows.iter().map(|row| row.1).collect::<Vec<_>>(),
        "cost" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
    ];
    Incidents::from_frame(&frame.unwrap(), &TableParams::default(), history).unwrap()
}

fn weigh(policy: &KeepPolicy, history: &History, evidence: &Evidence) -> Vec<Keep> {
    let lapses = LapseRule::fixed(30).find(history, day("2024-12-31")).unwrap();
    policy.weigh(history, &lapses, evidence, 0.3).unwrap()
}

#[test]
fn each_screen_has_its_threshold_and_its_sentence() {
    let mut orders = Vec::new();
    for id in ["abuse", "cheap", "fine", "praise", "unpaid"] {
        orders.extend(monthly(id, 50.0, if id == "cheap" { 5.0 } else { 0.0 }));
    }
    // Returned it all, and has been here once only.
    orders.extend([("loss", "2024-04-01", -150.0, 0.0), ("once", "2024-04-01", 5.0, 5.0)]);
    orders.extend(monthly("loss", 50.0, 0.0));
    orders.extend(monthly("again", 20.0, 0.0));
    for (back, left) in
        [("2024-05-01", "2024-05-10"), ("2024-07-01", "2024-07-20"), ("2024-09-01", "2024-09-05")]
    {
        orders.extend([("again", back, 20.0, 4.0), ("again", left, 20.0, 0.0)]);
    }
    let history = history(&orders);
    let evidence = Evidence::default().with_incidents(incidents(
        &[
            ("abuse", "abuse", None),
            ("unpaid", "unpaid", Some(60.0)),
            ("praise", "praise", None),
            ("praise", "late_payment", None),
        ],
        &history,
    ));
    let found = weigh(&KeepPolicy::default(), &history, &evidence);
    let said: Vec<String> = found.iter().map(|keep| format!("{}: {keep}", keep.decision.name())).collect();
    // In order of id: abuse, again, cheap, fine, loss, once, praise, unpaid.
    assert_eq!(said[0], "PartAmicably: cases of abuse: 1, at most 0 will do");
    assert!(said[1].contains("had to be bought back 3 times, and stayed for 9, 19, 4 days"), "{}", said[1]);
    assert_eq!(said[2], "KeepInTouch: 100 % of their purchases had a discount, at most 90 % will do");
    assert_eq!(said[3], "Pursue: nothing speaks against them");
    assert!(
        said[4].starts_with("Pursue") || said[4].contains("was earned with them after returns"),
        "{}",
        said[4]
    );
    assert_eq!(said[5], "Pursue: nothing speaks against them");
    assert_eq!(said[6], "Pursue: they praised us");
    assert!(said[7].starts_with("PartAmicably: ") && said[7].contains("unpaid bills: 1"), "{}", said[7]);
    assert!(
        said[7].contains("-15.00 was earned with them after returns, at least 0 is wanted"),
        "{}",
        said[7]
    );
    // A screen can be moved or left out.
    let lenient = KeepPolicy::default().with_screen(ScreenKind::Abuse, 1.0, 3).with_screen(
        ScreenKind::DiscountOnly,
        0.9,
        0,
    );
    let found = weigh(&lenient, &history, &evidence);
    assert_eq!((found[0].decision, found[2].decision), (Decision::Pursue, Decision::Pursue));
    let wrong = KeepPolicy::default().with_screen(ScreenKind::Abuse, f64::NAN, 1);
    let lapses = LapseRule::fixed(30).find(&history, day("2024-12-31")).unwrap();
    assert!(wrong.weigh(&history, &lapses, &evidence, 0.3).is_err());
    assert!(KeepPolicy::default().weigh(&history, &lapses, &evidence, 30.0).is_err());
}

#[test]
fn suppressions_win_and_personas_speak_for_a_customer() {
    let mut orders = monthly("a", 50.0, 10.0);
    orders.extend(monthly("b", 50.0, 10.0));
    orders.extend(monthly("c", 50.0, 0.0));
    let history = history(&orders);
    let table = TableParams::default();
    let list = df!["customer_id" => ["c", "b"], "reason" => ["opted out", "old"], "until" => [None, Some("2024-06-30")]];
    let suppressions = Suppressions::from_frame(&list.unwrap(), &table, &history).unwrap();
    let facts = df!["customer_id" => ["a", "b", "c"], "persona" => ["family", "reseller", "family"]].unwrap();
    let customers = CustomerTable::from_frame(&facts, &table, &history).unwrap();
    let evidence = Evidence::default().with_suppressions(suppressions).with_customers(customers);
    let found = weigh(&KeepPolicy::default().with_personas(["family"]), &history, &evidence);
    let decisions: Vec<Decision> = found.iter().map(|keep| keep.decision).collect();
    assert_eq!(decisions, [Decision::Pursue, Decision::KeepInTouch, Decision::Suppressed]);
    assert!(found[0].to_string().contains("that outweighs"));
    assert_eq!(found[2].to_string(), "nobody may contact them: opted out");
}

#[test]
fn contacts_tell_who_opted_out_and_who_recommends() {
    let mut orders = monthly("a", 50.0, 10.0);
    orders.extend(monthly("b", 50.0, 10.0));
    let history = history(&orders);
    let table = df![
        "customer_id" => ["a", "b"], "on" => ["2024-06-01", "2024-06-01"],
        "answer" => ["accepted", "opted_out"], "referred_id" => [Some("b"), None],
    ];
    let contacts = Contacts::from_frame(&table.unwrap(), &TableParams::default(), &history).unwrap();
    let found = weigh(&KeepPolicy::default(), &history, &Evidence::default().with_contacts(contacts));
    assert_eq!(found[0].decision, Decision::Pursue);
    assert!(found[0].to_string().starts_with("they recommended us; that outweighs"), "{}", found[0]);
    assert_eq!(found[1].to_string(), "nobody may contact them: they opted out on 2024-06-01");
}

/// Of the lost, those with many purchases return far more often: the log's own lapses tell.
#[test]
fn natural_return_is_learned_from_the_lapses_of_the_log() {
    let mut random = SplitMix(8);
    let (mut ids, mut days, mut amounts) = (Vec::new(), Vec::new(), Vec::new());
    let end = day("2024-12-31");
    for customer in 0..600 {
        let loyal = customer % 2 == 0;
        let mut at = end.plus_days(-1_000 + (random.uniform() * 100.0) as i32);
        for _ in 0..if loyal { 6 } else { 1 } {
            ids.push(customer);
            days.push(at.days_since_epoch());
            amounts.push(20.0);
            at = at.plus_days(10);
        }
        // Lost after 60 days; a third of the loyal come back within each horizon, of the others a few.
        at = at.plus_days(60);
        while at < end {
            let back = random.uniform() < if loyal { 0.35 } else { 0.03 };
            if back {
                ids.push(customer);
                days.push(at.plus_days((random.uniform() * 89.0) as i32).days_since_epoch());
                amounts.push(20.0);
            }
            at = at.plus_days(90);
        }
    }
    let frame = DataFrame::new_infer_height(vec![
        Column::new("customer_id".into(), ids),
        Int32Chunked::from_vec("ordered_on".into(), days).into_date().into_column(),
        Column::new("amount".into(), amounts),
    ]);
    let columns = Columns::new("customer_id", "ordered_on").with_amount("amount");
    let history = History::params(columns).with_observed_until(end).from_frame(&frame.unwrap()).unwrap();
    let lapses = LapseRule::fixed(60).find(&history, end).unwrap();
    let natural = NaturalReturns::learn(&history, &lapses, &Evidence::default()).unwrap();
    println!("{natural}");
    assert!(natural.rows > 1_000 && natural.auc.unwrap() > 0.7);
    let share = natural.returned as f64 / natural.rows as f64;
    assert!((natural.mean().unwrap() - share).abs() < 0.06, "{:?} {share}", natural.mean());
    let lives = SecondLives::of(&history, &lapses, 365);
    assert!(
        lives.returners > 300 && lives.mean_days.is_some_and(|days| days > 1.0 && days < 200.0),
        "{lives}"
    );
    let known = lives.to_string();
    assert!(known.contains("came back by themselves"), "{known}");
}

#[test]
fn what_a_return_is_worth_is_not_told_where_returns_do_not_differ() {
    let treated: Vec<bool> = (0..400).map(|row| row % 2 == 0).collect();
    let returned: Vec<bool> = (0..400).map(|row| row % 20 < 4).collect();
    let spent: Vec<f64> = returned.iter().map(|back| f64::from(u8::from(*back))).collect();
    let said = ValuePerReturn::of(&treated, &returned, &spent).unwrap_err().to_string();
    assert!(said.contains("returns do not differ"), "{said}");
    assert!(ValuePerReturn::of(&treated[1..], &returned, &spent).is_err());
    assert!(ValuePerReturn::of(&vec![true; 400], &returned, &spent).is_err());
}
