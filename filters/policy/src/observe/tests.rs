use super::*;
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::{Struct, StructValue};
use weir_testing::Rows;

#[test]
fn the_details_say_who_answered() {
    let mut rows = Rows::default();
    for (details, expected) in [
        ("via_upstream", Word::Allow),
        ("direct_response", Word::Allow),
        ("route_not_found", Word::Allow),
        ("upstream_reset_before_response_started{connection_failure|111}", Word::Allow),
        ("rbac_access_denied_matched_policy[none]", Word::Deny),
        ("rbac_access_denied_matched_policy[ns[a]-policy[b]-rule[0]]", Word::Deny),
        // Weir's own, of another plugin.
        ("rbac_access_denied[direct-address-unknown]_needed_by[ns[a]-policy[b]-rule[0]]", Word::Unknown),
        ("via_upstream_of_mine", Word::Unknown),
        ("ext_authz_denied", Word::Unknown),
        ("jwt_authn_access_denied{Jwt_is_missing}", Word::Unknown),
        ("local_rate_limited[per-user]", Word::Unknown),
        ("downstream_remote_disconnect", Word::Unknown),
        ("route_configuration_not_found", Word::Unknown),
        ("", Word::Unknown),
    ] {
        rows.check(details, native(details.as_bytes()), expected);
    }
}

#[test]
fn one_shadow_rule_that_denies_is_enough() {
    let [deny, allow] = DRY_RUN;
    let mut rows = Rows::default();
    /// Metadata, whether there are policies under dry run, and what comes of it.
    type Case<'c> = (&'c [(&'c str, &'c str)], bool, Option<Word>);
    let cases: [Case<'_>; 9] = [
        (&[], true, None),
        (&[(deny, "allowed")], true, Some(Word::ShadowAllow)),
        (&[(deny, "allowed"), (allow, "denied")], true, Some(Word::ShadowDeny)),
        (&[(deny, "denied"), (allow, "allowed")], true, Some(Word::ShadowDeny)),
        (&[(deny, "allowed"), (allow, "allowed")], true, Some(Word::ShadowAllow)),
        (&[(deny, "denied")], false, None),
        (&[(SHADOW, "denied")], false, Some(Word::ShadowDeny)),
        (&[(SHADOW, "allowed"), (deny, "denied")], false, Some(Word::ShadowAllow)),
        (&[(SHADOW, "later")], true, None),
    ];
    for (fields, has_dry_run, expected) in cases {
        let of = |(key, value): &(&str, &str)| ((*key).to_owned(), StructValue::Text((*value).to_owned()));
        let fields: Struct = fields.iter().map(of).collect();
        let bytes = weir_proto::encode_metadata([(RBAC, &fields)]);
        let found = native_shadow(MetadataView::new(&bytes), has_dry_run);
        rows.check(format!("{fields:?} {has_dry_run}"), found.ok(), Some(expected));
    }
}
