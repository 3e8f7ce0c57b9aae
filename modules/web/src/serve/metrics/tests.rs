use std::collections::BTreeMap;

use proto::data::times::Times;

use super::figures::{ALL, CPU, HANDLERS, JOBS, MESSAGES};
use super::scrape::Scrape;

/// The path of the page that has the table.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../doc/metrics.md");
/// Below it the page is printed here.
const MARK: &str = "<!-- figures -->\n";

#[test]
fn every_figure_is_in_the_page() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (by_hand, _) = page.split_once(MARK).unwrap();
    let head = "## Figures\n\n| name | type | labels | meaning | from |\n|---|---|---|---|---|\n";
    let mut text = format!("{by_hand}{MARK}\n{head}");
    for figure in ALL {
        let (name, kind, labels) = (figure.full_name(), figure.kind.as_str(), figure.labels);
        let (labels, help, source) = (labels.join(", "), figure.help, figure.source);
        text += &format!("| `{name}` | {kind} | {labels} | {help} | `{source}` |\n");
    }
    node::written::check(PAGE, &text);
}

#[test]
fn names_are_well_formed_and_used_once() {
    let is_word = |text: &str| {
        text.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !text.ends_with("_total")
    };
    for figure in ALL {
        assert!(
            figure.name.starts_with("flux_") && is_word(figure.name),
            "{}",
            figure.name
        );
        assert!(
            figure
                .labels
                .iter()
                .all(|label| is_word(label) && *label != "rank")
        );
        let same = ALL.iter().filter(|other| other.name == figure.name);
        assert_eq!(same.count(), 1, "{}", figure.name);
    }
}

/// The samples of a text by name and labels. Panics if it is not well formed.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").expect("it ends with its mark");
    let mut family = String::new();
    let mut samples = BTreeMap::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            family = rest.split(' ').next().unwrap().to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            assert!(rest.starts_with(&format!("{family} ")), "{line}");
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
        assert!(name.starts_with(&family) && name.ends_with('}'), "{line}");
        let value = value.parse().expect("a value is a number");
        assert!(samples.insert(name.to_owned(), value).is_none(), "{line}");
    }
    samples
}

fn written(fill: impl FnOnce(&mut Scrape)) -> BTreeMap<String, f64> {
    let mut scrape = Scrape::default();
    fill(&mut scrape);
    samples(&scrape.text(3).unwrap())
}

#[test]
fn values_are_written_with_their_labels_and_the_rank() {
    let found = written(|scrape| {
        scrape.count(&JOBS, &["run"], 7);
        scrape.add(&CPU, &["kvs", "user"], 0.5);
        scrape.count(&MESSAGES, &["a\"b", "rx", "event"], 1);
    });
    let cpu = r#"flux_cpu_seconds_total{rank="3",service="kvs",mode="user"}"#;
    assert_eq!(found[r#"flux_jobs{rank="3",state="run"}"#], 7.0);
    assert_eq!(found[cpu], 0.5);
    let quoted = r#"flux_messages_total{rank="3",service="a\"b",direction="rx",type="event"}"#;
    assert_eq!(found[quoted], 1.0);
    assert_eq!(found.len(), 3);
}

#[test]
fn a_histogram_counts_what_is_not_longer() {
    let mut times = proto::data::times::Histogram::default();
    for micros in [1, 5, 5, 20, 1_000_000_000] {
        times.add(std::time::Duration::from_micros(micros));
    }
    let times: Times = times.told();
    let found = written(|scrape| scrape.times(&HANDLERS, &["kvs"], &times));
    let bucket = |end: &str| {
        let labels = format!("rank=\"3\",le=\"{end}\",service=\"kvs\"");
        found
            .get(&format!("flux_handler_seconds_bucket{{{labels}}}"))
            .copied()
    };
    assert_eq!(bucket("+Inf"), Some(5.0), "{found:?}");
    let count = found
        .iter()
        .find(|(name, _)| name.starts_with("flux_handler_seconds_count"));
    assert_eq!(count.map(|(_, n)| *n), Some(5.0));
    let mut counts: Vec<f64> = found
        .iter()
        .filter(|(name, _)| name.starts_with("flux_handler_seconds_bucket"))
        .map(|(_, n)| *n)
        .collect();
    counts.sort_by(f64::total_cmp);
    counts.dedup();
    // One not longer than 4 microseconds, two more up to 16, one up to 65; the last is longer than all.
    assert_eq!(counts, [1.0, 3.0, 4.0, 5.0]);
}
