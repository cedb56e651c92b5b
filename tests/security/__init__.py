"""What must be withstood, the guards against it, and for each a test that was seen to fail without it.

Each row was tried: the guard alone (where two are named, both) was taken out, by a condition made false, a call left
out, or a secret put into the message, and the test failed. Guards are functions, classes and constants of ``ccproxy``
or ``ccproxy.listener``, or data. Tests are of this folder, or of ``tests`` where no such file is here; their ``test_``
is left out. What was seen in place of a refusal:

=======  ==============================================================================================================
passed   the check accepted what it must refuse
let in   somebody was served who must not be
sent     the request left, or left with what must not go along
dialled  a connection was tried
leaked   a secret was found, or came to the wrong host
open     others could read it
hung     no end came, or no answer
cut      the rest of an answer was lost
later    another guard refused it, in other words
tried    a download that was put there was seen
found    what was changed there was named
=======  ==============================================================================================================

Threat 1: a sentinel, or its credential, to the wrong host

guard._check_origin                 passed  guard: a_credential_goes_nowhere_else
routing._by_rule                    later   departure: a_rule_cannot_send_a_credential_to_nearly_the_right_place
guard._check_names                  sent    web_ui: a_held_request_is_judged_again_when_it_was_edited
guard._agreed_host                  passed  guard: host_must_be_there_once_and_agree_with_the_request_line
guard.check_jailed                  passed  guard: in_a_jail_the_names_must_agree_beside_a_sentinel
guard._check_reach                  passed  guard: a_host_that_two_programs_could_read_differently_is_refused
guard.check_egress                  sent    departure: a_sentinel_is_never_sent_when_the_hook_is_not_configured
config.origin.parse_host            passed  departure: a_host_that_can_be_read_in_two_ways_is_no_configuration
config.providers.Provider           passed  departure: a_credential_over_plain_http_is_no_configuration
forward.clean                       later   departure: every_name_that_is_said_is_the_providers
exchange.may_leave                  later   web_ui: a_held_request_cannot_be_sent_elsewhere_with_its_credential
exchange.may_leave                  sent    web_ui: a_held_request_is_judged_again_when_it_was_edited
addon.tls_start_server              sent    tls: no_credential_for_a_certificate_that_proves_nothing
addon.replace                       sent    tls: an_unverified_connection_is_not_used_again_for_a_credential
sidecar.transport.SafeTransport     sent    sidecar/serve: redirect_goes_to_the_client

Threat 2: an upstream says the credential back

respond.let_through                 leaked  reflection: a_reflected_credential_is_blanked
respond.scrub_fields                leaked  reflection: a_reflected_credential_is_blanked
respond.withhold                    leaked  reflection: a_reflected_credential_is_blanked
respond.let_through                 leaked  reflection: a_reason_phrase_is_no_hiding_place
respond.end_interim                 hung    reflection: no_upstream_turns_its_connection_into_a_tunnel
addon.response                      leaked  smuggling: trailers_of_an_answer_end_it
flows.scrub_stream.Needles          leaked  reflection: a_reflected_credential_is_blanked
auth.credentials.add_secret         leaked  reflection: a_reflected_credential_is_blanked
exchange.outgoing                   leaked  web_ui: a_credential_is_in_no_flow_even_when_it_was_forgotten

Threat 3: one provider's credential, cookies or account to another

guard.strip_foreign                 sent    departure: cookies_and_account_headers_of_one_vendor_do_not_reach_another
sentinel.remove                     sent    departure: cookies_and_account_headers_of_one_vendor_do_not_reach_another
sentinel.find                       sent    departure: two_sentinels_are_refused
forward.credential                  leaked  replay: a_request_from_before_a_reload_does_not_get_the_new_credential
auth.credentials.renew              leaked  replay: a_401_from_before_a_reload_is_not_answered_with_the_new_credential
upstream.machine.judge              sent    replay: a_replay_goes_to_the_same_host_and_once

Threat 5: requests to ourselves, to metadata services, to private addresses

guard._check_reach                  dialled departure: metadata_and_disguised_addresses_are_refused
addresses.embedded                  dialled departure: metadata_and_disguised_addresses_are_refused
guard._check_reach                  dialled departure: our_own_ports_are_refused
guard._check_reach                  passed  guard: private_addresses_need_to_be_named
guard.check_dialled                 sent    departure: a_name_that_leads_to_our_own_port_is_hung_up_on
addon.check_own                     dialled listener/detours: nothing_goes_to_somebody_else_on_the_sidecars_port
sidecar.admission.Admission         let in  doors: the_sidecar_wants_the_listeners_token
sidecar.order.Policy                dialled doors: the_sidecar_goes_only_where_the_configuration_says
guard.check_egress                  passed  sidecar/order: own_ports_are_refused_even_if_the_configuration_names_them

Threat 6: a web page that talks to localhost

guard.check_ingress                 let in  arrival: a_rebound_or_malformed_host_is_refused
guard.check_ingress                 let in  arrival: a_foreign_page_is_refused_in_the_clients_own_format
guard.check_ingress                 let in  doors: a_foreign_page_reaches_no_endpoint_of_the_listener
sentinel.is_json                    let in  arrival: a_sentinel_in_the_query_needs_a_json_body
master.GuardedApp                   let in  arrival: the_other_doors_refuse_foreign_pages
options.protect                     let in  arrival: the_web_ui_wants_its_token
mcp.door._refuse_names              let in  arrival: the_other_doors_refuse_foreign_pages
mcp.door._refuse_token              let in  mcp/door: a_token_counts_whoever_shows_it
builtin.builtin_api                 let in  doors: notify_keeps_nothing_while_it_is_not_built
ingress.check                       let in  streamed_bodies: what_is_streamed_through_has_the_same_limit
attempt.state_consume_request_body  let in  doors: no_door_takes_a_body_without_end
mcp.app.make_app                    hung    doors: no_door_takes_a_body_without_end
master.UPLOAD_BYTES                 hung    doors: no_door_takes_a_body_without_end
sidecar.app.read_body               let in  sidecar/serve: body_beyond_the_limit_is_refused_declared_or_not

Threat 7: tricks with Host, and paths judged after decoding

guard._agreed_host                  passed  guard: host_must_be_there_once_and_agree_with_the_request_line
guard._read_host                    let in  arrival: a_rebound_or_malformed_host_is_refused
mcp.door._refuse                    let in  mcp/door: health_needs_no_token_but_only_spelt_so
uv.lock                             found   supply_chain: no_version_with_a_known_hole_is_locked

Threat 8: request smuggling

guard.check_egress                  sent    web_ui: a_held_request_is_judged_again_when_it_was_edited
auth.token.clean_token              hung    departure: a_credential_that_would_break_the_message_is_not_sent
guard.strip_hop_by_hop              sent    departure: cookies_and_account_headers_of_one_vendor_do_not_reach_another
options.later_options               sent    smuggling: no_malformed_http2_request_is_sent_on
addon.request                       sent    smuggling: trailers_of_a_request_do_not_leave
forward.commit                      sent    smuggling: a_body_that_a_hook_wrote_has_one_length
attempt.tell                        hung    streamed_bodies: after_an_early_answer_the_rest_of_a_body_is_no_request
answer.watch                        cut     smuggling: no_chunk_is_empty_before_the_last

Threat 9: secrets where they stay or are shown

flows.pack._body                    leaked  canary: no_secret_is_in[state]
flows.pack._document                leaked  canary: no_secret_is_in[state]
flows.own_keys.own_keys             leaked  canary: no_secret_is_in[state]
flows.pack._without_named_secrets   leaked  flows/pack: secret_headers_are_cut_by_name_and_the_sentinel_stays
shown.clean                         leaked  canary: no_secret_is_in[web UI]
shown.CleanEvents                   leaked  canary: no_secret_is_in[web UI]
logs.scrub_with                     leaked  canary: no_secret_is_in[log]
options.quote_nothing               leaked  canary: no_secret_is_in[log]
pipeline.run._log                   leaked  pipeline/run: the_log_gets_no_message
failures.in_words                   leaked  canary: no_secret_is_in[client]
auth.command.run_command            leaked  canary: no_secret_is_in[client]
auth.command.child_environ          leaked  canary: no_child_is_given_what_lets_it_spend
config.plain.plain                  leaked  canary: no_secret_is_in[command line]
cli.listener.set_key_log            leaked  canary: no_core_file_and_no_key_log
control.hardening.forbid_core_dumps open    canary: no_core_file_and_no_key_log
serve.write_private                 open    canary: everything_is_the_users_own
logs.LogFile                        open    canary: everything_is_the_users_own

Threat 16: hooks that fail, and headers that switch them off

pipeline.run._step                  sent    departure: a_broken_credential_hook_stops_the_request
pipeline.overrides.take             passed  pipeline/overrides: a_critical_hook_is_immune
pipeline.run._step                  passed  pipeline/run: a_critical_hook_runs_even_if_somebody_found_a_way_to_skip_it
pipeline.overrides.take, pipeline.run._step later   departure: a_header_cannot_switch_off_the_credential_hook
ingress.begin                       let in  departure: a_header_of_ours_neither_comes_to_a_hook_nor_leaves_by_one
forward.clean                       sent    departure: a_header_of_ours_neither_comes_to_a_hook_nor_leaves_by_one
addon.forward                       later   departure: a_broken_credential_hook_stops_the_request

Threat 18: the supply chain

uv.lock                             found   supply_chain: every_file_of_every_package_has_a_hash
pyproject.toml                      found   supply_chain: requirements_come_from_the_registry_alone
uv.lock                             found   supply_chain: the_lock_is_of_this_project
site-packages/*.pth                 found   supply_chain: nothing_that_is_brought_along_runs_at_the_start
serve.serve                         tried   supply_chain: it_works_where_there_is_no_network

Threat 19: other users of the machine

guard.check_client                  let in  arrival: another_user_cannot_spend_the_credential
guard.check_client                  let in  unknown_user: a_client_whose_user_cannot_be_told_needs_trust
peer.peer_uid                       let in  arrival: another_user_cannot_spend_the_credential
mcp.door._refuse_user               let in  doors: another_user_does_not_read_flows_by_mcp
sidecar.admission.Admission         let in  doors: another_user_with_a_stolen_token_is_not_served_by_the_sidecar
options.protect                     let in  doors: another_user_does_not_see_the_web_ui
control.server._SameUserServer      let in  doors: another_user_does_not_reach_the_control_socket
activator.ports.bind_unix           open    arrival: files_and_sockets_are_the_users_own
config.folders.make_private_folder  open    config/folders: a_folder_that_others_can_read_is_tightened
"""
