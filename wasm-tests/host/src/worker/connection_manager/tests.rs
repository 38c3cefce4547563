use super::*;
use weir_testing::Rows;

#[test]
fn an_upgrade_is_one_that_connection_speaks_of() {
    let table = [
        (Some("Upgrade"), Some("websocket"), true),
        (Some("keep-alive, upgrade"), Some("h2c"), true),
        (Some("close"), Some("websocket"), false),
        (None, Some("websocket"), false),
        (Some("upgrade"), None, false),
    ];
    let mut rows = Rows::default();
    for (connection, kind, wanted) in table {
        let mut headers = HeaderMap::new([(":method", "GET")]);
        connection.into_iter().for_each(|value| headers.add(b"connection", value.as_bytes()));
        kind.into_iter().for_each(|value| headers.add(b"upgrade", value.as_bytes()));
        rows.check(format!("{connection:?} {kind:?}"), is_upgrade(&headers), wanted);
    }
}

#[test]
fn a_connect_asks_for_an_upgrade_of_its_own() {
    let table = [
        (vec![(":method", "GET")], None),
        (vec![(":method", "CONNECT")], Some("CONNECT")),
        (vec![(":method", "GET"), ("upgrade", "websocket")], Some("websocket")),
    ];
    let mut rows = Rows::default();
    for (fields, wanted) in table {
        let requested = upgrade(&HeaderMap::new(fields.clone()));
        rows.check(format!("{fields:?}"), requested, wanted.map(|kind| kind.as_bytes().to_vec()));
    }
}
