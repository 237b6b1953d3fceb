//! The page's files, as they are in `aggregator/page`.

use axum::{Router, http::HeaderMap, response::Response, routing::get};

use super::reply;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Every file with its path and type.
const FILES: [(&str, &str, &str); 10] = [
    ("/", HTML, include_str!("../../page/index.html")),
    ("/page/style.css", CSS, include_str!("../../page/style.css")),
    ("/page/app.js", SCRIPT, include_str!("../../page/app.js")),
    ("/page/api.js", SCRIPT, include_str!("../../page/api.js")),
    (
        "/page/words.js",
        SCRIPT,
        include_str!("../../page/words.js"),
    ),
    ("/page/plot.js", SCRIPT, include_str!("../../page/plot.js")),
    (
        "/page/fleet.js",
        SCRIPT,
        include_str!("../../page/fleet.js"),
    ),
    ("/page/node.js", SCRIPT, include_str!("../../page/node.js")),
    (
        "/page/place.js",
        SCRIPT,
        include_str!("../../page/place.js"),
    ),
    (
        "/page/what-if.js",
        SCRIPT,
        include_str!("../../page/what-if.js"),
    ),
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
