//! What users are promised, one module per behaviour, on the store in memory and on a real Redis.
//!
//! The letters and numbers are those of the ways in which other caches were seen to fail: T for
//! races and crashes, K for keys and values, F for failures of the server.

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "testing")]
mod additive_schema;
#[cfg(feature = "testing")]
mod additive_tags;
mod after_commit;
#[cfg(feature = "testing")]
mod answers;
mod batch_tags;
mod batches;
mod blanket_traits;
mod bodies_of_methods;
mod builder;
#[cfg(feature = "testing")]
mod caches_of_one_process;
mod catalog;
mod catalog_keys;
mod catalog_types;
mod commands;
mod condition;
mod configured_parameters;
mod connecting;
mod connections;
mod constant_times;
mod current;
mod cut_connections;
mod direct;
#[cfg(feature = "testing")]
mod dropped_at_every_await;
mod early_expiry;
mod events;
mod events_durable;
mod f10_durations;
mod f11_secrets;
mod f1_no_redis_at_start;
mod f2_bad_network;
mod f2_redis_gone;
mod f3_silent_server;
#[cfg(feature = "testing")]
mod f4_one_load_without_redis;
mod f5_journal;
mod f6_full_server;
mod f7_readonly;
#[cfg(feature = "tls")]
mod f9_tls;
mod failover_epoch;
mod failover_replay;
mod faults_table;
#[cfg(feature = "testing")]
mod faulty_store;
mod found_tags;
mod guard;
mod guard_killed_process;
mod health;
mod hidden_by_serde;
#[cfg(feature = "testing")]
mod ingestion;
mod instances;
mod instantiations;
mod k1_keys;
mod k2_default_keys;
mod k4_two_versions;
mod k5_unreadable_types;
mod k6_foreign_bytes;
mod k6_foreign_types;
mod k7_only_ok_is_kept;
#[cfg(feature = "testing")]
mod lapsed_leases;
mod large_values;
mod loads_in_place;
mod loads_of_own_keys;
mod lock;
#[cfg(feature = "testing")]
mod log_floods;
mod macros;
mod minimal_user;
mod negative;
mod nested;
mod odd_server;
mod odd_settings;
mod open_transactions;
mod owned_loads;
mod patterns;
mod per_call;
mod policies;
mod readable_payloads;
mod refresh_ahead;
mod removed_as_one;
mod replica_lag;
mod revalidation;
mod rollout;
mod rooms;
mod runtimes;
mod several_attributes;
mod shapes_out_of_sight;
mod shared_values;
mod short_programs;
mod stale_if_error;
mod stale_while_revalidate;
mod stampedes;
mod stats;
mod t11_tag_lives;
mod t12_lost_generation;
mod t13_clocks_apart;
mod t1_no_stale_read;
mod t1_tags;
mod t2_no_merged_invalidation;
mod t3_dropped_writer;
mod t4_dropped_leader;
mod t5_panicking_load;
mod t6_killed_process;
mod t7_failing_load;
mod t8_one_load;
mod tags;
mod tags_barred;
#[cfg(feature = "testing")]
mod testing_kit;
mod timeouts;
mod ttl;
mod unheard_warnings;
mod update;
mod update_versioned;
mod versions;
mod wait_budget;
#[cfg(feature = "testing")]
mod wait_budget_without_store;
mod warm_up;
mod write_through;
mod writers;
mod written_tags;
mod zombie_fill;
