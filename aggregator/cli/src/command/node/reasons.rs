//! Why a node's heartbeats were late: its habits, the longest gap that is explained, and what its causes add up to.

use nodegrace_proto::v1;

use crate::show::{
    figure,
    line::wrapped,
    screen::Screen,
    section::title,
    table::{Column, Form, table},
};

const TOTALS: &[Column<v1::CauseTotal>] = &[
    Column::text("CAUSE", |total, _| figure::cause(total.kind()).into()),
    Column::figure("GAPS", |total, _| total.gaps.to_string().into()),
    Column::figure("ACCOUNTS-FOR", |total, _| {
        figure::seconds(total.accounts_for).into()
    }),
    Column::text("LAST", |total, _| figure::moment(total.last_time).into()),
];

/// The reasons. Empty: none of its heartbeats was late.
pub(super) fn reasons(node: &v1::Node, longest: Option<&v1::Gap>, screen: &Screen) -> String {
    let (mut text, mut advised) = (String::new(), Vec::new());
    for habit in &node.habits {
        let (period, nominal) = (
            figure::seconds(habit.period),
            figure::seconds(habit.nominal),
        );
        let channel = figure::channel(habit.channel());
        let fact = format!("As a rule its {channel} comes every {period} and not every {nominal}.");
        text += &told(&fact, &habit.causes, &mut advised, screen);
    }
    if let Some(gap) = longest {
        let (length, end) = (figure::seconds(gap.duration), figure::moment(gap.end_time));
        let fact = format!("Its longest explained gap took {length} and ended {end}.");
        text += &told(&fact, &gap.causes, &mut advised, screen);
    }
    if !text.is_empty() {
        text = title("Why it was late", screen) + &text;
    }
    if !node.causes.is_empty() {
        let form = Form {
            wide: false,
            titles: true,
        };
        text += &title("Causes of its late gaps", screen);
        text += &table(TOTALS, &node.causes, form, screen);
    }
    text
}

/// A fact, the sentence of each of its causes, and what acts on the first one, as far as that was not `advised` before.
fn told<'a>(
    fact: &str,
    causes: &'a [v1::Cause],
    advised: &mut Vec<&'a v1::Knob>,
    screen: &Screen,
) -> String {
    let width = screen.text_width();
    let sentences = causes.iter().map(|cause| cause.sentence.as_str());
    let paragraph: Vec<&str> = std::iter::once(fact).chain(sentences).collect();
    let mut text = wrapped(&paragraph.join(" "), "  ", width);
    for knob in causes.first().iter().flat_map(|cause| &cause.knobs) {
        if advised.contains(&knob) {
            continue;
        }
        advised.push(knob);
        let advice = format!("-> {}: {}", knob.setting, knob.advice);
        text += &wrapped(&advice, "     ", width);
    }
    text
}
