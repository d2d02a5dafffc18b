//! What each stage of an analysis costs, from the file to the findings, on the preset `minipop-2008` (25 h).
//!
//! Stages run one after the other. On one thread times are those that it was on a processor, where the system
//! tells (Linux): a busy machine does not distort them. On two they are those on the wall.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use peerscope_benches::sizes;
use peerscope_cluster::{Search, SortedValues};
use peerscope_correlate::{
    CorrelateConfig, Rules, correlate, host_changes, percentiles, propose, shifts_in_time,
    split_half,
};
use peerscope_findings::{Detectors, FindingsConfig, FlowLog, Scene, TrafficLog};
use peerscope_flow::{Family, Flow};
use peerscope_metric::{MetricSet, SampleTable};
use peerscope_read::{
    ParquetOptions, ParquetWriter, Policy, ReadError, ReadOptions, Source, WriteError,
};
use peerscope_simulate::{Scenario, ScenarioError, Simulation};
use peerscope_slot::{Aggregation, aggregate};
use rayon::prelude::*;

fn stages(criterion: &mut Criterion) {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let (Ok(one), Ok(two)) = (pool(1), pool(2)) else {
        return;
    };
    let mut group = criterion.benchmark_group("stages");
    group.sample_size(10);
    for size in sizes(&[100_000, 1_000_000, 10_000_000]) {
        let made = simulation(size).map(|simulation| {
            let config = Aggregation::new(Family::emule(), simulation.topology());
            let flows: Vec<Flow> = simulation.map(|simulated| simulated.flow).collect();
            (config, flows)
        });
        let Ok((config, flows)) = made else { continue };
        let mut stages = Stages {
            group: &mut group,
            pools: [&one, &two],
            size,
        };
        whole_way(&mut stages, &config, &flows);
    }
    group.finish();
}

fn simulation(flows: usize) -> Result<Simulation, ScenarioError> {
    let scenario = Scenario::preset("minipop-2008")?.with_flows(flows as u64)?;
    Simulation::new(&scenario, 1)
}

fn whole_way(stages: &mut Stages<'_, '_>, config: &Aggregation, flows: &[Flow]) {
    let (rules, settings) = (Rules::built_in(), CorrelateConfig::default());
    let (family, metrics) = (config.family(), MetricSet::paper());

    if let Ok(path) = write(flows) {
        stages.time("01-read", || (), |()| read(&path));
        let _ = std::fs::remove_file(path);
    }
    stages.time("02-aggregate", || (), |()| aggregate(flows, config));
    let host_slots = aggregate(flows, config);
    stages.time(
        "03-metrics",
        || (),
        |()| SampleTable::new(&host_slots, family, &metrics),
    );
    let table = SampleTable::new(&host_slots, family, &metrics);
    drop(host_slots);
    stages.time("04-cluster", || (), |()| cluster(&table));
    stages.time(
        "05-cluster-and-correlate",
        || (),
        |()| correlate(&table, family.name(), &rules, &settings),
    );
    let Ok(correlation) = correlate(&table, family.name(), &rules, &settings) else {
        return;
    };
    stages.time(
        "06-overview",
        || (),
        |()| {
            (
                percentiles(&table),
                split_half(&table, &correlation, &settings),
            )
        },
    );
    let split = split_half(&table, &correlation, &settings).split;
    stages.time(
        "07-changes",
        || (),
        |()| {
            let halves = split.map(|split| shifts_in_time(&table, split, &settings.shifts));
            (halves, host_changes(&table, &settings.change_points))
        },
    );
    stages.time(
        "08-proposals",
        || (),
        |()| propose(&table, &correlation, &settings),
    );
    stages.time(
        "09-traffic",
        || (),
        |()| {
            let traffic = shared_out(flows, || TrafficLog::new(config), TrafficLog::add);
            let whole = traffic.into_iter().reduce(|mut whole, more| {
                whole.merge(more);
                whole
            });
            whole.map(TrafficLog::finish)
        },
    );
    let log = || {
        let logs = shared_out(flows, || FlowLog::new(config), FlowLog::add);
        let whole = logs.into_iter().reduce(|mut whole, more| {
            whole.merge(more);
            whole
        });
        whole.unwrap_or_else(|| FlowLog::new(config))
    };
    stages.time("10-log", || (), |()| log());
    let detectors = Detectors::built_in(&FindingsConfig::default());
    stages.time("11-findings", log, |log| {
        detectors.run(&Scene::new(log, &table, &correlation))
    });
}

/// What is made of the flows, a part on each thread.
fn shared_out<'f, L: Send>(
    flows: &'f [Flow],
    new: impl Fn() -> L + Sync,
    add: impl Fn(&mut L, &'f [Flow]) + Sync,
) -> Vec<L> {
    let share = flows.len().div_ceil(rayon::current_num_threads()).max(1);
    let part = |flows| {
        let mut log = new();
        add(&mut log, flows);
        log
    };
    flows.par_chunks(share).map(part).collect()
}

/// Every metric of every system clustered, as `correlate` does first.
fn cluster(table: &SampleTable) -> usize {
    let columns = 0..table.metrics().len();
    let of_system = |system| columns.clone().map(move |column| (system, column));
    let all: Vec<_> = table.clustered_systems().flat_map(of_system).collect();
    let searched = all.into_par_iter().filter_map(|(system, column)| {
        let values = table.column(system, column).map(|(_, value)| value);
        let sorted = SortedValues::new(values).ok()?;
        Search::default().run(&sorted).ok()
    });
    searched.count()
}

/// The flows as canonical Parquet, in cargo's directory for such files.
fn write(flows: &[Flow]) -> Result<PathBuf, WriteError> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stages.parquet");
    let file = BufWriter::new(File::create(&path)?);
    let mut writer = ParquetWriter::new(file, &ParquetOptions::default())?;
    flows.iter().try_for_each(|flow| writer.write(flow))?;
    writer.finish()?;
    Ok(path)
}

fn read(path: &Path) -> Result<usize, ReadError> {
    let options = ReadOptions::new().with_policy(Policy::Skip);
    let mut counts = vec![0; rayon::current_num_threads()];
    let source = Source::open(path, &options)?;
    source.share_out(&mut counts, |count, flows| *count += flows.len())?;
    Ok(counts.iter().sum())
}

struct Stages<'c, 'm> {
    group: &'c mut BenchmarkGroup<'m, WallTime>,
    pools: [&'c rayon::ThreadPool; 2],
    size: usize,
}

impl Stages<'_, '_> {
    /// Times `work` on what `prepare` gives.
    fn time<I: Send, O: Send>(
        &mut self,
        stage: &str,
        prepare: impl Fn() -> I + Sync,
        work: impl Fn(I) -> O + Sync,
    ) {
        for pool in self.pools {
            let threads = pool.current_num_threads();
            let run = || {
                let input = prepare();
                let start = Stopwatch::start(threads);
                let output = std::hint::black_box(work(input));
                let taken = start.stop();
                drop(output);
                taken
            };
            let id = BenchmarkId::new(format!("{stage}/threads-{threads}"), self.size);
            self.group.bench_function(id, |bencher| {
                bencher.iter_custom(|times| pool.install(|| (0..times).map(|_| run()).sum()));
            });
        }
    }
}

/// Time of one thread on a processor; time on the wall of several, and where the system does not tell.
struct Stopwatch {
    wall: Instant,
    processor: Option<Duration>,
}

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "a stopwatch around the library, not in it"
    )]
    fn start(threads: usize) -> Self {
        Self {
            wall: Instant::now(),
            processor: on_processor().filter(|_| threads == 1),
        }
    }

    fn stop(&self) -> Duration {
        let processor = on_processor().zip(self.processor);
        let taken = processor.and_then(|(now, then)| now.checked_sub(then));
        taken.unwrap_or_else(|| self.wall.elapsed())
    }
}

fn on_processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

criterion_group!(benches, stages);
criterion_main!(benches);
