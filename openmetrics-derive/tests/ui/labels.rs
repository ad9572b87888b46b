use openmetrics::{LabelSet, LabelValue};

#[derive(LabelSet)]
struct Reserved<'a> {
    le: &'a str,
    #[label(rename = "__name__")]
    name: &'a str,
    #[label(rename = "http-method")]
    method: &'a str,
    #[label(rename = "code")]
    status: u16,
    code: u16,
}

#[derive(LabelSet)]
struct Empty {}

#[derive(LabelSet)]
struct Tuple(u8);

#[derive(Clone, Copy, LabelValue)]
#[label(rename_all = "snake")]
enum Case {
    A,
}

#[derive(Clone, Copy, LabelValue)]
enum Twice {
    Get,
    #[label(rename = "get")]
    Again,
    Fields(u8),
    #[label(rename = "")]
    Nothing,
}

#[derive(Clone, Copy, LabelValue)]
struct NoEnum;

fn main() {}
