//! `doc/rpc/`: one page a service, from the declarations in `proto`, and an index.

use std::fmt::Write;

use proto::schema::Schema;
use proto::{Answer, Declared, Role, Service};

use super::schema::fields;
use super::{Page, banner, cell};

/// A page for each service, and `rpc/README.md` that lists every method.
pub fn pages() -> Vec<Page> {
    let services = proto::services();
    let mut pages: Vec<Page> = services
        .iter()
        .map(|service| Page {
            path: format!("rpc/{}.md", slug(service.name)),
            text: service_page(service),
        })
        .collect();
    pages.push(Page {
        path: "rpc/README.md".to_owned(),
        text: index(&services),
    });
    pages
}

/// The heading of a method on the page of its service.
fn heading(topic: &str) -> &str {
    topic.split_once('.').map_or(topic, |(_, method)| method)
}

/// Name of that heading in links, on every site.
pub fn anchor(topic: &str) -> String {
    let letters = heading(topic).chars().filter(|letter| *letter != '.');
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A service's name as a file name.
pub fn slug(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

fn index(services: &[Service]) -> String {
    let mut page = banner("crates/proto/src");
    page.push_str(
        "# Every method\n\n| topic | who | answers | what it does |\n|---|---|---|---|\n",
    );
    for service in services {
        for method in service.methods {
            let file = slug(service.name);
            // Writing to a String cannot fail.
            let _ = writeln!(
                page,
                "| [{topic}]({file}.md#{anchor}) | {who} | {answers} | {what} |",
                topic = method.topic,
                anchor = anchor(method.topic),
                who = who(method.role),
                answers = answers(method.answer),
                what = cell(method.summary),
            );
        }
    }
    page
}

fn service_page(service: &Service) -> String {
    let mut page = banner("crates/proto/src");
    let _ = writeln!(page, "# {}", service.name);
    for method in service.methods {
        page.push_str(&method_section(method));
    }
    page
}

fn method_section(method: &Declared) -> String {
    let again = match (method.idempotent, method.recognised) {
        (true, _) => "yes",
        (_, true) => "recognised",
        _ => "no",
    };
    let mut section = format!(
        "\n## {}\n\n`{}` · {} · answers: {} · safe to repeat: {again}\n\n{}\n",
        heading(method.topic),
        method.topic,
        who(method.role),
        answers(method.answer),
        method.summary,
    );
    if let Some(cancel) = method.cancel {
        let _ = writeln!(
            section,
            "\nThe request may be taken back with `{cancel}` too."
        );
    }
    section.push_str(&payload("Request", (method.request_schema)()));
    if method.answer != Answer::Nothing {
        section.push_str(&payload("Response", (method.response_schema)()));
    }
    if !method.errors.is_empty() {
        section.push_str("\n| error | number | text |\n|---|---|---|\n");
        for error in method.errors {
            let number = error.errno.name().unwrap_or("?");
            let text = if error.text.is_empty() {
                "that of the number"
            } else {
                error.text
            };
            let _ = writeln!(section, "| {} | {number} | {} |", error.name, cell(text));
        }
    }
    section
}

pub(super) fn payload(title: &str, schema: Option<Schema>) -> String {
    let Some(schema) = schema else {
        return format!("\n{title}: no payload, or raw bytes.\n");
    };
    let fields = fields(schema.as_value());
    if fields.is_empty() {
        return format!("\n{title}: an object of any keys.\n");
    }
    let mut table = format!("\n{title}:\n\n| key | type | | meaning |\n|---|---|---|---|\n");
    for field in fields {
        let needed = if field.required { "" } else { "optional" };
        let _ = writeln!(
            table,
            "| {} | {} | {needed} | {} |",
            field.key,
            cell(&field.kind),
            cell(&field.meaning)
        );
    }
    table
}

pub(super) fn who(role: Role) -> &'static str {
    match role {
        Role::ALL => "anyone",
        role if role.meets(Role::USER) => "owner and users",
        _ => "owner",
    }
}

fn answers(answer: Answer) -> &'static str {
    match answer {
        Answer::Once => "once",
        Answer::Later => "once, it may wait",
        Answer::Stream => "stream",
        Answer::Either => "once or stream",
        Answer::Nothing => "never",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_name_becomes_a_file_name() {
        assert_eq!(slug("module (every one)"), "module-every-one");
        assert_eq!(slug("job-manager"), "job-manager");
    }

    #[test]
    fn every_method_has_a_section_that_the_index_links_to() {
        let pages = pages();
        let index = &pages.last().expect("the index is the last page").text;
        for service in proto::services() {
            let file = slug(service.name);
            let path = format!("rpc/{file}.md");
            let page = pages
                .iter()
                .find(|page| page.path == path)
                .expect("a page a service");
            for method in service.methods {
                let anchor = anchor(method.topic);
                assert!(
                    page.text
                        .contains(&format!("\n## {}\n", heading(method.topic))),
                    "{}",
                    method.topic
                );
                assert!(
                    index.contains(&format!("({file}.md#{anchor})")),
                    "{}",
                    method.topic
                );
            }
        }
    }
}
