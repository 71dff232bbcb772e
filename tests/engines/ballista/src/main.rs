//! Ballista as processes of their own: a scheduler, executors, and a client that runs one query.
//!
//! ```sh
//! winback-ballista scheduler PORT
//! winback-ballista executor SCHEDULER_PORT PORT GRPC_PORT FOLDER
//! winback-ballista query SCHEDULER_PORT TABLE_FILE ORDERS QUERY RESULT
//! ```
//!
//! All listen on loopback only. ORDERS and RESULT are Parquet, TABLE_FILE holds the table's name.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use ballista::prelude::{SessionConfigExt, SessionContextExt};
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::config::SchedulerConfig;
use ballista_scheduler::scheduler_process::start_server;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use datafusion::common::TableReference;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const LOOPBACK: &str = "127.0.0.1";
/// Plans are deep, and this is built without optimisation.
const STACK_BYTES: usize = 64 << 20;
/// Tasks at a time of an executor.
const TASKS: usize = 2;
const PARTITIONS: usize = 4;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()?;
    runtime.block_on(async {
        match arguments.as_slice() {
            ["scheduler", port] => scheduler(port.parse()?).await,
            ["executor", scheduler, port, grpc, folder] => {
                executor(scheduler.parse()?, port.parse()?, grpc.parse()?, folder).await
            }
            ["query", scheduler, table, orders, query, result] => {
                let (scheduler, table) = (scheduler.to_string(), fs::read_to_string(table)?);
                let (orders, query, result) = (orders.to_string(), fs::read_to_string(query)?, result.to_string());
                // On a thread of the runtime, whose stack is large enough.
                tokio::spawn(async move { run(&scheduler, table, &orders, &query, &result).await }).await?
            }
            _ => Err("expected scheduler, executor or query with their arguments".into()),
        }
    })
}

async fn scheduler(port: u16) -> Outcome {
    let config = SchedulerConfig { bind_host: LOOPBACK.into(), bind_port: port, ..SchedulerConfig::default() };
    let cluster = BallistaCluster::new_from_config(&config).await?;
    Ok(start_server(cluster, SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Arc::new(config)).await?)
}

async fn executor(scheduler_port: u16, port: u16, grpc_port: u16, folder: &str) -> Outcome {
    let config = ExecutorProcessConfig {
        bind_host: LOOPBACK.into(),
        external_host: Some(LOOPBACK.into()),
        port,
        grpc_port,
        scheduler_host: LOOPBACK.into(),
        scheduler_port,
        scheduler_connect_timeout_seconds: 60,
        vcores: TASKS,
        work_dir: Some(folder.into()),
        ..ExecutorProcessConfig::default()
    };
    Ok(start_executor_process(Arc::new(config)).await?)
}

async fn run(scheduler_port: &str, table: String, orders: &str, query: &str, result: &str) -> Outcome {
    // A task that takes several partitions, as it does by default, mixes them up before windows: `lag` comes out wrong.
    let config = SessionConfig::new_with_ballista()
        .with_target_partitions(PARTITIONS)
        .set_u64("ballista.scheduler.max_partitions_per_task", 1);
    let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    let url = format!("df://{LOOPBACK}:{scheduler_port}");
    let context = SessionContext::remote_with_state(&url, state).await?;
    context.register_parquet(TableReference::bare(table), orders, ParquetReadOptions::default()).await?;
    let rows = context.sql(query).await?.collect().await?;
    // The executors have answered; what is left is writing their rows.
    let local = SessionContext::new();
    local.read_batches(rows)?.write_parquet(result, DataFrameWriteOptions::new(), None).await?;
    Ok(())
}
