//! A plan as a file, and the arms drawn for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use polars::prelude::{DataFrame, ParquetReader, SerReader, df};
use proptest::prelude::*;
use winback::evidence::Cause;
use winback::winback::{
    Arm, Candidate, Decision, EarlierArm, FirstStep, Holdout, HoldoutParams, Measured, PlanSheet,
    PlannedCustomer, StepKind,
};

use crate::logs::SplitMix;
use crate::support::{TempDir, day, runner};

fn planned(id: &str, arm: Arm) -> PlannedCustomer {
    PlannedCustomer {
        offer: Some("ten-off".to_owned()),
        arm,
        stratum: Some("risk high, value low".to_owned()),
        campaign: Some("spring".to_owned()),
        primary_outcome: Some(Measured::Returned),
        measure_until: Some(day("2024-09-30")),
        cost_amount: Some(1.25),
        margin_fraction: Some(0.3),
        predicted_return_probability: Some(0.125),
        expected_profit_amount: Some(-0.5),
        cause: Cause::Price,
        why: "spends regularly, \"never\" late;\nleft over the price".to_owned(),
        first_step: FirstStep::parse("invite by email until 2024-08-01: Thank them: they told us."),
        first_step_on: Some(day("2024-07-02")),
        ..PlannedCustomer::new(id, Decision::Pursue, day("2024-06-30"))
    }
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    let folder = TempDir::new();
    let ids = "\\PC{0,3}|[=+@'\\-]{1,3}[0-9a-z.=+' ]{0,4}|-?[0-9]{1,6}|[\\r\\n\", ;=']{1,4}";
    let row = (ids, 0..3_usize, proptest::option::of(-1e9..1e9_f64), any::<bool>());
    runner(200)
        .run(&proptest::collection::vec(row, 0..8), |rows| {
            let mut seen = BTreeSet::new();
            let rows: Vec<PlannedCustomer> = rows
                .into_iter()
                .filter(|(id, ..)| !id.is_empty() && seen.insert(id.clone()))
                .map(|(id, arm, profit, is_bare)| match is_bare {
                    true => PlannedCustomer::new(id, Decision::KeepInTouch, day("2024-06-30")),
                    false => {
                        PlannedCustomer { expected_profit_amount: profit, ..planned(&id, Arm::ALL[arm]) }
                    }
                })
                .collect();
            let plan = PlanSheet::new(rows.clone()).unwrap();
            for name in ["plan.csv", "plan.parquet"] {
                let file = folder.path(name);
                plan.write(&file).unwrap();
                let read = PlanSheet::read(&file).unwrap();
                prop_assert_eq!(read.rows(), rows.as_slice());
            }
            // No field begins as a formula does, but for what is a number.
            for line in csv::Reader::from_path(folder.path("plan.csv")).unwrap().records() {
                let id = line.unwrap()[0].to_owned();
                let is_safe = !id.starts_with(['=', '+', '-', '@']) || id.parse::<f64>().is_ok();
                prop_assert!(is_safe, "{id}");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_plan_has_the_documented_columns_and_is_written_whole() {
    let folder = TempDir::new();
    let file = folder.path("plan.csv");
    let rows = vec![planned("=cmd", Arm::Treated), planned("-5", Arm::Holdout)];
    PlanSheet::new(rows).unwrap().write(&file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let header = "customer_id,decision,offer,arm,stratum,campaign,planned_on,primary_outcome,measure_until,\
                  cost_amount,margin_fraction,predicted_return_probability,expected_profit_amount,cause,why,\
                  first_step,first_step_on";
    assert_eq!(text.lines().next(), Some(header));
    let start = "'=cmd,Pursue,ten-off,treated,\"risk high, value low\",spring,2024-06-30,returned,2024-09-30,\
                 1.25,0.3,0.125,-0.5,Price,";
    assert!(text.lines().nth(1).unwrap().starts_with(start), "{text}");
    assert!(text.contains("\n-5,Pursue"), "{text}");
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
}

/// A `'` keeps a spreadsheet from running an id; no spreadsheet opens Parquet, and there ids stand as they are.
#[test]
fn ids_stand_in_parquet_as_they_are() {
    let folder = TempDir::new();
    let file = folder.path("plan.parquet");
    let plan = PlanSheet::new(vec![planned("=cmd", Arm::Treated), planned("'quoted", Arm::Holdout)]).unwrap();
    plan.write(&file).unwrap();
    let ids = |frame: &DataFrame| -> Vec<String> {
        let column = frame.column("customer_id").unwrap().str().unwrap().clone();
        column.iter().map(|id| id.unwrap().to_owned()).collect()
    };
    let frame = ParquetReader::new(fs::File::open(&file).unwrap()).finish().unwrap();
    assert_eq!(ids(&frame), ["=cmd", "'quoted"]);
    assert_eq!(ids(&plan.to_frame().unwrap()), ["=cmd", "'quoted"]);
    assert_eq!(PlanSheet::read(&file).unwrap().rows(), plan.rows());
}

#[test]
fn ids_of_any_table_are_guarded_in_csv_alone() {
    let folder = TempDir::new();
    let frame = df!["customer_id" => ["=a", "-1", "'b", "c", "-x"], "n" => [1, 2, 3, 4, 5]].unwrap();
    let file = folder.path("ask.csv");
    winback::table::write_with_ids(&frame, "customer_id", &file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "customer_id,n\n'=a,1\n-1,2\n''b,3\nc,4\n'-x,5\n");
    let numbers = df!["customer_id" => [-1, 2]].unwrap();
    winback::table::write_with_ids(&numbers, "customer_id", &file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "customer_id\n-1\n2\n");
}

#[test]
fn columns_may_be_moved_and_added() {
    let folder = TempDir::new();
    let file = folder.path("plan.csv");
    PlanSheet::new(vec![planned("7", Arm::Treated)]).unwrap().write(&file).unwrap();
    let mut reader = csv::Reader::from_path(&file).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let record = reader.records().next().unwrap().unwrap();
    let mut writer = csv::Writer::from_path(&file).unwrap();
    let turned = |cells: Vec<String>, more: &str| -> Vec<String> {
        cells.into_iter().rev().chain([more.to_owned()]).collect()
    };
    writer.write_record(turned(header, "notes of ours")).unwrap();
    writer.write_record(turned(record.iter().map(str::to_owned).collect(), "call after six")).unwrap();
    writer.flush().unwrap();
    let read = PlanSheet::read(&file).unwrap();
    assert_eq!(read.rows(), [planned("7", Arm::Treated)]);
    assert!(read.report().to_string().contains("notes of ours"), "{}", read.report());
}

#[test]
fn all_faults_of_a_plan_are_told_at_once() {
    let folder = TempDir::new();
    let file = folder.path("plan.csv");
    let rows = (0..8).map(|id| planned(&id.to_string(), Arm::Treated)).collect();
    PlanSheet::new(rows).unwrap().write(&file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let text = text
        .replacen("\n0,Pursue", "\n0,Chase", 1)
        .replacen("\n1,Pursue,ten-off,treated", "\n1,Pursue,,mailed", 1)
        .replacen("\n2,Pursue,ten-off", "\n2,Pursue,", 1)
        .replacen("\n3,", "\n4,", 1);
    fs::write(&file, text.replacen("2024-07-02\n5", "2023-07-02\n5", 1)).unwrap();
    let said = PlanSheet::read(&file).unwrap_err().to_string();
    for part in [
        "decision",
        "row 1: `Chase`",
        "arm",
        "row 2: `mailed`",
        "offer",
        "row 3: `null`",
        "customer_id",
        "row 5: `4, as in row 4`",
        "first_step_on",
        "row 5: `2023-07-02, before 2024-06-30`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    fs::write(&file, "customer_id,decision\n1,Pursue\n").unwrap();
    let said = PlanSheet::read(&file).unwrap_err().to_string();
    assert!(said.contains("no column `offer`, `arm`"), "{said}");

    let mut wrong = planned("a", Arm::Holdout);
    (wrong.cost_amount, wrong.margin_fraction) = (Some(-1.0), Some(30.0));
    wrong.first_step = Some(FirstStep {
        kind: StepKind::Ask,
        channel: "a: b".to_owned(),
        until: None,
        text: "x".to_owned(),
    });
    wrong.predicted_return_probability = Some(f64::NAN);
    let said = PlanSheet::new(vec![wrong.clone(), wrong]).unwrap_err().to_string();
    for part in ["cost_amount", "`-1`", "margin_fraction", "`30`", "first_step", "`a, as in row 1`", "`NaN`"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
}

fn candidates(ids: &[String], seed: u64) -> Vec<Candidate<'_>> {
    let mut random = SplitMix(seed);
    let one = |id| Candidate {
        customer_id: id,
        risk: random.uniform(),
        value: (random.normal()).exp(),
        household: None,
        earlier: None,
        offers: 3,
    };
    ids.iter().map(String::as_str).map(one).collect()
}

fn ids(many: usize) -> Vec<String> {
    (0..many).map(|id| format!("c{id}")).collect()
}

fn params() -> HoldoutParams {
    Holdout::params("spring").with_seed(3)
}

fn held_out(holdout: &Holdout) -> BTreeSet<usize> {
    let rows = holdout.assignments().iter().enumerate();
    rows.filter(|(_, one)| one.arm == Arm::Holdout).map(|(row, _)| row).collect()
}

#[test]
fn as_many_are_held_out_as_planned_in_all_and_in_each_stratum() {
    for many in [0, 1, 7, 49, 50, 451, 2_000] {
        let ids = ids(many);
        let all = candidates(&ids, 1);
        for fraction in [0.0, 0.1, 0.33, 0.5] {
            let holdout = params().with_fraction(fraction).draw(&all).unwrap();
            assert_eq!(held_out(&holdout).len(), (fraction * many as f64).round() as usize);
            for stratum in holdout.strata() {
                let share = fraction * (stratum.treated + stratum.held_out) as f64;
                assert!((stratum.held_out as f64 - share).abs() <= 1.0, "{stratum:?}");
            }
        }
    }
    let ids = ids(2_000);
    let holdout = params().draw(&candidates(&ids, 1)).unwrap();
    assert_eq!(holdout.strata().len(), 9);
    assert!(holdout.strata().iter().all(|stratum| stratum.held_out >= 5), "{holdout}");
    let few = params().draw(&candidates(&ids[..300], 1)).unwrap();
    assert!(few.strata().len() < 9 && few.strata().len() > 1, "{few}");
    assert!(few.strata().iter().all(|stratum| stratum.held_out >= 4), "{few}");
}

#[test]
fn arms_do_not_depend_on_the_order_and_little_on_who_else_is_planned_for() {
    let ids = ids(5_000);
    let all = candidates(&ids, 2);
    let holdout = params().draw(&all).unwrap();
    let mut turned = all.clone();
    turned.reverse();
    let back = params().draw(&turned).unwrap();
    let arms: Vec<Arm> = holdout.assignments().iter().map(|one| one.arm).collect();
    assert_eq!(arms, back.assignments().iter().rev().map(|one| one.arm).collect::<Vec<_>>());
    // One in fifty fewer: of the others, few change their arm.
    let most = params().draw(&all[..4_900]).unwrap();
    let changed = arms.iter().zip(most.assignments()).filter(|(arm, one)| **arm != one.arm).count();
    assert!(changed <= 4_900 / 100, "{changed}");
    // Another campaign or seed draws others.
    let shared = |other: &Holdout| held_out(other).intersection(&held_out(&holdout)).count();
    for other in [params().with_seed(4), Holdout::params("summer").with_seed(3)] {
        let other = other.draw(&all).unwrap();
        assert!((20..90).contains(&shared(&other)), "{}", shared(&other));
    }
}

#[test]
fn arms_are_balanced_in_what_was_known() {
    let ids = ids(3_000);
    let all = candidates(&ids, 5);
    let mut z = Vec::new();
    for seed in 0..200 {
        let holdout = params().with_seed(seed).draw(&all).unwrap();
        let rows = held_out(&holdout);
        let mean = rows.iter().map(|&row| all[row].risk).sum::<f64>() / rows.len() as f64;
        let whole = all.iter().map(|one| one.risk).sum::<f64>() / all.len() as f64;
        // Of a uniform number, drawn from 3,000 without strata.
        z.push((mean - whole) / (1.0 / 12.0 / rows.len() as f64 * 0.9).sqrt());
    }
    let square = z.iter().map(|z| z * z).sum::<f64>() / z.len() as f64;
    // Thirds leave a ninth of a uniform number's variance.
    assert!((0.07..0.17).contains(&square), "{square}");
    let mean = z.iter().sum::<f64>() / z.len() as f64;
    assert!(mean.abs() < 4.0 * (square / z.len() as f64).sqrt(), "{mean}");
}

#[test]
fn a_household_is_in_one_arm() {
    let ids = ids(1_000);
    let houses: Vec<String> = (0..1_000).map(|row| format!("c{}", row / 3)).collect();
    let mut all = candidates(&ids, 7);
    for (row, one) in all.iter_mut().enumerate().take(600) {
        one.household = Some(&houses[row]);
    }
    let holdout = params().with_fraction(0.25).draw(&all).unwrap();
    let mut of_house: BTreeMap<&str, BTreeSet<(Arm, usize)>> = BTreeMap::new();
    for (one, drawn) in all.iter().zip(holdout.assignments()) {
        if let Some(house) = one.household {
            of_house.entry(house).or_default().insert((drawn.arm, drawn.stratum));
        }
    }
    assert!(of_house.values().all(|arms| arms.len() == 1));
    // 200 households and 400 others.
    let arms = of_house.values().filter(|arms| arms.iter().any(|(arm, _)| *arm == Arm::Holdout)).count();
    let alone = holdout.assignments()[600..].iter().filter(|one| one.arm == Arm::Holdout).count();
    assert_eq!(arms + alone, 150);
}

#[test]
fn earlier_arms_are_kept_and_compared_among_themselves() {
    let ids = ids(2_000);
    let all = candidates(&ids, 9);
    let first = params().with_fraction(0.3).draw(&all[..1_000]).unwrap();
    let mut again = all.clone();
    for (one, drawn) in again.iter_mut().zip(first.assignments()) {
        let stratum = &first.strata()[drawn.stratum].name;
        one.earlier = Some(EarlierArm { arm: drawn.arm, stratum });
    }
    let second = params().with_fraction(0.1).draw(&again).unwrap();
    for (one, other) in first.assignments().iter().zip(second.assignments()) {
        assert_eq!(one.arm, other.arm);
        assert!(second.strata()[other.stratum].name.ends_with(", drawn before"));
    }
    let fresh = &second.assignments()[1_000..];
    assert_eq!(fresh.iter().filter(|one| one.arm == Arm::Holdout).count(), 100);
    assert!(fresh.iter().all(|one| !second.strata()[one.stratum].name.ends_with("before")));
    again[0].earlier = Some(EarlierArm { arm: Arm::None, stratum: "x" });
    let said = params().draw(&again).unwrap_err().to_string();
    assert!(said.contains("none, of customer c0"), "{said}");
}

#[test]
fn offers_by_lot_fall_on_a_share_of_both_arms() {
    let ids = ids(3_000);
    let all = candidates(&ids, 11);
    let holdout = params().with_fraction(0.2).with_explore_fraction(0.4).draw(&all).unwrap();
    let mut counts = [[0; 3]; 2];
    for one in holdout.assignments() {
        let is_named = holdout.strata()[one.stratum].name.ends_with("offer by lot");
        assert_eq!(one.by_lot.is_some(), is_named);
        if let Some(offer) = one.by_lot {
            counts[usize::from(one.arm == Arm::Holdout)][offer] += 1;
        }
    }
    assert_eq!(counts.iter().flatten().sum::<usize>(), 1_200);
    assert_eq!(counts[1].iter().sum::<usize>(), 240);
    assert!(counts[0].iter().all(|count| (270..370).contains(count)), "{counts:?}");
    for (fraction, explore) in [(1.0, 0.0), (-0.1, 0.0), (f64::NAN, 0.0), (0.1, 1.1), (0.1, f64::NAN)] {
        assert!(params().with_fraction(fraction).with_explore_fraction(explore).draw(&all).is_err());
    }
}
