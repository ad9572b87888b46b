//! Tasks that hung, from `/proc/sys/kernel/hung_task_detect_count`.

use openmetrics::model::Descriptor;

use super::{NodeCollector, Spec};
use crate::families::counter;
use crate::host::{Error, Host, KeptFile};
use crate::page::Page;

pub(super) static SPEC: Spec = Spec {
    name: "kernel_hung",
    enabled: true,
    about: "tasks that hung in the kernel",
    flags: &[],
    build: |setup| {
        let file = KeptFile::single(setup.host.proc("sys/kernel/hung_task_detect_count"));
        Ok(Box::new(KernelHung { file, tasks: None }))
    },
};

static TASKS: Descriptor = counter("node_kernel_hung_tasks_total", "Tasks found hanging since boot.");

struct KernelHung {
    file: KeptFile,
    tasks: Option<u64>,
}

impl NodeCollector for KernelHung {
    fn update(&mut self, _: &mut Host) -> Result<(), Error> {
        self.tasks = None;
        let tasks = self.file.unsigned();
        self.tasks = Some(tasks.map_err(|error| error.or_no_data("the kernel does not count hung tasks"))?);
        Ok(())
    }

    fn emit(&self, out: &mut Page<'_, '_>) {
        if let Some(tasks) = self.tasks {
            out.value(&TASKS, tasks);
        }
    }
}
