//! What goes wrong, in words that say what to do, and the exit code it leads to.

use tonic::{Code, Status};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line makes no sense, as far as it can be told here or by the aggregator.
    #[error("{0}")]
    Usage(String),
    /// Who asks is not known to the aggregator, or may not ask.
    #[error("{0}")]
    Denied(String),
    /// Whoever read the answer has gone.
    #[error("nobody reads the answer")]
    Unread,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// Something failed.
    #[error("{}", told(.0))]
    Failed(anyhow::Error),
}

impl Failure {
    /// `EX_USAGE` of sysexits.h.
    pub const BAD_ARGUMENTS: u8 = 64;

    /// The exit code: 0 where it is no failure of ours.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => Self::BAD_ARGUMENTS,
            Self::Unread => 0,
            // What a shell reports for a process that was interrupted.
            Self::Interrupted => 130,
            Self::Denied(_) | Self::Failed(_) => 1,
        }
    }

    /// Whether the same question may be answered later: nothing that was asked, or who asked, is the reason.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Failed(_))
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The error with what led to it, each said once: some errors quote their source, others do not.
fn told(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |said, cause| {
            match (said.is_empty(), said.contains(&cause)) {
                (true, _) => cause,
                (false, true) => said,
                (false, false) => format!("{said}: {cause}"),
            }
        })
}

/// The aggregator's refusal of a question, with what to do about it.
pub fn refused(question: &str, status: &Status) -> Failure {
    let said = status.message();
    let advice = match status.code() {
        Code::InvalidArgument => return Failure::Usage(said.to_owned()),
        Code::NotFound => return Failure::Failed(anyhow::anyhow!("{said}")),
        Code::Unauthenticated => {
            "it asks who you are: give --token or --token-file with a token that it accepts"
        }
        Code::PermissionDenied => {
            "who you are may not ask it: see \"Who is believed\" in nodegrace's README"
        }
        Code::DeadlineExceeded | Code::Cancelled => {
            "it took too long: give a longer --request-timeout, or look at the aggregator's log"
        }
        Code::ResourceExhausted => "it has its hands full: ask again in a moment",
        Code::Unimplemented => "it is older than this program, or no aggregator of nodegrace",
        _ => "see that it runs, and that nothing else listens there",
    };
    let reason = root_cause(status).unwrap_or_else(|| said.to_owned());
    let words = format!("the aggregator did not answer {question}: {reason}; {advice}");
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Failure::Denied(words),
        _ => Failure::Failed(anyhow::anyhow!("{words}")),
    }
}

/// What lies beneath "transport error", which says nothing.
fn root_cause(status: &Status) -> Option<String> {
    let mut source = std::error::Error::source(status)?;
    let mut said = source.to_string();
    while let Some(deeper) = source.source() {
        source = deeper;
        said = source.to_string();
    }
    Some(said)
}
