//! The model on the screen: a pane of fixed size, and the jobs below it.

use super::super::jobs::field::Facts;
use super::model::{Amount, Model, duration};
use super::screen::{Colour, Look, Screen, USUAL};
use command::plain::Plain;

/// Columns of the pane.
const PANE_COLUMNS: usize = 80;
/// Rows; jobs begin below them, with a header.
pub const PANE_ROWS: usize = 6;

/// Columns between which the title stands.
const TITLE: (usize, usize) = (6, 79);
/// Columns that the time left needs at the end of the title's row.
const LEFT_COLUMNS: usize = 10;
/// Where graphs begin, and how wide they are.
const GRAPH: (usize, usize) = (4, 36);
/// Column of the counts of jobs.
const COUNTS: usize = 60;
/// Column of the heart.
const HEART: usize = 77;

const DIM: Look = Look {
    is_dim: true,
    ..USUAL
};
const REVERSE: Look = Look {
    is_reverse: true,
    ..USUAL
};

fn coloured(colour: Colour) -> Look {
    Look {
        colour: Some(colour),
        ..USUAL
    }
}

/// Draws it all.
pub fn draw(model: &Model, facts: &Facts, plain: Plain, screen: &mut Screen) {
    title(model, facts, plain, screen);
    for (row, (name, amount)) in (1..).zip(model.amounts()) {
        graph(row, name, amount, screen);
    }
    counts(model, facts, screen);
    instance(model, facts, screen);
    jobs(model, facts, plain, screen);
    if let Some((text, _)) = model.message.as_ref().filter(|(_, end)| facts.now < *end) {
        message(text, plain, screen);
    }
}

fn title(model: &Model, facts: &Facts, plain: Plain, screen: &mut Screen) {
    // As an id would begin here.
    let letter = if plain.line("ƒ1") == "f1" { "f" } else { "ƒ" };
    screen.put(0, 0, letter, coloured(Colour::Yellow));
    let title = plain.line(&model.fixed.title);
    let (from, to) = (TITLE.0, TITLE.1 - LEFT_COLUMNS);
    let length = title.chars().count();
    let room = to - from;
    if length > room {
        let kept = title.chars().skip(length - room + 1);
        let kept: String = std::iter::once('…').chain(kept).collect();
        screen.put(0, from, &kept, USUAL);
    } else {
        // In the middle of the whole row, as long as it does not touch the time.
        let middle = (TITLE.0 + TITLE.1).saturating_sub(length) / 2;
        screen.put(0, middle.min(to - length), &title, USUAL);
    }
    let left = match model.fixed.expiration {
        end if end > 0.0 => format!("{}⌚", duration(end - facts.now)),
        _ => "∞".to_owned(),
    };
    screen.put_right(0, PANE_COLUMNS, &left, USUAL);
}

/// `nodes [||||    1/2]`: used ones from the left, down ones from the right.
fn graph(row: usize, name: &str, amount: Amount, screen: &mut Screen) {
    let (from, columns) = GRAPH;
    let before = format!("{name:>5} [");
    let after = format!("{}/{}]", amount.used, amount.total);
    let slots = columns.saturating_sub(before.len() + after.len());
    let start = screen.put(row, from, &before, USUAL);
    let part = |number: u64| {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        let total = usize::try_from(amount.total).unwrap_or(usize::MAX).max(1);
        slots.saturating_mul(number) / total
    };
    let used = part(amount.used).min(slots);
    let down = part(amount.down).min(slots - used);
    screen.put(row, start, &"|".repeat(used), coloured(Colour::Yellow));
    let end = start + slots;
    screen.put(row, end - down, &"|".repeat(down), coloured(Colour::Red));
    screen.put(row, end, &after, USUAL);
}

fn counts(model: &Model, facts: &Facts, screen: &mut Screen) {
    let counts = model.counts();
    screen.put(1, COUNTS, &format!("{} pending", counts.pending), USUAL);
    screen.put(2, COUNTS, &format!("{} running", counts.running), USUAL);
    let over = if model.hides_results {
        format!("{} inactive", counts.inactive)
    } else {
        format!("{} complete, {} failed", counts.complete, counts.failed)
    };
    screen.put(3, COUNTS, &over, USUAL);
    if facts.now < model.heart_until {
        screen.put(3, HEART, "♡", coloured(Colour::Red));
    }
}

fn instance(model: &Model, facts: &Facts, screen: &mut Screen) {
    let fixed = &model.fixed;
    let mut words = vec![format!("size: {}", fixed.size)];
    if fixed.depth > 0 {
        words.push(format!("depth: {}", fixed.depth));
    }
    words.push(format!("uptime: {}", duration(facts.now - fixed.start)));
    screen.put(5, GRAPH.0, &words.join("  "), DIM);
    screen.put_right(5, PANE_COLUMNS, &fixed.version, DIM);
}

fn jobs(model: &Model, facts: &Facts, plain: Plain, screen: &mut Screen) {
    let is_queued = !model.fixed.queues.is_empty();
    let queue = is_queued.then_some("QUEUE");
    let header = line(
        "JOBID",
        queue,
        "USER",
        "ST",
        ["NTASKS", "NNODES"],
        "RUNTIME",
        "NAME",
    );
    let columns = screen.n_columns();
    screen.put(PANE_ROWS, 0, &format!("{header:<columns$}"), REVERSE);
    if let (true, Some(queue)) = (model.jobs.is_empty(), model.queue_name()) {
        let text = format!("No jobs to display in queue {queue}");
        screen.put(PANE_ROWS + 1, 0, &plain.line(&text), USUAL);
    }
    let rows = PANE_ROWS + 1..screen.n_rows();
    for (row, (at, job)) in rows.zip(model.jobs.iter().enumerate()) {
        let shown = model.row(job, facts);
        let numbers = [shown.ntasks.to_string(), shown.nnodes.to_string()];
        let [ntasks, nnodes] = numbers.each_ref().map(String::as_str);
        let text = line(
            &shown.id,
            shown.queue,
            shown.user,
            shown.state,
            [ntasks, nnodes],
            &shown.runtime,
            shown.name,
        );
        let is_instance = job.annotation("user.uri").is_some();
        let look = Look {
            colour: is_instance.then_some(Colour::Blue),
            is_bold: is_instance,
            is_reverse: at == model.selected,
            ..USUAL
        };
        let text = plain.line(&text);
        screen.put(row, 0, &format!("{text:<columns$}"), look);
    }
}

/// One line of the list.
fn line(
    id: &str,
    queue: Option<&str>,
    user: &str,
    state: &str,
    [ntasks, nnodes]: [&str; 2],
    runtime: &str,
    name: &str,
) -> String {
    let queue = queue.map_or(String::new(), |queue| format!("{queue:>8.8} "));
    format!(
        "{id:>13.13} {queue}{user:>8.8} {state:>2.2} {ntasks:>6} {nnodes:>6} {runtime:>7.7} {name}"
    )
}

/// A box in the middle with a text in it.
fn message(text: &str, plain: Plain, screen: &mut Screen) {
    let text = plain.line(text);
    let room = screen.n_columns().saturating_sub(6);
    let text: String = text.chars().take(room).collect();
    let width = text.chars().count() + 4;
    let column = screen.n_columns().saturating_sub(width) / 2;
    let row = screen.n_rows().saturating_sub(3) / 2;
    let edge = "─".repeat(width - 2);
    screen.put(row, column, &format!("┌{edge}┐"), REVERSE);
    screen.put(row + 1, column, &format!("│ {text} │"), REVERSE);
    screen.put(row + 2, column, &format!("└{edge}┘"), REVERSE);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::queue::nodes::QueueNodes;
    use super::super::model::Fixed;
    use super::*;
    use proto::config::Queues;

    fn rset(ranks: &str, hosts: &str) -> Value {
        json!({"version":1,"execution":{"R_lite":[{"rank":ranks,"children":{"core":"0-1"}}],
            "starttime":0.0,"expiration":0.0,"nodelist":[hosts],"properties":{}}})
    }

    /// An instance of four nodes with two jobs at the time 1000.
    fn model() -> Model {
        let counts = json!({"job_states":{"depend":1,"priority":1,"sched":1,"run":2,"cleanup":0,
            "inactive":9,"total":14},"successful":6,"failed":1,"canceled":1,"timeout":1,
            "inactive_purged":0});
        let mut stats = counts.clone();
        let mut of_queue = counts;
        of_queue["name"] = "a".into();
        of_queue["job_states"]["run"] = 1.into();
        stats["queues"] = json!([of_queue]);
        let resources = json!({"all":rset("0-3", "n[0-3]"),"allocated":rset("0", "n0"),
            "down":rset("3", "n3")});
        let jobs = [
            json!({"id":2,"userid":0,"state":16,"name":"inner","ntasks":1,"nnodes":1,"t_run":990.0,
                "queue":"a","annotations":{"user":{"uri":"local:///x"}}}),
            json!({"id":1,"userid":0,"state":32,"name":"sleep\n","ntasks":40,"nnodes":2,
                "t_run":100.0,"queue":"b"}),
        ];
        Model {
            fixed: Fixed {
                title: "ƒX".to_owned(),
                size: 4,
                start: 400.0,
                version: "0.88.0".to_owned(),
                ..Fixed::default()
            },
            stats: Some(serde_json::from_value(stats).unwrap()),
            resources: Some(serde_json::from_value(resources).unwrap()),
            jobs: jobs.map(|job| serde_json::from_value(job).unwrap()).into(),
            ..Model::default()
        }
    }

    fn drawn(model: &Model) -> Screen {
        let mut screen = Screen::new(80, 10);
        draw(model, &Facts::new(1000.0), Plain::default(), &mut screen);
        screen
    }

    fn check(model: &Model, expect: &str) {
        assert_eq!(drawn(model).text(), expect.trim_start_matches('\n'));
    }

    fn queued(queue: Option<usize>) -> Model {
        let config = json!({"queues":{"a":{},"b":{}}});
        let config = Queues::parse(&serde_json::from_value(config).unwrap()).unwrap();
        let mut model = model();
        model.fixed.queues = vec!["a".to_owned(), "b".to_owned()];
        model.fixed.nodes = QueueNodes::of(config);
        model.queue = queue;
        model
    }

    #[test]
    fn the_pane_is_above_the_jobs() {
        check(
            &model(),
            "
ƒ                                        ƒX                                    ∞
    nodes [||||||             ||||||1/4]                    3 pending
    cores [||||||             ||||||2/8]                    2 running
     gpus [                         0/0]                    6 complete, 3 failed

    size: 4  uptime: 10m                                                  0.88.0
        JOBID     USER ST NTASKS NNODES RUNTIME NAME
           ƒ3     root  R      1      1     10s inner
           ƒ2     root  C     40      2     15m sleep\\n",
        );
    }

    #[test]
    fn what_is_known_of_the_instance_is_shown() {
        let mut model = model();
        model.fixed.expiration = 4600.0;
        model.fixed.depth = 2;
        model.fixed.title = "ƒabcdefghij/".repeat(8);
        model.hides_results = true;
        model.heart_until = 1000.1;
        model.jobs.clear();
        check(
            &model,
            "
ƒ     …j/ƒabcdefghij/ƒabcdefghij/ƒabcdefghij/ƒabcdefghij/ƒabcdefghij/       1h⌚
    nodes [||||||             ||||||1/4]                    3 pending
    cores [||||||             ||||||2/8]                    2 running
     gpus [                         0/0]                    9 inactive       ♡

    size: 4  depth: 2  uptime: 10m                                        0.88.0
        JOBID     USER ST NTASKS NNODES RUNTIME NAME",
        );
        model.heart_until = 1000.0;
        assert!(!drawn(&model).text().contains('♡'));
    }

    #[test]
    fn queues_are_a_column_and_a_choice() {
        let mut model = queued(Some(0));
        model.jobs.pop();
        check(
            &model,
            "
ƒ                                        ƒX                                    ∞
    nodes [||||||             ||||||1/4]                    3 pending
    cores [||||||             ||||||2/8]                    1 running
     gpus [                         0/0]                    6 complete, 3 failed

    size: 4  uptime: 10m                                                  0.88.0
        JOBID    QUEUE     USER ST NTASKS NNODES RUNTIME NAME
           ƒ3        a     root  R      1      1     10s inner",
        );
        let mut model = queued(Some(1));
        model.jobs.clear();
        let text = drawn(&model).text();
        assert!(text.ends_with("\nNo jobs to display in queue b"), "{text}");
    }

    #[test]
    fn instances_and_the_selected_job_stand_out() {
        let screen = drawn(&model());
        let look = |row| screen.look(row, 0);
        assert_eq!(look(0), coloured(Colour::Yellow));
        assert_eq!(look(5), USUAL);
        assert_eq!(screen.look(5, GRAPH.0), DIM);
        assert_eq!(look(6), REVERSE);
        let instance = Look {
            is_bold: true,
            is_reverse: true,
            ..coloured(Colour::Blue)
        };
        assert_eq!((look(7), look(8)), (instance, USUAL));
        assert_eq!(screen.look(1, 11), coloured(Colour::Yellow));
        assert_eq!(screen.look(1, 34), coloured(Colour::Red));
    }

    #[test]
    fn keys_move_through_jobs_and_queues() {
        let mut model = queued(None);
        let mut turned = |is_forward| {
            model.turn_queue(is_forward);
            model.queue_name().unwrap_or("all").to_owned()
        };
        let turns = [true, true, true, false, false, false].map(&mut turned);
        assert_eq!(turns, ["a", "b", "all", "b", "a", "all"]);
        let mut selected = |is_forward| {
            model.select(is_forward);
            model.selected
        };
        assert_eq!([true, true, false, false].map(&mut selected), [1, 1, 0, 0]);
    }

    #[test]
    fn a_job_stays_selected_while_others_come_and_go() {
        let mut model = model();
        model.select(true);
        let mut jobs = model.jobs.clone();
        jobs.insert(0, jobs[0].clone());
        model.set_jobs(jobs);
        assert_eq!(model.selected, 2);
        model.set_jobs(vec![model.jobs[0].clone()]);
        assert_eq!(model.selected, 0);
        model.set_jobs(Vec::new());
        assert!(model.selected_job().is_none());
    }

    #[test]
    fn a_message_is_in_front_until_its_end() {
        let mut model = model();
        model.message = Some(("no way".to_owned(), 1001.0));
        assert!(drawn(&model).text().contains("│ no way │"));
        model.message = Some(("no way".to_owned(), 999.0));
        assert!(!drawn(&model).text().contains("no way"));
    }

    #[test]
    fn programs_get_the_same_in_lines() {
        let mut model = model();
        let facts = Facts::new(1000.0);
        let counts = "3 pending\n2 running\n6 complete\n3 failed\nnodes 1/4\ncores 2/8\ngpus 0/0\n";
        let expect = format!("{counts}ƒ3 root R 1 1 10s inner\nƒ2 root C 40 2 15m sleep\\n\n");
        let dump = |model: &Model| model.dump(&facts, Plain::default());
        assert_eq!(dump(&model), expect);
        model = queued(None);
        model.jobs.pop();
        assert_eq!(dump(&model), format!("{counts}ƒ3 a root R 1 1 10s inner\n"));
    }
}
