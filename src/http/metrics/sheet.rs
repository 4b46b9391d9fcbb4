//! One scrape's samples.

use super::catalogue::Metric;
use prometheus::proto::{self, Counter, Gauge, LabelPair, MetricFamily, MetricType};
use std::collections::BTreeMap;

/// Samples by metric, in the order of the names.
#[derive(Default)]
pub(super) struct Sheet(BTreeMap<&'static str, MetricFamily>);

impl Sheet {
    /// One sample. That there is a value for each label, the types see to.
    pub(super) fn put<const N: usize>(&mut self, metric: &Metric<N>, values: [&str; N], value: f64) {
        let family = self.0.entry(metric.name).or_insert_with(|| {
            let mut family = MetricFamily::default();
            family.set_name(metric.name.to_owned());
            family.set_help(metric.help.to_owned());
            family.set_field_type(metric.kind);
            family
        });
        let pair = |(name, value): (&str, &str)| {
            let mut pair = LabelPair::default();
            pair.set_name(name.to_owned());
            pair.set_value(value.to_owned());
            pair
        };
        let mut sample = proto::Metric::from_label(metric.labels.into_iter().zip(values).map(pair).collect());
        if metric.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(value);
            sample.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(value);
            sample.set_gauge(gauge);
        }
        family.mut_metric().push(sample);
    }

    /// Everything, for the encoder.
    pub(super) fn families(self) -> Vec<MetricFamily> {
        self.0.into_values().collect()
    }
}
