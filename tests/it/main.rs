//! What users are promised, one module per behaviour, on the store in memory and on a real Redis.

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "testing")]
mod additive_schema;
#[cfg(feature = "testing")]
mod additive_tags;
mod advice;
mod after_commit;
#[cfg(feature = "testing")]
mod answers;
mod bad_network;
mod batch_answers;
mod batch_lifetimes;
mod batch_refreshes;
mod batch_tags;
mod batch_versions;
mod batches;
mod blanket_traits;
mod bodies_of_methods;
mod builder;
#[cfg(feature = "testing")]
mod caches_of_one_process;
mod catalog;
mod catalog_keys;
mod catalog_types;
mod checked;
mod clocks_apart;
mod commands;
#[cfg(feature = "zstd")]
mod compression;
mod condition;
mod configured_parameters;
mod connecting;
mod connections;
mod constant_times;
mod current;
mod cut_connections;
mod dashboards;
mod default_keys;
#[cfg(feature = "testing")]
mod deferred_and_shared;
mod deferred_invalidations;
mod direct;
#[cfg(feature = "testing")]
mod dropped_at_every_await;
#[cfg(feature = "testing")]
mod dropped_callers;
mod dropped_leader;
mod dropped_writer;
mod drops;
mod durations;
mod early_expiry;
mod entries;
mod events;
mod events_durable;
mod failing_load;
mod failover_epoch;
mod failover_replay;
mod faults_table;
#[cfg(feature = "testing")]
mod faulty_store;
mod foreign_bytes;
mod foreign_redis_types;
mod found_tags;
mod full_server;
mod guard;
mod guard_killed_process;
mod health;
mod held_batches;
mod hidden_by_serde;
#[cfg(feature = "testing")]
mod ingestion;
mod ingestion_durable;
mod instances;
mod instantiations;
mod keys;
mod killed_process;
#[cfg(feature = "testing")]
mod lapsed_leases;
mod large_values;
mod loads_in_place;
mod loads_of_own_keys;
mod local;
mod local_stress;
mod lock;
#[cfg(feature = "testing")]
mod log_floods;
mod lost_generation;
mod macros;
mod many_processes;
mod minimal_user;
mod negative;
mod nested;
mod no_merged_invalidation;
mod no_redis_at_start;
mod numbers;
mod odd_server;
mod odd_settings;
mod on_a_cluster;
mod one_load;
#[cfg(feature = "testing")]
mod one_load_without_redis;
mod only_ok_is_kept;
mod open_transactions;
mod operator;
#[cfg(feature = "testing")]
mod overtaken_loads;
mod owned_loads;
mod panicking_load;
mod patterns;
mod per_call;
mod policies;
mod read_only_server;
mod readable_payloads;
mod recipes;
mod redis_gone;
mod refresh_ahead;
mod removed_as_one;
mod replica_lag;
mod requests;
mod revalidation;
mod rollout;
mod rooms;
mod runtimes;
mod secrets;
mod sentinel;
#[cfg(feature = "testing")]
mod settled;
mod settled_local;
mod several_attributes;
mod shapes_out_of_sight;
mod shared_values;
mod short_programs;
mod silent_server;
mod sizing;
mod spans;
mod stale_if_error;
mod stale_while_revalidate;
mod stampedes;
mod stats;
mod tag_lives;
mod tagged_batches;
mod tagged_readers;
mod tags;
mod tags_barred;
#[cfg(feature = "testing")]
mod testing_kit;
mod timeouts;
#[cfg(feature = "tls")]
mod tls;
mod ttl;
mod two_releases;
mod unheard_warnings;
mod unreadable_types;
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
