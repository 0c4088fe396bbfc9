//! A group with two inputs, and a function beside it; small, so that real mode is quick.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::Duration;
use uses_criterion::sum_below;

fn sums(c: &mut Criterion) {
    let mut group = c.benchmark_group("sums");
    for number in [10, 1000] {
        group.bench_with_input(BenchmarkId::from_parameter(number), &number, |b, n| {
            b.iter(|| sum_below(black_box(*n)));
        });
    }
    group.finish();
    c.bench_function("one sum", |b| b.iter(|| sum_below(black_box(100))));
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(20))
        .measurement_time(Duration::from_millis(50))
        .sample_size(10);
    targets = sums
}
criterion_main!(benches);
