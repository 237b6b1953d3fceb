//! The page's files, as they are in `aggregator/page`.

use axum::{Router, http::HeaderMap, response::Response, routing::get};

use super::reply;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page by its name: its path, its type and what is in it.
macro_rules! file {
    ($name:literal, $kind:expr) => {
        (
            concat!("/page/", $name),
            $kind,
            include_str!(concat!("../../page/", $name)),
        )
    };
}

/// Every file.
const FILES: [(&str, &str, &str); 16] = [
    ("/", HTML, include_str!("../../page/index.html")),
    file!("style.css", CSS),
    file!("api.js", SCRIPT),
    file!("app.js", SCRIPT),
    file!("course.js", SCRIPT),
    file!("endpoints.js", SCRIPT),
    file!("fleet.js", SCRIPT),
    file!("glance.js", SCRIPT),
    file!("node.js", SCRIPT),
    file!("place.js", SCRIPT),
    file!("plot.js", SCRIPT),
    file!("rows.js", SCRIPT),
    file!("story.js", SCRIPT),
    file!("table.js", SCRIPT),
    file!("what-if.js", SCRIPT),
    file!("words.js", SCRIPT),
];

/// True for the path of a file, which says nothing of any node: the page has to be there before somebody can show it a token.
pub(crate) fn is_file(path: &str) -> bool {
    FILES.iter().any(|(file, ..)| *file == path)
}

pub(super) fn routes() -> Router {
    FILES
        .into_iter()
        .fold(Router::new(), |router, (path, kind, text)| {
            let answer = async move |headers: HeaderMap| -> Response {
                reply::fresh(&headers, kind, text.to_owned())
            };
            router.route(path, get(answer))
        })
}
