use super::*;
use crate::testing::{Held, Streamed, base64, json_struct, metadata, struct_bytes, telemetry};
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
use wasm_bindgen_test::wasm_bindgen_test as test;
use weir_model::SortedSet;
use weir_testing::Rows;

mod exchange;
mod istio;
mod names;
mod response;

const TOTAL: &str = "istio_requests_total";

fn node() -> Node {
    let metadata = json_struct(
        r#"{"WORKLOAD_NAME": "cart-v1", "NAMESPACE": "shop", "CLUSTER_ID": "eu",
            "LABELS": {"app": "cart", "version": "v1", "service.istio.io/canonical-name": "cart"}}"#,
    );
    Node {
        id: "sidecar~10.0.0.1~cart.shop~shop.svc".to_owned(),
        cluster: "cart".to_owned(),
        metadata,
        ..Node::default()
    }
}

fn only(held: &Held) -> std::collections::BTreeMap<String, String> {
    let mut series = held.series(TOTAL);
    assert_eq!(series.len(), 1, "{series:?}");
    series.remove(0).0
}

fn labels_of(settings: &str, node: &Node, streamed: &Streamed) -> std::collections::BTreeMap<String, String> {
    let mut held = Held::default();
    streamed.run(&mut telemetry(settings, node), &mut held);
    only(&held)
}

#[test]
fn four_metrics_with_all_labels_in_order() {
    let mut held = Held::default();
    Streamed::default()
        .bytes(Attribute::RequestHost, "cart")
        .int(Attribute::ResponseCode, 403)
        .int(Attribute::ResponseFlags, 0x1000)
        .int(Attribute::RequestDuration, 12_999_999)
        .int(Attribute::RequestTotalSize, 321)
        .int(Attribute::ResponseTotalSize, 0)
        .int(Attribute::ListenerDirection, 1)
        .run(&mut telemetry("", &node()), &mut held);
    let labels = "reporter=.=destination;.;source_workload=.=unknown;.;source_canonical_service=.=unknown;.;\
        source_canonical_revision=.=latest;.;source_workload_namespace=.=unknown;.;source_principal=.=unknown;.;\
        source_app=.=unknown;.;source_version=.=unknown;.;source_cluster=.=unknown;.;destination_workload=.=cart-v1;.;\
        destination_workload_namespace=.=shop;.;destination_principal=.=unknown;.;destination_app=.=cart;.;\
        destination_version=.=v1;.;destination_service=.=cart;.;destination_canonical_service=.=cart;.;\
        destination_canonical_revision=.=;.;destination_service_name=.=cart;.;destination_service_namespace=.=shop;.;\
        destination_cluster=.=eu;.;request_protocol=.=http;.;response_code=.=403;.;grpc_response_status=.=;.;\
        response_flags=.=UAEX;.;connection_security_policy=.=none;.;";
    let name = |metric: &str| format!("{labels}{metric}");
    assert_eq!(held.counters.into_iter().collect::<Vec<_>>(), [(name(TOTAL), 1)]);
    let expected = [
        (name("istio_request_bytes"), vec![321]),
        (name("istio_request_duration_milliseconds"), vec![12]),
        (name("istio_response_bytes"), vec![0]),
    ];
    assert_eq!(held.histograms.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_stream_of_which_nothing_is_known_is_counted_all_the_same() {
    let mut held = Held::default();
    let mut filter = telemetry(r#", "metricPrefix": "weir_istio_""#, &Node::default());
    Streamed { unseen: true, ..Streamed::default() }.run(&mut filter, &mut held);
    let series = held.series("weir_istio_requests_total");
    let kept = ["reporter", "response_code", "response_flags", "source_app", "destination_service", "destination_app"];
    let found: Vec<&str> = kept.iter().map(|label| series[0].0[*label].as_str()).collect();
    assert_eq!(found, ["source", "0", "-", "", "unknown", "unknown"]);
    assert!(held.histograms.is_empty(), "absent values are not recorded as zero");
}

#[test]
fn the_reporter_follows_the_listener_unless_configured() {
    let mut rows = Rows::default();
    for (settings, direction, reporter) in [
        ("", Some(1), "destination"),
        ("", Some(2), "source"),
        ("", Some(0), "source"),
        ("", None, "source"),
        (r#", "reporter": "source""#, Some(1), "source"),
        (r#", "reporter": "destination""#, Some(2), "destination"),
    ] {
        let mut streamed = Streamed::default();
        if let Some(direction) = direction {
            streamed = streamed.int(Attribute::ListenerDirection, direction);
        }
        rows.check(
            format!("{settings} {direction:?}"),
            labels_of(settings, &node(), &streamed)["reporter"].as_str(),
            reporter,
        );
    }
}

#[test]
fn a_peer_is_believed_only_as_configured() {
    let header = base64(&struct_bytes(&json_struct(r#"{"WORKLOAD_NAME": "front-v2", "NAMESPACE": "said"}"#)));
    let inbound = |mtls: bool, san: &str| {
        Streamed::default()
            .header("x-envoy-peer-metadata", header.clone())
            .bool(Attribute::ConnectionMtls, mtls)
            .bytes(Attribute::PeerUriSan, san)
            .bytes(Attribute::LocalUriSan, if mtls { "spiffe://td/ns/shop/sa/cart" } else { "" })
    };
    let san = "spiffe://td/ns/web/sa/front";
    let mut rows = Rows::default();
    for (trust, mtls, san, workload, namespace) in [
        ("mtls", true, san, "front-v2", "web"),
        ("mtls", true, "", "front-v2", "said"),
        ("mtls", false, "", "unknown", "unknown"),
        ("always", false, "", "front-v2", "said"),
        ("always", true, san, "front-v2", "web"),
        ("never", true, san, "unknown", "web"),
        ("never", false, "", "unknown", "unknown"),
    ] {
        let settings = format!(r#", "reporter": "destination", "peerMetadata": {{"trust": "{trust}"}}"#);
        let labels = labels_of(&settings, &node(), &inbound(mtls, san));
        let case = format!("{trust} {mtls} {san}");
        rows.check(
            &case,
            (labels["source_workload"].as_str(), labels["source_workload_namespace"].as_str()),
            (workload, namespace),
        );
        rows.check(&case, labels["source_principal"].as_str(), if san.is_empty() { "unknown" } else { san });
        rows.check(
            &case,
            labels["connection_security_policy"].as_str(),
            if san.is_empty() { "none" } else { "mutual_tls" },
        );
    }
    let upstream = Streamed::default()
        .bytes(Attribute::UpstreamPeerMetadata, header.clone())
        .bytes(Attribute::UpstreamHostMetadata, metadata(r#"{"workload": "w;n;s;r;c"}"#));
    let source = r#", "reporter": "source""#;
    assert_eq!(
        labels_of(source, &node(), &upstream)["destination_workload"],
        "w",
        "plaintext: the endpoint is believed"
    );
    let mtls = upstream.bytes(Attribute::UpstreamPeerUriSan, "spiffe://td/ns/web/sa/front");
    let labels = labels_of(source, &node(), &mtls);
    assert_eq!(
        (labels["destination_workload"].as_str(), labels["destination_service_namespace"].as_str()),
        ("front-v2", "web")
    );
    assert_eq!(labels["connection_security_policy"], "unknown", "a source does not know");
}

#[test]
fn the_service_comes_from_the_cluster_then_from_the_host() {
    let cluster = metadata(r#"{"services": [{"host": "a.b.svc", "name": "a", "namespace": "b"}]}"#);
    let plain =
        Streamed::default().bytes(Attribute::RequestHost, "x.example:8080").int(Attribute::ListenerDirection, 2);
    let known = plain.clone().bytes(Attribute::ClusterMetadata, &cluster);
    let mut istio = node();
    istio.metadata.0.push(("ISTIO_VERSION".to_owned(), weir_model::StructValue::Text("1.30".to_owned())));
    let mut gateway = node();
    gateway.id = "router~10.0.0.1~gw.shop~shop.svc".to_owned();
    let black_hole = known.clone().bytes(Attribute::RouteName, "block_all");
    let mut rows = Rows::default();
    for (reporter, node, streamed, expected) in [
        ("source", node(), &known, ["a.b.svc", "a", "b"]),
        ("source", node(), &plain, ["x.example:8080", "x.example:8080", "unknown"]),
        ("source", gateway, &plain, ["unknown", "unknown", "unknown"]),
        ("source", istio, &black_hole, ["x.example:8080", "BlackHoleCluster", "unknown"]),
        ("source", node(), &black_hole, ["a.b.svc", "a", "b"]),
        ("destination", node(), &known, ["a.b.svc", "a", "shop"]),
        ("destination", node(), &plain, ["cart", "cart", "shop"]),
    ] {
        let labels = labels_of(&format!(r#", "reporter": "{reporter}""#), &node, streamed);
        let found = ["destination_service", "destination_service_name", "destination_service_namespace"];
        rows.check(format!("{reporter} {}", node.id), found.map(|label| labels[label].as_str()), expected);
    }
}

#[test]
fn grpc_status_belongs_to_grpc_requests() {
    let mut rows = Rows::default();
    for (content_type, status, protocol, expected) in [
        ("application/grpc", Some(14), "grpc", "14"),
        ("application/grpc", None, "grpc", ""),
        ("application/grpc+proto", Some(0), "grpc", "0"),
        ("application/grpc;charset=x", Some(0), "grpc", "0"),
        ("application/grpc-web", Some(0), "http", ""),
        ("application/grpcx", Some(0), "http", ""),
        ("", Some(0), "http", ""),
        ("application/json", Some(14), "http", ""),
    ] {
        let mut streamed =
            Streamed { unseen: true, ..Streamed::default() }.bytes(Attribute::RequestContentType, content_type);
        if let Some(status) = status {
            streamed = streamed.int(Attribute::ResponseGrpcStatus, status);
        }
        let labels = labels_of("", &node(), &streamed);
        rows.check(
            format!("{content_type} {status:?}"),
            (labels["request_protocol"].as_str(), labels["grpc_response_status"].as_str()),
            (protocol, expected),
        );
    }
}

#[test]
fn no_more_is_read_than_the_configuration_uses() {
    use Attribute as A;
    let common = [
        A::ResponseCode,
        A::ResponseFlags,
        A::RequestDuration,
        A::RequestTotalSize,
        A::ResponseTotalSize,
        A::ClusterMetadata,
    ];
    let inbound = [A::PeerUriSan, A::LocalUriSan];
    let outbound = [A::UpstreamPeerUriSan, A::UpstreamLocalUriSan, A::UpstreamHostMetadata];
    let mtls = [&inbound[..], &[A::ConnectionMtls]].concat();
    let outbound = [&outbound[..], &[A::RequestHost, A::ListenerDirection]].concat();
    let described = [&outbound[..], &[A::UpstreamPeerMetadata]].concat();
    let peer_header = SortedSet::from([b"x-envoy-peer-metadata".as_slice()]);
    let mut istio = node();
    istio.metadata.0.push(("ISTIO_VERSION".to_owned(), weir_model::StructValue::Text("1.30".to_owned())));
    let (cluster, route) = ([A::ClusterName], [A::RouteName]);
    let principals = [A::PeerPrincipal, A::LocalPrincipal];
    let exchanged = [&mtls[..], &principals, &[A::DownstreamPeer]].concat();
    let of_istio = [&described[..], &[A::UpstreamPeer]].concat();
    let hostless: Vec<A> =
        described.iter().filter(|it| !matches!(it, A::RequestHost | A::ListenerDirection)).cloned().collect();
    /// More attributes of every stream, of inbound ones, and of all others.
    type More<'a> = [&'a [&'a [Attribute]]; 3];
    let direction = |it: &&A| matches!(it, A::ListenerDirection);
    let outbound_of: Vec<A> = of_istio.iter().filter(|it| !direction(it)).cloned().collect();
    let cases: [(&str, Node, More<'_>); 10] = [
        (r#", "listener": "inbound""#, istio.clone(), [&[&cluster, &exchanged], &[], &[]]),
        (r#", "listener": "outbound""#, istio.clone(), [&[&cluster, &outbound_of, &route], &[], &[]]),
        (r#", "reporter": "destination""#, node(), [&[&mtls], &[], &[]]),
        (r#", "reporter": "destination", "peerMetadata": {"trust": "never"}"#, node(), [&[&inbound], &[], &[]]),
        (r#", "reporter": "source""#, node(), [&[&described], &[], &[]]),
        (
            r#", "reporter": "source", "peerMetadata": {"trust": "never"}"#,
            istio.clone(),
            [&[&outbound, &cluster, &route], &[], &[]],
        ),
        ("", node(), [&[], &[&mtls], &[&described]]),
        (r#", "hostFallback": "off""#, node(), [&[], &[&mtls], &[&hostless]]),
        ("", istio.clone(), [&[&cluster], &[&exchanged], &[&of_istio, &route]]),
        (
            r#", "peerMetadata": {"trust": "never"}"#,
            istio,
            [&[&cluster], &[&inbound, &principals], &[&outbound, &route]],
        ),
    ];
    let mut rows = Rows::default();
    for (settings, node, more) in cases {
        let filter = telemetry(settings, &node);
        let [more, inbound, outbound] =
            more.map(|more| more.iter().copied().flatten().cloned().collect::<SortedSet<Attribute>>());
        let end = filter.demand(Phase::End);
        let lasts = |it: &A| [&mtls[..], &principals].concat().contains(it);
        let (of_connection, more): (Vec<A>, Vec<A>) = more.into_iter().partition(lasts);
        let expected = Demand {
            attributes: common.iter().cloned().chain(more).collect(),
            of_connection: of_connection.into_iter().collect(),
            inbound,
            outbound,
            with_body: SortedSet::from([A::RequestContentType, A::ResponseGrpcStatus]),
            ..Demand::default()
        };
        rows.check(settings, end, &expected);
        let peer_header = match ["never", "source", "outbound"].iter().any(|word| settings.contains(word)) {
            true => SortedSet::new(),
            false => peer_header.clone(),
        };
        rows.check(
            settings,
            filter.demand(Phase::EndUnseen),
            &Demand { request_first: peer_header.clone(), ..end.clone() },
        );
        let request = filter.demand(Phase::Request);
        rows.check(settings, (request.idle, &request.request_first), (peer_header.is_empty(), &peer_header));
        rows.check(settings, filter.demand(Phase::Response).idle, true);
    }
}

#[test]
fn off_is_nothing_and_every_other_mode_counts() {
    let mut rows = Rows::default();
    for (mode, counted) in [("off", 0), ("observe", 1), ("shadow", 1), ("enforce", 1)] {
        let mut filter = telemetry(&format!(r#", "mode": "{mode}""#), &node());
        let mut held = Held::default();
        Streamed::default().run(&mut filter, &mut held);
        rows.check(mode, held.total(TOTAL), counted);
        rows.check(mode, Phase::ALL.iter().all(|phase| filter.demand(*phase).idle), counted == 0);
    }
}
