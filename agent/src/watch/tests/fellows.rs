//! Two watches of one agent that lost the same API server.

use super::kit::{Answer, End, Story, follow_beside, list, modified};

/// A watch that breaks at 9 s; the first pause after that lasts 100 ms at least, the second one 200 ms.
fn broken() -> Vec<Answer> {
    let breaks = Answer::Watch(vec![(9, modified(2, 9))], End::Broken(0));
    vec![list(1, 0), breaks]
}

/// Milliseconds for which the channel was not seen.
fn blind_millis(story: &Story) -> i64 {
    let spell = &story.batch.blind_spells[0];
    let [start, end] = [spell.start_monotonic, spell.end_monotonic].map(|time| {
        let time = time.expect("a time");
        time.seconds * 1000 + i64::from(time.nanos / 1_000_000)
    });
    end - start
}

fn well() -> Answer {
    Answer::Watch(vec![(0, modified(3, 9))], End::Never)
}

#[tokio::test(start_paused = true)]
async fn when_one_gets_an_answer_the_other_one_asks_at_once() {
    let mut script = broken();
    script.push(well());
    let story = follow_beside(20, script, &[9050]).await;
    assert_eq!(blind_millis(&story), 50);
}

#[tokio::test(start_paused = true)]
async fn answers_that_come_to_nothing_do_not_make_them_chase_each_other() {
    let mut script = broken();
    script.extend([Answer::Refused, well()]);
    let story = follow_beside(20, script, &[9050, 9060, 9070]).await;
    assert!(blind_millis(&story) >= 250, "{}", blind_millis(&story));
}
