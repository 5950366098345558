//! Calls on known files run on without a stop, and nothing is missed for it: each mode of known.c is recorded with every call stopped at,
//! and without.

use crate::free::{ran_free, same_facts};
use crate::support::{Place, modes};

#[track_caller]
fn same(mode: &str, often: &str) {
    let place = Place::new();
    let program = place.compile("known", include_str!("known.c"), &["-pthread"]);
    let some = same_facts(&program, mode);
    // Before Linux 6.6 every such call stops.
    if tracer::host::kernel_version() >= Some((6, 6)) {
        assert!(ran_free(&some, &program, often), "{mode}: {often} was stopped at to the end");
    }
}

modes! { same:
    other_uses_are_seen "uses" "openat";
    looks_at_descriptors_are_no_looks_at_files "looks" "newfstatat";
    a_directory_that_is_moved_has_files_of_other_names "moved" "openat";
    so_has_one_that_is_emptied "emptied" "openat";
    a_link_that_leads_elsewhere_is_followed "led" "openat";
    a_relative_name_is_another_file_elsewhere "relative" "openat";
    what_procfs_makes_up_is_the_process_own "own" "openat";
    signals_interrupt_what_they_would "signals" "openat";
    threads_know_the_same "threads" "openat";
    children_are_seen "children" "openat";
    a_file_is_seen_in_each_phase "serving" "openat";
    another_program_knows_nothing "program" "openat";
    #[ignore = "needs root: run by make test"]
    capabilities_for_the_same_file_are_seen "rights" "openat";
    #[ignore = "needs root: run by make test"]
    what_another_user_may_not_is_seen "dropped" "openat";
}
