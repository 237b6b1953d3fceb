//! Whether something works, so that its changes are logged and its repetitions are not.

/// The condition of something that is tried again and again.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    /// What hinders it. `None`: nothing, as far as is known.
    trouble: Option<String>,
}

impl Condition {
    /// It failed with `error`. True when that is news.
    pub(crate) fn fails(&mut self, error: &str) -> bool {
        let news = self.trouble.as_deref() != Some(error);
        if news {
            self.trouble = Some(error.to_owned());
        }
        news
    }

    /// It worked. True when it had failed before.
    pub(crate) fn works(&mut self) -> bool {
        self.trouble.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_are_news() {
        let mut condition = Condition::default();
        assert!(!condition.works());
        assert!(condition.fails("refused"));
        assert!(!condition.fails("refused"));
        assert!(condition.fails("no such host"));
        assert!(condition.works());
        assert!(!condition.works());
    }
}
