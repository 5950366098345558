//! Calls on known files run on without a stop, and nothing is missed for it: each mode of known.c is recorded with every call stopped at,
//! and without.

use crate::free::{ran_free, same_facts};
use crate::support::Place;

#[track_caller]
fn same(mode: &str) {
    let place = Place::new();
    let program = place.compile("known", include_str!("known.c"), &["-pthread"]);
    let some = same_facts(&program, mode);
    // Before Linux 6.6 every such call stops.
    if tracer::host::kernel_version() >= Some((6, 6)) {
        assert!(ran_free(&some, &program, "openat"), "{mode}: openat was stopped at to the end");
    }
}

macro_rules! modes {
    ($($(#[$attribute:meta])* $name:ident $mode:literal;)*) => {$(
        #[test]
        $(#[$attribute])*
        fn $name() {
            same($mode);
        }
    )*};
}

modes! {
    other_uses_are_seen "uses";
    a_directory_that_is_moved_has_files_of_other_names "moved";
    so_has_one_that_is_emptied "emptied";
    a_link_that_leads_elsewhere_is_followed "led";
    a_relative_name_is_another_file_elsewhere "relative";
    what_procfs_makes_up_is_the_process_own "own";
    signals_interrupt_what_they_would "signals";
    threads_know_the_same "threads";
    children_are_seen "children";
    another_program_knows_nothing "program";
    #[ignore = "needs root: run by make test"]
    capabilities_for_the_same_file_are_seen "rights";
    #[ignore = "needs root: run by make test"]
    what_another_user_may_not_is_seen "dropped";
}
