//! The parameters of a request. One that is not known is refused: a misspelt filter would otherwise return everything.

use super::Problem;
use axum::extract::Query as Pairs;
use axum::http::Uri;

/// How many items a page has unless the request says.
const LIMIT: usize = 100;
/// How many it may have.
const MOST: usize = 1000;

/// Parameters, each at most once.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads those of `uri`, which may be these.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Query, Problem> {
        let Ok(Pairs(pairs)) = Pairs::<Vec<(String, String)>>::try_from_uri(uri) else {
            return Err(Problem::bad_request("the query cannot be read", "write NAME=VALUE pairs, joined by &"));
        };
        for (n, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let hint =
                    if known.is_empty() { "it takes none".into() } else { format!("it takes {}", known.join(", ")) };
                return Err(Problem::bad_request(format!("there is no parameter {}", quoted(name)), hint));
            }
            if pairs.iter().take(n).any(|(earlier, _)| earlier == name) {
                return Err(Problem::bad_request(format!("{name} stands twice"), "give it once"));
            }
        }
        Ok(Query(pairs))
    }

    /// A parameter's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// `limit`: how many items the page may have.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        let Some(text) = self.get("limit") else { return Ok(LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
        limit.ok_or_else(|| wrong("limit", text, &format!("write a whole number from 1 to {MOST}")))
    }
}

/// 400 for a parameter's value.
pub(super) fn wrong(name: &str, value: &str, hint: &str) -> Problem {
    Problem::bad_request(format!("{name} is {}", quoted(value)), hint)
}

/// 400 for a `page` that no answer gave.
pub(super) fn wrong_page(value: &str) -> Problem {
    wrong("page", value, "give what stood as next in the answer to the same query, or leave it out")
}

fn quoted(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    let rest = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{rest}")
}
