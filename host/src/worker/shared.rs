//! Shared fixtures, where they stand: set up in an instance each, which stays until it is
//! taken down.

use super::current::Current;
use super::execute::Executor;
use super::fixture_instance::SharedFixture;
use crate::event::{Cause, SetupRun, SuiteFailure, SuitePart, TestOutput};
use crate::harness::sdk;
use crate::protocol::suites::ValueNumber;
use crate::protocol::{Expect, FromWorker, SetUp, SharedSetupError, SharedTask, Task, TaskNumber};
use crate::sandbox::live::MAX_VALUE;
use serde_bytes::ByteBuf;
use std::sync::Arc;

/// As with tests, `None` is for what was given up meanwhile.
impl Executor {
    /// Sets up a shared fixture, in an instance that stays.
    pub(super) fn set_up(
        &mut self,
        shared: SharedTask,
        current: &Current,
    ) -> Option<Result<SetUp, SharedSetupError>> {
        let SharedTask {
            number,
            module,
            of,
            around,
            travels,
            timeout,
            limit_of,
            fixtures,
        } = shared;
        let path = around.steps.last().map(|s| s.path.clone());
        let task = Arc::new(Task {
            number: TaskNumber(u64::MAX),
            module,
            path: of.clone(),
            harness: sdk::NAME,
            export: None,
            ignored: false,
            data: String::new(),
            expect: Expect::Pass,
            timeout,
            limit_of,
            max_memory: None,
            fixtures,
            snapshot: None,
            around: Some(Box::new(around)),
        });
        let mut instance = match self.open(&task, current)? {
            Ok(instance) => instance,
            Err(why) => return Some(Err(why.into())),
        };
        let result = self.ensure(&mut instance, &task, current)?;
        self.tell_logs(number, instance.take_report());
        let value = match result {
            Ok(()) if travels => match instance.live().value() {
                Some(value) if value.len() <= MAX_VALUE => Ok(Some(ByteBuf::from(value))),
                value => {
                    let why = match value {
                        Some(_) => format!("its value takes more than {} MiB", MAX_VALUE >> 20),
                        None => "it left no value".to_owned(),
                    };
                    let (path, cause) = (path.unwrap_or_default(), Cause::new(why));
                    let failure = SuiteFailure::new(of, path, SuitePart::Setup, cause);
                    Err(SharedSetupError::Failed(Box::new(failure)))
                }
            },
            Ok(()) => Ok(None),
            Err(why) => Err(why.into()),
        };
        match value {
            Ok(value) => {
                let wrote = instance.wrote(SetupRun::Shared);
                self.shared.push(SharedFixture {
                    number,
                    task,
                    instance,
                });
                Some(Ok(SetUp { value, wrote }))
            }
            // what was set up around it comes down again
            Err(e) => {
                self.close(instance, &task, false, current)?;
                Some(Err(e))
            }
        }
    }

    /// What a shared fixture logs belongs to no test.
    fn tell_logs(&mut self, number: ValueNumber, report: TestOutput) {
        let TestOutput {
            mut logs,
            attachments,
            ..
        } = report;
        logs.extend(attachments.iter().map(|a| {
            let bytes = a.content.len();
            format!(
                "attached {} ({}, {bytes} bytes), which is not kept",
                a.name, a.media_type
            )
        }));
        if !logs.is_empty() {
            (self.tell)(&FromWorker::Logged(number, logs));
        }
    }

    /// Takes a shared fixture down.
    pub(super) fn tear_down(
        &mut self,
        number: ValueNumber,
        current: &Current,
    ) -> Option<Vec<SuiteFailure>> {
        let Some(at) = self.shared.iter().position(|s| s.number == number) else {
            return Some(Vec::new());
        };
        let SharedFixture { task, instance, .. } = self.shared.remove(at);
        let report = self.close(instance, &task, true, current)?;
        self.tell_logs(number, report.report);
        Some(report.failures)
    }
}
