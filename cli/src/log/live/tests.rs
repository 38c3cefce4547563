use super::Live;
use crate::log::Format;
use weir_testing::Rows;

#[test]
fn details_say_what_policies_answered() {
    let mut rows = Rows::default();
    let format = Format::default();
    for (fields, expected) in [
        (r#""response_code_details":"via_upstream""#, Live::Allowed),
        (r#""response_code_details":"upstream_reset_before_response_started{connection_termination}""#, Live::Allowed),
        (r#""response_code_details":"rbac_access_denied_matched_policy[none]""#, Live::Denied("none".into())),
        (
            r#""response_code_details":"rbac_access_denied_matched_policy[ns[shop]-policy[no-admin]-rule[1]]""#,
            Live::Denied("shop/no-admin[1]".into()),
        ),
        (
            r#""response_code_details":"rbac_access_denied[direct-address-unknown]_needed_by[ns[a]-policy[b]-rule[0]]""#,
            Live::Denied("rbac_access_denied[direct-address-unknown]_needed_by[ns[a]-policy[b]-rule[0]]".into()),
        ),
        (
            r#""response_code_details":"jwt_authn_access_denied{Jwt_is_expired}""#,
            Live::Before("jwt_authn_access_denied"),
        ),
        (r#""response_code_details":"http1.codec_error""#, Live::Before("http1.codec_error")),
        (r#""response_code_details":"local_rate_limited[per-user]""#, Live::Unsaid("local_rate_limited")),
        // An upstream's own 403 is not the policies'.
        (r#""response_code_details":null,"upstream_host":"10.0.0.1:80""#, Live::Allowed),
        (r#""response_code":403"#, Live::Unsaid("the log has no response code details")),
    ] {
        let line = format!(r#"{{"start_time":"t","method":"GET","path":"/",{fields}}}"#);
        let record = format.record(line.as_bytes()).unwrap();
        rows.check(fields, record.live(), expected);
    }
}
