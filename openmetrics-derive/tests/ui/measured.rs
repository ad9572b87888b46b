use openmetrics::measured;

#[measured(prefix = "db_", prefx = "x", fallible = 3)]
fn prefixes() {}

#[measured(prefix = "db", calls = CALLS)]
fn both() {}

#[measured]
const fn constant() {}

#[measured]
fn _private() {}

#[measured]
struct NoFunction {}

trait Store {
    #[measured]
    fn put(&self);
}

fn main() {
    prefixes();
}
