//! This example prints queries that an engine runs where the orders live: a saved model's scores of every customer,
//! or the panel of features and labels to fit a model on.
//!
//! ```sh
//! cargo run --release --example sql -- --model model.json --dialect spark --table orders
//! cargo run --release --example sql -- --panel --horizon-days 90 --cutoffs 2024-03-31,2024-06-30 \
//!     --dialect duckdb --table orders --sample-fraction 0.1
//! ```

mod cli;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use winback::dialect::Dialect;
use winback::history::{HistoryParams, Refunds};
use winback::snapshot::LabelWindow;
use winback::sql::TableName;
use winback::{ChurnModel, Columns, Day, FeatureSet, History};

use cli::{RefundsOption, parse_day};

/// What comes in, what comes out, and how it is called: the end of `--help`.
const HELP: &str = r#"In:  a model of `train`, or with --panel the cutoffs to look from. No orders are read: the table is in your engine.
Out: on standard output one query. With --model its result is customer_id and churn_probability of every customer; with --panel
     customer_id, cutoff, churned and the features, to fit a model on.

Example: sql --model model.json --dialect spark --table orders > score.sql
         sql --panel --horizon-days 90 --cutoffs 2024-03-31,2024-06-30 --dialect duckdb --table orders > panel.sql"#;

/// Print a query that scores every customer, or that computes a panel to fit on
#[derive(Parser)]
#[command(after_help = HELP)]
struct Options {
    /// The model, as `train` saved it: print the query that scores everybody
    #[arg(long, value_name = "FILE", required_unless_present = "panel", conflicts_with = "panel")]
    model: Option<PathBuf>,
    /// Print the query of a panel: customer_id, cutoff, churned, then the features
    #[arg(long, requires = "cutoffs")]
    panel: bool,
    /// The engine
    #[arg(long, value_enum)]
    dialect: DialectOption,
    /// The table of orders
    #[arg(long, value_name = "NAME")]
    table: String,
    /// The table's schema, and catalogue before it where there is one; may be repeated
    #[arg(long, value_name = "NAME")]
    schema: Vec<String>,
    /// The date column is a date or timestamp and amounts are numbers: text is not looked at, which is faster
    #[arg(long)]
    typed: bool,
    /// Column with the customer's id [default: the model's, or customer_id]
    #[arg(long, value_name = "NAME")]
    customer_col: Option<String>,
    /// Column with the order's date [default: the model's, or ordered_on]
    #[arg(long, value_name = "NAME")]
    date_col: Option<String>,
    /// Column with the order's amount [default: the model's; none for a panel]
    #[arg(long, value_name = "NAME")]
    amount_col: Option<String>,
    /// Column with what was taken off the price
    #[arg(long, value_name = "NAME")]
    discount_col: Option<String>,
    /// Column that customers share with their peers; may be repeated
    #[arg(long, value_name = "NAME")]
    segment_col: Vec<String>,
    /// What to do with negative amounts [default: the model's, or net]
    #[arg(long, value_enum)]
    refunds: Option<RefundsOption>,
    /// Amounts in text are written 12,50
    #[arg(long)]
    decimal_comma: bool,
    /// The day to look at the customers [default: that of the last order in the table]
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, conflicts_with = "panel")]
    as_of: Option<Day>,
    /// Churned is who buys nothing for so many days
    #[arg(long, default_value_t = 90, value_name = "DAYS")]
    horizon_days: i32,
    /// Days between the cutoff and the days in which a purchase counts
    #[arg(long, default_value_t = 0, value_name = "DAYS")]
    lead_days: i32,
    /// The panel's cutoffs
    #[arg(long, value_name = "YYYY-MM-DD,…", value_delimiter = ',', value_parser = parse_day)]
    cutoffs: Vec<Day>,
    /// The share of customers in the panel, chosen by the md5 of their ids
    #[arg(long, value_name = "FRACTION", conflicts_with = "model")]
    sample_fraction: Option<f64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum DialectOption {
    /// DuckDB
    Duckdb,
    /// Spark SQL
    Spark,
    /// DataFusion, and Ballista, which runs its plans on several machines
    Datafusion,
    /// PostgreSQL
    Postgres,
}

fn main() -> ExitCode {
    let options = Options::parse();
    cli::run(|| {
        let dialect = match options.dialect {
            DialectOption::Duckdb => Dialect::DuckDb,
            DialectOption::Spark => Dialect::Spark,
            DialectOption::Datafusion => Dialect::DataFusion,
            DialectOption::Postgres => Dialect::Postgres,
        };
        let table = TableName::qualified(options.schema.iter().chain([&options.table]).cloned());
        let table = if options.typed { table.typed() } else { table };
        let query = match &options.model {
            Some(path) => {
                let model = ChurnModel::load(path)?;
                let reading = options.reading(Some(model.reading()));
                model.to_sql(dialect, table, &reading, options.as_of)?
            }
            None => {
                let reading = options.reading(None);
                let segments: Vec<&str> = reading.columns().segments().iter().map(String::as_str).collect();
                let set = FeatureSet::standard(options.horizon_days, &segments);
                let label =
                    Some(LabelWindow { lead_days: options.lead_days, horizon_days: options.horizon_days });
                match options.sample_fraction {
                    Some(fraction) => {
                        set.to_sql_of_sample(dialect, table, &reading, &options.cutoffs, label, fraction)?
                    }
                    None => set.to_sql(dialect, table, &reading, &options.cutoffs, label)?,
                }
            }
        };
        std::io::stdout().write_all(query.as_bytes())?;
        Ok(())
    })
}

impl Options {
    fn reading(&self, base: Option<&HistoryParams>) -> HistoryParams {
        let given = base.map(HistoryParams::columns);
        let pick = |option: &Option<String>, of_base: Option<&str>| {
            option.clone().or_else(|| of_base.map(str::to_owned))
        };
        let name =
            |option, of_base, default: &str| pick(option, of_base).unwrap_or_else(|| default.to_owned());
        let mut columns = Columns::new(
            name(&self.customer_col, given.map(Columns::customer), "customer_id"),
            name(&self.date_col, given.map(Columns::date), "ordered_on"),
        );
        if let Some(amount) = pick(&self.amount_col, given.and_then(Columns::amount)) {
            columns = columns.with_amount(amount);
        }
        if let Some(discount) = pick(&self.discount_col, given.and_then(Columns::discount)) {
            columns = columns.with_discount(discount);
        }
        columns = match (self.segment_col.as_slice(), given) {
            ([], Some(given)) => columns.with_segments(given.segments()),
            (named, _) => columns.with_segments(named),
        };
        let mut params = match base {
            Some(base) => base.clone().with_columns(columns),
            None => History::params(columns),
        };
        if let Some(refunds) = self.refunds {
            params = params.with_refunds(match refunds {
                RefundsOption::Net => Refunds::Net,
                RefundsOption::Drop => Refunds::Drop,
                RefundsOption::Reject => Refunds::Reject,
            });
        }
        if self.decimal_comma {
            params = params.with_decimal_comma(true);
        }
        params
    }
}
