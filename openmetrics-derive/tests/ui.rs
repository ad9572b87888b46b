//! What people see when they make a mistake: each input in `ui/` beside what the compiler says to it.

#[test]
fn mistakes_say_what_to_write_instead() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
